package advert_test

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// laboratory is a PKI with a repository, a clock, and a verifier that believes the one and uses the other.
type laboratory struct {
	t        testing.TB
	pki      *oobtest.PKI
	trust    trust.Laboratory
	verifier *trust.Verifier
	checker  advert.CheckerConfig

	mu      sync.Mutex
	now     time.Time            // guarded by mu
	numbers *stircert.NumberData // guarded by mu
}

func newLaboratory(t testing.TB) *laboratory {
	t.Helper()
	l := &laboratory{t: t, now: time.Now().Truncate(time.Second)}
	var err error
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock}); err != nil {
		t.Fatal(err)
	}
	repository, err := l.pki.StartRepository()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repository.Close() })
	l.trust = trust.Laboratory{Hosts: []string{"127.0.0.1"}, Roots: l.pki.TLSRoots()}
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	if l.verifier, err = trust.New(trust.Config{
		Anchors: anchors, Now: l.clock, Repository: trust.RepositoryConfig{Deadline: 30 * time.Second, Laboratory: l.trust},
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.verifier.Close)
	l.checker = advert.CheckerConfig{Verifier: l.verifier, Now: l.clock, Numbers: func() *stircert.NumberData {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.numbers
	}}
	return l
}

func (l *laboratory) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *laboratory) pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func (l *laboratory) setNumbers(d *stircert.NumberData) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.numbers = d
}

// signer has a certificate for a provider, or for the ranges.
func (l *laboratory) signer(spc string, ranges ...string) advert.Signer {
	l.t.Helper()
	id := l.issue(oobtest.IssueConfig{SPC: spc, TNAuthList: stircert.TNAuthList{Ranges: l.ranges(ranges...)}})
	return advert.Signer{Key: id.Key, X5U: id.X5U}
}

func (l *laboratory) issue(cfg oobtest.IssueConfig) *oobtest.Identity {
	l.t.Helper()
	id, err := l.pki.Issue(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

func (l *laboratory) ranges(texts ...string) (ranges []tn.Range) {
	l.t.Helper()
	for _, text := range texts {
		r, err := tn.ParseRange(text)
		if err != nil {
			l.t.Fatal(err)
		}
		ranges = append(ranges, r)
	}
	return ranges
}

// says is an advertisement of now, for a day.
type says map[string]string

func (l *laboratory) advertisement(seq uint64, members says) advert.Advertisement {
	l.t.Helper()
	a := advert.Advertisement{Issued: l.clock(), Expires: l.clock().Add(24 * time.Hour), Seq: seq}
	for _, key := range slices.Sorted(maps.Keys(members)) {
		r, err := stircert.ParseResource(key)
		if err != nil {
			l.t.Fatal(err)
		}
		a.Entries = append(a.Entries, advert.Entry{Resource: r, URL: members[key]})
	}
	return a
}

func (l *laboratory) sign(s advert.Signer, seq uint64, members says) string {
	l.t.Helper()
	return l.signed(s, l.advertisement(seq, members))
}

func (l *laboratory) signed(s advert.Signer, a advert.Advertisement) string {
	l.t.Helper()
	compact, err := advert.Sign(s, a)
	if err != nil {
		l.t.Fatal(err)
	}
	return compact
}

func (l *laboratory) book(edit func(*advert.BookConfig)) *advert.Book {
	l.t.Helper()
	checker, err := advert.NewChecker(l.checker)
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := advert.BookConfig{Checker: checker, Now: l.clock}
	if edit != nil {
		edit(&cfg)
	}
	b, err := advert.NewBook(l.t.Context(), cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// finds is what a book finds for a number and a provider: URL and resource.
func (l *laboratory) finds(b *advert.Book, number, spc string) string {
	l.t.Helper()
	q := discovery.Question{SPC: spc}
	if number != "" {
		var err error
		if q.Number, err = tn.ParseNumber(number); err != nil {
			l.t.Fatal(err)
		}
	}
	found, err := b.Find(l.t.Context(), q)
	if err != nil {
		return ""
	}
	return found.URLs[0] + " " + found.Resource.String()
}

// host serves what the handler does, over TLS on a port of the laboratory.
func (l *laboratory) host(handler http.Handler) string {
	l.t.Helper()
	h, err := l.pki.StartHost(handler)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { h.Close() })
	return h.URL
}
