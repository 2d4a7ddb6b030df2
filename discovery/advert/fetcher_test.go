package advert_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/trust"
)

// fetched runs a fetcher of one source until it has looked so often, and gives how the source stands.
func (l *laboratory) fetched(b *advert.Book, url string, exempt trust.Laboratory, looks int) advert.SourceState {
	l.t.Helper()
	f, err := advert.NewFetcher(advert.FetcherConfig{Book: b, URLs: []string{url}, Laboratory: exempt, Refresh: time.Millisecond, Timeout: 5 * time.Second})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(l.t.Context())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	defer running.Wait()
	defer cancel()
	for {
		s := f.States()[0]
		if int(s.Successes)+s.Failures >= looks {
			return s
		}
		select {
		case <-time.After(time.Millisecond):
		case <-l.t.Context().Done():
			l.t.Fatal("the fetcher does not look")
		}
	}
}

func TestFetcher_ReadsWhatAnAdvertiserServes(t *testing.T) {
	l := newLaboratory(t)
	b := l.book(nil)
	advertiser, err := advert.NewAdvertiser(advert.AdvertiserConfig{
		Signer: l.signer("567A"), Entries: l.advertisement(0, says{"0-567A": "https://cps.example.net"}).Entries, Now: l.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle(advert.WellKnown, advertiser)
	url := l.host(mux) + advert.WellKnown
	if s := l.fetched(b, url, l.trust, 3); s.Unchanged < 2 || s.LastReport.Accepted != 1 || s.LastError != "" {
		t.Errorf("%+v", s)
	}
	l.pass(13 * time.Hour) // half of its life is over
	if s := l.fetched(b, url, l.trust, 1); s.LastReport.Accepted != 1 {
		t.Errorf("signed anew, and not accepted: %+v", s)
	}
	l.pass(13 * time.Hour)
	if got := l.finds(b, "", "567A"); got != "https://cps.example.net 0-567A" {
		t.Errorf("%q", got)
	}
}

func TestFetcher_HostileSources(t *testing.T) {
	l := newLaboratory(t)
	good := l.sign(l.signer("567A"), 1, says{"0-567A": "https://cps.example.net"})
	elsewhere := l.host(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(good)) }))
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"good", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(good)) }, ""},
		{"empty", func(http.ResponseWriter, *http.Request) {}, ""},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, http.StatusFound) }, "status 302"},
		{"not there", http.NotFound, "status 404"},
		{"304 that nobody asked for", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "status 304"},
		{"too long", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(strings.Repeat("\n", advert.DocumentBytesMax+1)))
		}, "more than"},
		{"breaks off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte(good[:10]))
		}, "EOF"},
		{"nonsense", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }, advert.Malformed.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := l.fetched(l.book(nil), l.host(c.answer), l.trust, 1)
			if (s.LastError == "") != (c.want == "") || !strings.Contains(s.LastError, c.want) {
				t.Errorf("%q, want %q", s.LastError, c.want)
			}
		})
	}
	t.Run("private address", func(t *testing.T) {
		s := l.fetched(l.book(nil), "https://localhost:8443/", trust.Laboratory{}, 1)
		if !strings.Contains(s.LastError, trust.ErrAddress.Error()) {
			t.Errorf("%q", s.LastError)
		}
	})
}

func TestNewFetcher_Refused(t *testing.T) {
	b := newLaboratory(t).book(nil)
	for name, urls := range map[string][]string{
		"http": {"http://a.example"}, "port": {"https://a.example:1"}, "twice": {"https://a.example", "https://a.example"},
		"user": {"https://u@a.example"}, "many": make([]string, advert.SourcesMax+1),
	} {
		if _, err := advert.NewFetcher(advert.FetcherConfig{Book: b, URLs: urls}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := advert.NewFetcher(advert.FetcherConfig{}); err == nil {
		t.Error("a fetcher without a book")
	}
}

func TestAdvertiser_SeqGrows(t *testing.T) {
	l := newLaboratory(t)
	cfg := advert.AdvertiserConfig{Signer: l.signer("567A"), Entries: l.advertisement(0, says{"0-567A": "https://a.example"}).Entries, Now: l.clock}
	var last uint64
	seq := func(a *advert.Advertiser) {
		t.Helper()
		body, _, _, err := a.Document()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := advert.Parse(strings.TrimSpace(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		if signed.Seq <= last {
			t.Errorf("seq %d after %d", signed.Seq, last)
		}
		last = signed.Seq
	}
	a, err := advert.NewAdvertiser(cfg)
	if err != nil {
		t.Fatal(err)
	}
	seq(a)
	if err := a.Change(cfg.Signer, l.advertisement(0, says{"0-567A": "https://b.example"}).Entries); err != nil {
		t.Fatal(err)
	}
	seq(a) // in the same millisecond
	if a.Change(cfg.Signer, nil) == nil {
		t.Error("nothing is advertised")
	}
	l.pass(13 * time.Hour)
	seq(a)
	l.pass(2 * time.Millisecond)
	if a, err = advert.NewAdvertiser(cfg); err != nil { // after a restart
		t.Fatal(err)
	}
	seq(a)
}

func TestAdvertiser_ServesConditionally(t *testing.T) {
	l := newLaboratory(t)
	a, err := advert.NewAdvertiser(advert.AdvertiserConfig{Signer: l.signer("567A"), Entries: l.advertisement(0, says{"0-567A": "https://a.example"}).Entries, Now: l.clock})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, advert.WellKnown, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w
	}
	first := ask("GET", "")
	tag := first.Header().Get("ETag")
	if first.Code != 200 || first.Body.Len() == 0 || first.Header().Get("Content-Type") != advert.MediaType || tag == "" || first.Header().Get("Cache-Control") != "max-age=3600" {
		t.Errorf("%d %v", first.Code, first.Header())
	}
	for _, c := range []struct {
		method, tag string
		status      int
		body        bool
	}{
		{"GET", tag, 304, false}, {"GET", `"a", W/` + tag, 304, false}, {"GET", "*", 304, false}, {"GET", `"a"`, 200, true},
		{"HEAD", "", 200, false}, {"POST", "", 405, false},
	} {
		if w := ask(c.method, c.tag); w.Code != c.status || (w.Body.Len() > 0) != c.body {
			t.Errorf("%s %s: %d", c.method, c.tag, w.Code)
		}
	}
}
