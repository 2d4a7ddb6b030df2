package advert_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

var _ discovery.Source = (*advert.Book)(nil)

func add(t testing.TB, b *advert.Book, lines ...string) advert.Report {
	t.Helper()
	return b.Add(t.Context(), []byte(strings.Join(lines, "\n")))
}

// accepted fails the test unless every line was.
func accepted(t testing.TB, b *advert.Book, lines ...string) {
	t.Helper()
	if r := add(t, b, lines...); r.Accepted != len(lines) {
		t.Fatalf("%+v", r)
	}
}

func refused(t testing.TB, b *advert.Book, line string, want advert.Problem) {
	t.Helper()
	r := add(t, b, line)
	if r.Accepted+r.Repeated != 0 || len(r.Refused) != 1 || !errors.Is(r.Refused[0].Err, want) {
		t.Errorf("%+v, want %s", r, want.Name())
	}
}

func TestBook_NumberBeforeNarrowestRangeBeforeProvider(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	provider, block := l.signer("567A"), l.signer("", "19035550100-19035550199")
	accepted(t, b,
		l.sign(provider, 1, says{"0-567A": "https://provider.example"}),
		l.sign(block, 1, says{"1-19035550100-100": "https://wide.example", "1-19035550110-10": "https://narrow.example", "2-19035550115": "https://one.example"}),
	)
	for _, c := range []struct{ number, spc, want string }{
		{"19035550115", "567A", "https://one.example 2-19035550115"},
		{"19035550119", "567A", "https://narrow.example 1-19035550110-10"},
		{"19035550120", "567A", "https://wide.example 1-19035550100-100"},
		{"19035550200", "567A", "https://provider.example 0-567A"},
		{"", "567A", "https://provider.example 0-567A"},
		{"19035550200", "", ""},
		{"", "567a", ""},
	} {
		if got := l.finds(b, c.number, c.spc); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.number, c.spc, got, c.want)
		}
	}
}

// TestRFC9888_S4_OnlyWhatTheCertificateCovers: the relying party compares what is advertised with the TNAuthList.
func TestRFC9888_S4_OnlyWhatTheCertificateCovers(t *testing.T) {
	l := newLaboratory(t)
	data, err := stircert.ParseNumberData(strings.NewReader("567A,19035550100,100\n1234,19035550150\n"))
	if err != nil {
		t.Fatal(err)
	}
	provider, block := l.signer("567A"), l.signer("", "19035550100-19035550199")
	for _, c := range []struct {
		name   string
		data   *stircert.NumberData
		signer advert.Signer
		claim  string
		want   advert.Problem // 0 for none
	}{
		{"own code", nil, provider, "0-567A", 0},
		{"another's code", data, provider, "0-1234", advert.Uncovered},
		{"the same in another case", data, provider, "0-567a", advert.Uncovered},
		{"numbers of the code, without data", nil, provider, "1-19035550100-50", advert.Uncovered},
		{"numbers of the code", data, provider, "1-19035550100-50", 0},
		{"one that was ported away is in it", data, provider, "1-19035550100-100", 0}, // see TestBook_NobodySpeaksForNumbersThatWerePortedAway
		{"one more than the code has", data, provider, "1-19035550100-101", advert.Uncovered},
		{"nobody's numbers", data, provider, "2-19035550200", advert.Uncovered},
		{"own range", nil, block, "1-19035550100-100", 0},
		{"within it", nil, block, "2-19035550199", 0},
		{"one more", nil, block, "1-19035550100-101", advert.Uncovered},
		{"a code, with numbers alone", data, block, "0-567A", advert.Uncovered},
		{"everything", data, provider, "1-10000000000-1000000000", advert.Uncovered},
		{"a wildcard is a number", data, provider, "2-1903*", advert.Uncovered},
		{"greed, although covered", nil, l.signer("", "10000000000-19999999999"), "1-10000000000-1000000000", advert.Greedy},
		{"greed by one", nil, l.signer("", "10000000000-19999999999"), "1-10000000000-10000001", advert.Greedy},
		{"as much as may be", nil, l.signer("", "10000000000-19999999999"), "1-10000000000-10000000", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.setNumbers(c.data)
			b := l.book(nil)
			line := l.sign(c.signer, 1, says{c.claim: "https://cps.example.net"})
			if c.want == 0 {
				accepted(t, b, line)
				return
			}
			refused(t, b, line, c.want)
		})
	}
}

// TestBook_NobodySpeaksForNumbersThatWerePortedAway: a provider's block stands as a whole, but not for a number that the
// asker knows to be another's now: the old provider would be told who calls.
func TestBook_NobodySpeaksForNumbersThatWerePortedAway(t *testing.T) {
	l := newLaboratory(t)
	data, err := stircert.ParseNumberData(strings.NewReader("567A,19035550100,100\n1234,19035550150\n"))
	if err != nil {
		t.Fatal(err)
	}
	l.setNumbers(data)
	b := l.book(nil)
	accepted(t, b,
		l.sign(l.signer("567A"), 1, says{"1-19035550100-100": "https://old.example"}),
		l.sign(l.signer("1234"), 1, says{"0-1234": "https://new.example"}),
		l.sign(l.signer("", "19035550160-19035550169"), 1, says{"1-19035550160-10": "https://delegate.example"}),
	)
	for _, c := range []struct{ number, spc, want string }{
		{"19035550149", "567A", "https://old.example 1-19035550100-100"},
		{"19035550150", "1234", "https://new.example 0-1234"},
		{"19035550150", "9999", ""},
		{"19035550150", "", "https://new.example 0-1234"}, // the data say who holds it
		{"19035550165", "567A", "https://delegate.example 1-19035550160-10"},
	} {
		if got := l.finds(b, c.number, c.spc); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.number, c.spc, got, c.want)
		}
	}
}

func TestBook_TakesCoveredMembersAndTellsOfTheOthers(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	r := add(t, b, l.sign(l.signer("567A"), 1, says{"0-567A": "https://mine.example", "0-1234": "https://mine.example", "2-12155550100": "https://mine.example"}))
	if r.Accepted != 1 || r.Members[advert.Uncovered] != 2 {
		t.Errorf("%+v", r)
	}
	if l.finds(b, "", "567A") == "" || l.finds(b, "", "1234") != "" || l.finds(b, "12155550100", "") != "" {
		t.Error("a member that is not covered is found, or one that is covered is not")
	}
	if b.Stats().Members[advert.Uncovered] != 2 {
		t.Errorf("%+v", b.Stats())
	}
}

func TestBook_WhoSignsAndWhen(t *testing.T) {
	l := newLaboratory(t)
	members := says{"0-567A": "https://cps.example.net"}
	good := l.signer("567A")
	other, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.Issue(oobtest.IssueConfig{SPC: "567A"})
	if err != nil {
		t.Fatal(err)
	}
	chain := func(id *oobtest.Identity) []*x509.Certificate {
		certs, err := stircert.ParseChainPEM(id.ChainPEM)
		if err != nil {
			t.Fatal(err)
		}
		return certs
	}
	own := l.issue(oobtest.IssueConfig{SPC: "567A"})
	expired := l.issue(oobtest.IssueConfig{SPC: "567A", NotBefore: l.clock().Add(-2 * time.Hour), NotAfter: l.clock().Add(-time.Hour)})
	at := func(issued, expires time.Duration) func(*advert.Advertisement) {
		return func(a *advert.Advertisement) { a.Issued, a.Expires = l.clock().Add(issued), l.clock().Add(expires) }
	}
	asIs := func(*advert.Advertisement) {}
	for _, c := range []struct {
		name   string
		signer advert.Signer
		edit   func(*advert.Advertisement)
		want   advert.Problem
	}{
		{"good", good, asIs, 0},
		{"with x5c", advert.Signer{Key: own.Key, X5C: chain(own)}, asIs, 0},
		{"another's key", advert.Signer{Key: newKey(t), X5U: good.X5U}, asIs, advert.WrongSignature},
		{"another's key, x5c", advert.Signer{Key: newKey(t), X5C: chain(own)}, asIs, advert.WrongSignature},
		{"another root", advert.Signer{Key: stranger.Key, X5U: l.pki.Serve("/stranger.pem", stranger.ChainPEM)}, asIs, advert.Untrusted},
		{"another root, x5c", advert.Signer{Key: stranger.Key, X5C: chain(stranger)}, asIs, advert.Untrusted},
		{"expired certificate", advert.Signer{Key: expired.Key, X5U: expired.X5U}, asIs, advert.Untrusted},
		{"nothing at the x5u", advert.Signer{Key: good.Key, X5U: good.X5U + ".none"}, asIs, advert.Unreachable},
		{"a private address", advert.Signer{Key: good.Key, X5U: "https://10.0.0.1/a.pem"}, asIs, advert.Unreachable},
		{"expired", good, at(-2*time.Hour, 0), advert.Expired},
		{"just not", good, at(-2*time.Hour, time.Second), 0},
		{"from the future", good, at(advert.ClockSkewMax+time.Second, time.Hour), advert.NotYetValid},
		{"from a little ahead", good, at(advert.ClockSkewMax, time.Hour), 0},
		{"for too long", good, at(0, 7*24*time.Hour+time.Second), advert.BadTimes},
		{"for long", good, at(0, 7*24*time.Hour), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := l.advertisement(1, members)
			c.edit(&a)
			b := l.book(nil)
			if c.want == 0 {
				accepted(t, b, l.signed(c.signer, a))
				return
			}
			refused(t, b, l.signed(c.signer, a), c.want)
		})
	}
}

func TestBook_SeqNeverGoesBack(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	signer := l.signer("567A")
	first := l.sign(signer, 5, says{"0-567A": "https://first.example"})
	accepted(t, b, first)
	if r := add(t, b, first); r.Repeated != 1 {
		t.Errorf("the same again: %+v", r)
	}
	refused(t, b, l.sign(signer, 4, says{"0-567A": "https://older.example"}), advert.Backwards)
	refused(t, b, l.sign(signer, 5, says{"0-567A": "https://other.example"}), advert.Contradicting)
	if doubles := b.Equivocations(); len(doubles) != 1 || doubles[0].Signer != "567A" || doubles[0].Seq != 5 || b.Stats().Equivocations != 1 {
		t.Errorf("%+v", doubles)
	}
	if got := l.finds(b, "", "567A"); got != "https://first.example 0-567A" {
		t.Errorf("%q", got)
	}
	// A renewed certificate is the same signer.
	accepted(t, b, l.sign(l.signer("567A"), 6, says{"0-567A": "https://second.example"}))
	refused(t, b, first, advert.Backwards)
	if got := l.finds(b, "", "567A"); got != "https://second.example 0-567A" {
		t.Errorf("%q", got)
	}
}

// TestBook_OlderStaysOlderAfterTheNewerHasExpired: an advertisement that was replaced may hold for longer than what has
// replaced it.
func TestBook_OlderStaysOlderAfterTheNewerHasExpired(t *testing.T) {
	l := newLaboratory(t)
	directory := t.TempDir()
	inDirectory := func(cfg *advert.BookConfig) { cfg.Directory = directory }
	b := l.book(inDirectory)
	signer := l.signer("567A")
	old := l.sign(signer, 1, says{"0-567A": "https://old.example"})
	a := l.advertisement(2, says{"0-567A": "https://new.example"})
	a.Expires = a.Issued.Add(time.Hour)
	accepted(t, b, old)
	accepted(t, b, l.signed(signer, a))
	l.pass(2 * time.Hour)
	if got := l.finds(b, "", "567A"); got != "" {
		t.Errorf("expired and found: %q", got)
	}
	b.Judge()
	refused(t, b, old, advert.Backwards)
	refused(t, l.book(inDirectory), old, advert.Backwards)
}

func TestBook_ConflictsAreToldAndTheNewestStands(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	one, two := l.signer("567A", "19035550100-19035550199"), l.signer("", "19035550100-19035550149")
	accepted(t, b, l.sign(one, 1, says{"2-19035550115": "https://one.example", "1-19035550100-50": "https://same.example"}))
	l.pass(time.Minute)
	accepted(t, b, l.sign(two, 1, says{"2-19035550115": "https://two.example", "1-19035550100-50": "https://same.example"}))
	if got := l.finds(b, "19035550115", ""); got != "https://two.example 2-19035550115" {
		t.Errorf("%q", got)
	}
	conflicts := b.Conflicts()
	if len(conflicts) != 1 || conflicts[0].Resource.String() != "2-19035550115" || len(conflicts[0].Claims) != 2 ||
		conflicts[0].Claims[0].URL != "https://two.example" || b.Stats().Conflicts != 1 {
		t.Errorf("%+v", conflicts)
	}
	l.pass(time.Minute)
	accepted(t, b, l.sign(one, 2, says{"2-19035550115": "https://two.example", "1-19035550100-50": "https://same.example"}))
	if len(b.Conflicts()) != 0 || b.Stats().Conflicts != 0 {
		t.Errorf("settled, and still there: %+v", b.Conflicts())
	}
}

func TestBook_RevokedAndPortedAwayIsNotUsed(t *testing.T) {
	l := newLaboratory(t)
	held, err := stircert.ParseNumberData(strings.NewReader("567A,19035550100,100\n"))
	if err != nil {
		t.Fatal(err)
	}
	l.setNumbers(held)
	b := l.book(nil)
	accepted(t, b, l.sign(l.signer("567A"), 1, says{"0-567A": "https://cps.example.net", "2-19035550115": "https://cps.example.net"}))
	l.setNumbers(nil)
	b.Judge()
	if l.finds(b, "19035550115", "") != "" || l.finds(b, "", "567A") == "" {
		t.Error("a number that was ported away is found, or with it all else is lost")
	}
	l.verifier.SetAnchors(nil)
	b.Judge()
	if l.finds(b, "", "567A") != "" || b.Stats().Withdrawn != 1 {
		t.Error("signed by nobody who is believed, and found")
	}
	anchors, err := trust.NewAnchors(l.pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	l.verifier.SetAnchors(anchors)
	b.Judge()
	if l.finds(b, "", "567A") == "" {
		t.Error("believed again, and not found")
	}
}

func TestBook_MillionTinyRangesByOneSigner(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(func(cfg *advert.BookConfig) { cfg.SignerEntriesMax, cfg.SignerSetsMax = 2500, 4 })
	flooder, other := l.signer("", "10000000000-19999999999"), l.signer("567A")
	var lines []string
	for i := range 8 {
		members := says{}
		for j := range 1000 {
			members[fmt.Sprintf("1-1%06d%04d-2", i, 2*j)] = "https://flood.example"
		}
		lines = append(lines, l.sign(flooder, 1, members))
	}
	r := add(t, b, lines...)
	if r.Accepted != 2 || len(r.Refused) != 6 || !errors.Is(r.Refused[0].Err, advert.Full) {
		t.Errorf("%d accepted, %d refused", r.Accepted, len(r.Refused))
	}
	accepted(t, b, l.sign(other, 1, says{"0-567A": "https://cps.example.net"}))
	for i := range 5 { // many sets of few
		add(t, b, l.sign(flooder, 1, says{fmt.Sprintf("2-1999999999%d", i): "https://flood.example"}))
	}
	if s := b.Stats(); s.Entries != 2003 || s.Sets != 5 || s.Refusals[advert.Full] != 9 {
		t.Errorf("%+v", s)
	}
	// An advertisement of the same set takes the place of the one before, however full it is.
	accepted(t, b, l.sign(flooder, 2, says{"2-19999999990": "https://other.example"}))
	l.pass(8 * 24 * time.Hour)
	b.Judge()
	if s := b.Stats(); s.Entries != 0 || s.Live != 0 {
		t.Errorf("expired, and held: %+v", s)
	}
	l.pass(24 * time.Hour)
	b.Judge()
	if s := b.Stats(); s.Sets != 0 || s.Signers != 0 {
		t.Errorf("not worth remembering, and remembered: %+v", s)
	}
}

func TestBook_IsKeptAcrossRestarts(t *testing.T) {
	l := newLaboratory(t)
	directory := t.TempDir()
	inDirectory := func(cfg *advert.BookConfig) { cfg.Directory = directory }
	b := l.book(inDirectory)
	signer := l.signer("567A")
	accepted(t, b, l.sign(signer, 1, says{"0-567A": "https://old.example"}), l.sign(l.signer("1234"), 9, says{"0-1234": "https://other.example"}))
	accepted(t, b, l.sign(signer, 2, says{"0-567A": "https://cps.example.net"}))
	files := func() (names []string) {
		entries, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if len(files()) != 2 {
		t.Errorf("files: %q", files())
	}
	again := l.book(inDirectory)
	if l.finds(again, "", "567A") != "https://cps.example.net 0-567A" || l.finds(again, "", "1234") == "" {
		t.Error("not there after a restart")
	}
	// What is on disk is judged as if it had come from the network.
	forged := l.sign(advert.Signer{Key: newKey(t), X5U: signer.X5U}, 3, says{"0-567A": "https://enemy.example"})
	name := directory + "/" + files()[0]
	if err := os.WriteFile(name, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(directory+"/note.txt", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	again = l.book(inDirectory)
	if strings.Contains(l.finds(again, "", "567A"), "enemy") || again.Stats().Refusals[advert.WrongSignature] != 1 {
		t.Errorf("%+v", again.Stats())
	}
	if !slices.Contains(files(), "note.txt") || len(files()) != 2 {
		t.Errorf("files: %q", files())
	}
	// A signer that cannot be reached is no reason to throw it away.
	l.verifier.Close()
	l.pass(9 * 24 * time.Hour)
	l.book(inDirectory)
}

func TestBook_HostileDocuments(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	good := l.sign(l.signer("567A"), 1, says{"0-567A": "https://cps.example.net"})
	r := add(t, b, "nonsense", good, "a.b.c", strings.Repeat("a", advert.BytesMax+1))
	if r.Accepted != 1 || len(r.Refused) != 3 || r.Refused[0].Line != 1 || !errors.Is(r.Refused[2].Err, advert.TooLong) || r.Again() {
		t.Errorf("%+v", r)
	}
	if r := b.Add(t.Context(), []byte(strings.Repeat(good+"\n", advert.LinesMax+1))); len(r.Refused) != 1 || r.Refused[0].Line != 0 {
		t.Errorf("%+v", r)
	}
}

// BenchmarkBook is a look-up among 200,000 ranges that overlap, by several signers, and what they cost.
//
//	go test ./discovery/advert -run '^$' -bench BenchmarkBook
func BenchmarkBook(b *testing.B) {
	l := newLaboratory(b)
	book := l.book(func(cfg *advert.BookConfig) { cfg.SignerEntriesMax = 200_000 })
	signer := l.signer("", "10000000000-19999999999")
	for i := range 20 {
		members := says{}
		for j := range advert.EntriesMax {
			members[fmt.Sprintf("1-1%04d%06d-%d", i, 90*j, 100+j)] = "https://cps.example.net"
		}
		accepted(b, book, l.sign(signer, 1, members))
	}
	q := discovery.Question{Number: l.ranges("10005123456")[0].Start()}
	began := time.Now()
	book.Judge()
	judging := time.Since(began)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	for b.Loop() {
		if _, err := book.Find(b.Context(), q); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(memory.HeapAlloc)/float64(20*advert.EntriesMax), "B/member")
	b.ReportMetric(float64(judging.Milliseconds()), "ms-to-judge-all")
}
