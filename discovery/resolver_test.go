package discovery_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// server is a source that answers as it is told, and is also a numbering: what stands behind both is a network.
type server struct {
	name string

	mu      sync.Mutex
	took    time.Duration // before it answers; guarded by mu
	finding discovery.Finding
	err     error
	spcs    []string
	asked   []discovery.Question
}

func (s *server) Name() string { return s.name }

func (s *server) wait(ctx context.Context, q discovery.Question) (discovery.Finding, []string, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q)
	took, finding, spcs, err := s.took, s.finding, s.spcs, s.err
	s.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
		return discovery.Finding{}, nil, ctx.Err()
	}
	if err != nil {
		return discovery.Finding{}, nil, err
	}
	return finding, spcs, nil
}

func (s *server) Find(ctx context.Context, q discovery.Question) (discovery.Finding, error) {
	finding, _, err := s.wait(ctx, q)
	return finding, err
}

func (s *server) SPCs(ctx context.Context, n tn.Number) ([]string, error) {
	_, spcs, err := s.wait(ctx, discovery.Question{Number: n})
	return spcs, err
}

func (s *server) set(edit func(*server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s)
}

func (s *server) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func has(url string) discovery.Finding { return discovery.Finding{URLs: []string{url}} }

func newResolver(t testing.TB, cfg discovery.Config) *discovery.Resolver {
	t.Helper()
	r, err := discovery.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func slowly(s discovery.Source, edit func(*discovery.Pace)) discovery.Place {
	pace := &discovery.Pace{}
	if edit != nil {
		edit(pace)
	}
	return discovery.Place{Source: s, Pace: pace}
}

func outcomes(a discovery.Answer) string {
	var all []string
	for _, reason := range a.Reasons {
		all = append(all, reason.Source+" "+string(reason.Outcome))
	}
	return strings.Join(all, ", ")
}

func wants(t *testing.T, a discovery.Answer, url, chain string) {
	t.Helper()
	if got := strings.Join(a.CPSs, ","); got != url || outcomes(a) != chain {
		t.Errorf("%q by %q, want %q by %q", got, outcomes(a), url, chain)
	}
}

var asked = discovery.Question{SPC: "567A"}

func TestResolver_FirstThatKnowsDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &server{name: "table", err: discovery.Nothing("no row")}
		net := &server{name: "net", finding: has("https://net.example/")}
		last := &server{name: "last", finding: has("https://last.example")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{{Source: table}, slowly(net, nil), {Source: last}}})
		wants(t, r.Resolve(t.Context(), asked), "https://net.example", "table nothing, net found")
		table.set(func(s *server) { s.err, s.finding = nil, has("https://table.example") })
		wants(t, r.Resolve(t.Context(), asked), "https://table.example", "table found")
		table.set(func(s *server) { s.err, s.finding.Expires = nil, time.Now() })
		wants(t, r.Resolve(t.Context(), asked), "https://net.example", "table expired, net found")
		explained := r.Explain(t.Context(), asked)
		wants(t, explained, "https://net.example", "table expired, net found, last found")
		if explained.Source != "net" || !strings.Contains(explained.Reasons[1].Detail, "https://net.example") {
			t.Errorf("%+v", explained)
		}
	})
}

func TestResolver_NothingIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &server{name: "net", err: discovery.Nothing("no record")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, func(p *discovery.Pace) { p.Negative = time.Minute })}})
		for range 3 {
			a := r.Resolve(t.Context(), asked)
			if wants(t, a, "", "net nothing"); !a.Negative || a.Reasons[0].Detail != "no record" {
				t.Errorf("%+v", a)
			}
		}
		if net.count() != 1 {
			t.Errorf("asked %d times for what it does not have", net.count())
		}
		time.Sleep(time.Minute)
		net.set(func(s *server) { s.err = errors.New("broken") })
		if a := r.Resolve(t.Context(), asked); a.Negative || outcomes(a) != "net failed" {
			t.Errorf("%+v", a)
		}
		if none := newResolver(t, discovery.Config{}).Resolve(t.Context(), asked); none.CPSs != nil {
			t.Errorf("%+v", none)
		}
	})
}

func TestResolver_StaleWhileAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &server{name: "net", finding: has("https://old.example")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, func(p *discovery.Pace) { p.Fresh, p.Stale = time.Minute, time.Hour })}})
		wants(t, r.Resolve(t.Context(), asked), "https://old.example", "net found")
		time.Sleep(59 * time.Second)
		if a := r.Resolve(t.Context(), asked); a.Age != 59*time.Second || a.Stale {
			t.Errorf("%+v", a)
		}
		time.Sleep(2 * time.Second)
		net.set(func(s *server) { s.finding, s.took = has("https://new.example"), time.Second })
		began := time.Now()
		if a := r.Resolve(t.Context(), asked); !a.Stale || a.CPSs[0] != "https://old.example" || time.Since(began) > 0 {
			t.Errorf("%+v after %s", a, time.Since(began))
		}
		time.Sleep(2 * time.Second)
		wants(t, r.Resolve(t.Context(), asked), "https://new.example", "net found")
		// A source that is dead: what is held serves on for as long as it may, and no longer.
		net.set(func(s *server) { s.err, s.took = errors.New("dead"), 0 })
		time.Sleep(61 * time.Minute)
		wants(t, r.Resolve(t.Context(), asked), "", "net background")
		synctest.Wait()
		wants(t, r.Resolve(t.Context(), asked), "", "net failed")
	})
}

func TestResolver_WhatExpiresIsNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finding := has("https://a.example")
		finding.Expires = time.Now().Add(10 * time.Second)
		net := &server{name: "net", finding: finding}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, nil)}})
		wants(t, r.Resolve(t.Context(), asked), "https://a.example", "net found")
		time.Sleep(10 * time.Second)
		net.set(func(s *server) { s.err = errors.New("dead") })
		wants(t, r.Resolve(t.Context(), asked), "", "net failed")
	})
}

// TestResolver_HangingSourceCostsItsShareOnce: then it is asked in the background alone, until it answers in time.
func TestResolver_HangingSourceCostsItsShareOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &server{name: "net", took: time.Hour}
		last := &server{name: "last", finding: has("https://last.example")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{
			slowly(net, func(p *discovery.Pace) { p.Share, p.Patience = 100*time.Millisecond, 5*time.Second }), {Source: last},
		}})
		began := time.Now()
		for i := range 50 {
			a := r.Resolve(t.Context(), discovery.Question{SPC: fmt.Sprint(i % 10)})
			if i > 0 {
				wants(t, a, "https://last.example", "net background, last found")
			}
		}
		if took := time.Since(began); took != 100*time.Millisecond {
			t.Errorf("it cost %s", took)
		}
		if synctest.Wait(); net.count() != 10 {
			t.Errorf("asked %d times", net.count())
		}
		net.set(func(s *server) { s.took, s.finding = 0, has("https://net.example") })
		time.Sleep(10 * time.Second) // the questions are given up
		wants(t, r.Resolve(t.Context(), discovery.Question{SPC: "new"}), "https://last.example", "net background, last found")
		synctest.Wait()
		wants(t, r.Resolve(t.Context(), discovery.Question{SPC: "new"}), "https://net.example", "net found")
		wants(t, r.Resolve(t.Context(), discovery.Question{SPC: "newer"}), "https://net.example", "net found")
	})
}

func TestResolver_CallerThatLeavesWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &server{name: "net", took: 50 * time.Millisecond, finding: has("https://net.example")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, nil)}})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		began := time.Now()
		a := r.Resolve(ctx, asked)
		if outcomes(a) != "net too-slow" || time.Since(began) != 10*time.Millisecond {
			t.Errorf("%s after %s", outcomes(a), time.Since(began))
		}
		time.Sleep(time.Second) // what it asked for goes on, and is there for the next
		wants(t, r.Resolve(t.Context(), asked), "https://net.example", "net found")
		if net.count() != 1 {
			t.Errorf("asked %d times", net.count())
		}
	})
}

func TestResolver_FloodAsksOnceAndIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := &server{name: "net", took: 50 * time.Millisecond, finding: has("https://net.example")}
		r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, func(p *discovery.Pace) { p.AskingMax, p.AnswersMax = 8, 100 })}})
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() { wants(t, r.Resolve(t.Context(), asked), "https://net.example", "net found") })
		}
		waiting.Wait()
		if net.count() != 1 {
			t.Errorf("asked %d times at once", net.count())
		}
		busy := 0
		var mu sync.Mutex
		for i := range 1000 {
			waiting.Go(func() {
				a := r.Resolve(t.Context(), discovery.Question{SPC: fmt.Sprint(i)})
				mu.Lock()
				defer mu.Unlock()
				if outcomes(a) == "net busy" {
					busy++
				}
			})
		}
		waiting.Wait()
		if busy != 992 {
			t.Errorf("%d of 1000 were busy, with 8 at a time", busy)
		}
		net.set(func(s *server) { s.took = 0 })
		for i := range 1000 {
			r.Resolve(t.Context(), discovery.Question{SPC: fmt.Sprint(i)})
		}
		if counts := r.Stats()["net"]; counts.Answers > 100 {
			t.Errorf("%+v", counts)
		}
	})
}

func TestResolver_WhatANetworkSaysIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			urls []string
			want string
		}{
			{"http", []string{"http://a.example"}, ""},
			{"one of two", []string{"https://u@a.example", "https://B.example/"}, "https://b.example"},
			{"twice", []string{"https://b.example", "https://b.example/"}, "https://b.example"},
			{"none", nil, ""},
		} {
			net := &server{name: "net", finding: discovery.Finding{URLs: c.urls}}
			r := newResolver(t, discovery.Config{Places: []discovery.Place{slowly(net, nil)}})
			if got := strings.Join(r.Resolve(t.Context(), asked).CPSs, ","); got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
		}
	})
}

func TestResolver_ProviderOfANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, err := discovery.ParseTable(strings.NewReader("0-567A,https://provider.example\n"))
		if err != nil {
			t.Fatal(err)
		}
		numbering := &server{spcs: []string{"1234", "567A"}}
		r := newResolver(t, discovery.Config{
			Places: []discovery.Place{{Source: tableSource{table}}}, Numbering: numbering, Numbers: discovery.Pace{Share: 100 * time.Millisecond},
		})
		q := discovery.Question{Number: number(t, "19035550123")}
		a := r.Resolve(t.Context(), q)
		if wants(t, a, "https://provider.example", "numbering found, table found"); a.Resource.String() != "0-567A" {
			t.Errorf("for %s", a.Resource)
		}
		q.SPC = "567A" // who knows need not ask
		wants(t, r.Resolve(t.Context(), q), "https://provider.example", "table found")
		q = discovery.Question{Number: number(t, "19035550124")}
		numbering.set(func(s *server) { s.took = time.Hour })
		began := time.Now()
		if a = r.Resolve(t.Context(), q); a.Negative || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%+v after %s", a, time.Since(began))
		}
		wants(t, a, "", "numbering too-slow, table nothing")
		wants(t, r.Resolve(t.Context(), q), "", "numbering background, table nothing")
		numbering.set(func(s *server) { s.took, s.err = 0, oob.Faultf(oob.NotFound, "unknown") })
		explained := r.Explain(t.Context(), q)
		if wants(t, explained, "", "numbering nothing, table nothing"); !explained.Negative {
			t.Errorf("%+v", explained)
		}
	})
}

// tableSource is a table without a file.
type tableSource struct{ *discovery.Table }

func (t tableSource) Name() string { return "table" }
func (t tableSource) Find(_ context.Context, q discovery.Question) (discovery.Finding, error) {
	urls, resource := t.Table.Find(q.Number, q.SPC)
	if urls == nil {
		return discovery.Finding{}, errNoRow
	}
	return discovery.Finding{URLs: urls, Resource: resource}, nil
}

var errNoRow = discovery.Nothing("no row")

func TestNew_RefusesSourcesOfOneName(t *testing.T) {
	for _, names := range [][]string{{"a", "a"}, {""}, {discovery.NumberingName}} {
		var places []discovery.Place
		for _, name := range names {
			places = append(places, discovery.Place{Source: &server{name: name}})
		}
		if _, err := discovery.New(discovery.Config{Places: places}); err == nil {
			t.Errorf("%q", names)
		}
	}
}

func TestCertificate_SpeaksForItsCaller(t *testing.T) {
	form := stircert.CPSForm{OID: asn1.ObjectIdentifier{2, 999, 1}}
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(list stircert.TNAuthList, uris ...string) *stircert.Certificate {
		id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234", TNAuthList: list, Modify: func(cert *x509.Certificate) {
			if len(uris) == 0 {
				return
			}
			ext, err := form.Extension(uris)
			if err != nil {
				t.Fatal(err)
			}
			cert.ExtraExtensions = append(cert.ExtraExtensions, ext)
		}})
		if err != nil {
			t.Fatal(err)
		}
		return id.Certificate
	}
	block, err := tn.ParseRange("12155550100-12155550199")
	if err != nil {
		t.Fatal(err)
	}
	delegate := issue(stircert.TNAuthList{Ranges: []tn.Range{block}}, "https://a.example/", "https://b.example/?c=d")
	provider := issue(stircert.TNAuthList{}, "https://p.example")
	in, out := number(t, "12155550150"), number(t, "12155550200")
	for _, c := range []struct {
		name   string
		strict bool
		q      discovery.Question
		want   string
	}{
		{"the caller's number", false, discovery.Question{Side: discovery.Orig, Number: in, Certificate: delegate}, "https://a.example"},
		{"one bad URI spoils all", true, discovery.Question{Side: discovery.Orig, Number: in, Certificate: delegate}, ""},
		{"another number", false, discovery.Question{Side: discovery.Orig, Number: out, Certificate: delegate}, ""},
		{"the called side", false, discovery.Question{Side: discovery.Dest, Number: in, Certificate: delegate}, ""},
		{"a provider", false, discovery.Question{Side: discovery.Orig, Number: out, Certificate: provider}, "https://p.example"},
		{"a provider that holds it", false, discovery.Question{Side: discovery.Orig, Number: out, SPC: "1234", Certificate: provider}, "https://p.example"},
		{"a provider that does not", false, discovery.Question{Side: discovery.Orig, Number: out, SPC: "567A", Certificate: provider}, ""},
		{"no extension", false, discovery.Question{Side: discovery.Orig, Number: out, Certificate: issue(stircert.TNAuthList{})}, ""},
		{"no certificate", false, discovery.Question{Side: discovery.Orig, Number: in}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			form.Strict = c.strict
			source, err := discovery.NewCertificate(form)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // read, and remembered
				found, err := source.Find(t.Context(), c.q)
				if got := strings.Join(found.URLs, ","); got != c.want || (err == nil) != (c.want != "") {
					t.Errorf("%q, %v, want %q", got, err, c.want)
				}
			}
		})
	}
	if _, err := discovery.NewCertificate(stircert.CPSForm{}); err == nil {
		t.Error("a form without an object identifier was taken")
	}
}

func TestOutcomes_AreDifferent(t *testing.T) {
	all := discovery.Outcomes()
	slices.Sort(all)
	if len(slices.Compact(all)) != len(discovery.Outcomes()) {
		t.Error("two outcomes have one name")
	}
}

// BenchmarkResolve is the figure of a warm look-up: numbering and network answer from memory, after a file with nothing.
//
//	go test ./discovery -run '^$' -bench BenchmarkResolve
func BenchmarkResolve(b *testing.B) {
	table, err := discovery.ParseTable(strings.NewReader(tableText))
	if err != nil {
		b.Fatal(err)
	}
	net := &server{name: "net", finding: has("https://net.example")}
	r := newResolver(b, discovery.Config{
		Places:    []discovery.Place{{Source: tableSource{table}}, slowly(net, nil)},
		Numbering: &server{spcs: []string{"1234"}},
	})
	q := discovery.Question{Number: number(b, "12155550150")}
	r.Resolve(b.Context(), q)
	b.ReportAllocs()
	for b.Loop() {
		if a := r.Resolve(b.Context(), q); len(a.CPSs) == 0 {
			b.Fatalf("%+v", a)
		}
	}
}
