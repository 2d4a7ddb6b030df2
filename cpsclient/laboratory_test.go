package cpsclient_test

import (
	"context"
	"crypto/ecdsa"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

const (
	upstreamSPC   = "1234"
	downstreamSPC = "567B"
	dest          = "19032469103"
	orig          = "12013776051"
)

// laboratory is what all tests share: two providers with certificates, and a verifier that has both in its cache, so
// that nothing inside a testing/synctest bubble has to wait for a real socket.
type laboratory struct {
	pki                  *oobtest.PKI
	repository           *oobtest.Repository
	verifier             *trust.Verifier
	upstream, downstream *oobtest.Identity
	delegate             *oobtest.Identity // of the called number alone
}

var openLaboratory = sync.OnceValue(func() *laboratory {
	l := &laboratory{}
	var err error
	must := func() {
		if err != nil {
			panic(err)
		}
	}
	l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{})
	must()
	l.repository, err = l.pki.StartRepository()
	must()
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	if err != nil {
		panic(err)
	}
	l.verifier, err = trust.New(trust.Config{Anchors: anchors, Repository: trust.RepositoryConfig{
		Laboratory: trust.Laboratory{Hosts: []string{l.repository.Host}, Roots: l.pki.TLSRoots()},
	}})
	must()
	called, err := tn.ParseRange(dest)
	must()
	for to, issue := range map[**oobtest.Identity]oobtest.IssueConfig{
		&l.upstream: {SPC: upstreamSPC}, &l.downstream: {SPC: downstreamSPC}, &l.delegate: {TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{called}}},
	} {
		*to, err = l.pki.Issue(issue)
		must()
		_, err = l.verifier.Verify(context.Background(), (*to).X5U, func(*ecdsa.PublicKey) error { return nil })
		must()
	}
	return l
})

func TestMain(m *testing.M) {
	l := openLaboratory()
	code := m.Run()
	l.verifier.Close()
	_ = l.repository.Close()
	os.Exit(code)
}

// newCPS is the handler of a real CPS whose names in aud are given.
func (l *laboratory) newCPS(t testing.TB, audience ...string) http.Handler {
	t.Helper()
	shelf := local.Open(store.Config{FeedProfiles: []oob.Profile{oob.RFC9888, oob.Company}})
	t.Cleanup(func() { _ = shelf.Close() })
	hub := push.New(push.Config{Feed: shelf.Feed(), Numbering: numbering{}})
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go hub.Run(ctx)
	plenty := cps.Rate{PerSecond: 1e6, Burst: 1e6}
	service, err := cps.New(cps.Config{
		Store: shelf, Inspector: &cps.Inspector{Verifier: l.verifier}, Audience: audience, Numbering: numbering{}, Hub: hub,
		PublishRate: plenty, RetrieveRate: plenty, OpenRate: plenty,
	})
	if err != nil {
		t.Fatal(err)
	}
	door, err := httpapi.New(httpapi.Config{Service: service, Verifier: l.verifier})
	if err != nil {
		t.Fatal(err)
	}
	return door
}

// numbering says that all numbers are those of the downstream provider.
type numbering struct{}

func (numbering) SPCs(context.Context, tn.Number) ([]string, error) {
	return []string{downstreamSPC}, nil
}

// shown gives a configuration for who proves itself in TLS alone.
func (l *laboratory) shown(id *oobtest.Identity, urls ...string) cpsclient.Config {
	cfg := l.as(id, urls...)
	certificate := id.TLS()
	cfg.SPC, cfg.Key, cfg.X5U, cfg.Certificate = "", nil, "", &certificate
	return cfg
}

// as gives a configuration for the provider.
func (l *laboratory) as(id *oobtest.Identity, urls ...string) cpsclient.Config {
	cfg := cpsclient.Config{SPC: id.SPC, Key: id.Key, X5U: id.X5U, RootCAs: l.pki.TLSRoots()}
	for _, url := range urls {
		cfg.CPSs = append(cfg.CPSs, cpsclient.CPS{URL: url})
	}
	return cfg
}

func open(t testing.TB, cfg cpsclient.Config) *cpsclient.Client {
	t.Helper()
	c, err := cpsclient.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func number(text string) tn.Identity {
	n, err := tn.ParseNumber(text)
	if err != nil {
		panic(err)
	}
	return tn.Of(n)
}

// keyOf is the key of the call of these tests.
func keyOf(p oob.Profile) oob.Key {
	k := oob.Key{Profile: p, Dest: number(dest), Orig: number(orig)}
	switch {
	case p.Row().KeyedBySPC:
		k.SPC = upstreamSPC
	case p.Row().ForSPC:
		k.SPC = downstreamSPC
	}
	return k
}

// passport signs a PASSporT for the call, issued at iat.
func (l *laboratory) passport(t testing.TB, iat time.Time) string {
	t.Helper()
	compact, err := passport.Sign(l.upstream.Key, passport.Shaken, l.upstream.X5U, passport.Claims{
		IAT: iat, Orig: number(orig), Dest: []tn.Identity{number(dest)}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func (l *laboratory) publication(t testing.TB, p oob.Profile, passports ...string) oob.Publication {
	if len(passports) == 0 {
		passports = []string{l.passport(t, time.Now())}
	}
	return oob.Publication{Key: keyOf(p), Passports: passports, Expires: time.Now().Add(10 * time.Second)}
}

// wantFault fails unless err is a Fault of the kind.
func wantFault(t testing.TB, err error, kind oob.Kind) *oob.Fault {
	t.Helper()
	fault, ok := err.(*oob.Fault)
	if !ok {
		t.Fatalf("got %T %v, want a Fault of kind %v", err, err, kind)
	}
	if fault.Kind != kind {
		t.Fatalf("got %v, want kind %v", fault, kind)
	}
	return fault
}
