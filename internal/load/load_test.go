package load_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/load"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// Every form, each operation, over both versions of HTTP: against a real CPS all comes as it should.
func TestRun_EveryForm(t *testing.T) {
	l := openLaboratory(t, 3)
	cps := l.cps(t)
	for _, c := range []struct {
		name   string
		mix    string
		change func(*load.Config)
	}{
		{"agreed, whole calls", "call=1", func(*load.Config) {}},
		{"agreed, all operations, HTTP/1.1", "publish=1,retrieve=1,miss=1,call=1", func(c *load.Config) { c.HTTP1 = true }},
		{"mesh", "publish=1,retrieve=1,miss=1,call=1", func(c *load.Config) { c.Form = oob.Mesh }},
		{"rfc9888 with tokens", "publish=1,miss=1,call=1", func(c *load.Config) { c.Form = oob.RFC9888 }},
		{"rfc9888 over mutual TLS", "publish=1,retrieve=1,call=1", func(c *load.Config) { c.Form, c.Mutual = oob.RFC9888, true }},
		{"company", "publish=1,retrieve=1,call=1", func(c *load.Config) { c.Form, c.Mutual = oob.Company, true }},
		{"a popular number, calls that take a while, even arrivals", "call=1", func(c *load.Config) {
			c.Called, c.Trunk, c.Arrivals = 10, 10*time.Millisecond, load.Even
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := l.config(t, c.mix, cps.URL)
			c.change(&cfg)
			r := run(t, cfg)
			if len(r.Steps) != 1 {
				t.Fatalf("%+v", r)
			}
			busy := busyOnly(t, r.Warming) + busyOnly(t, r.Steps[0].Failures)
			for op, weight := range cfg.Mix.Weight {
				if o := operation(t, r.Steps[0], op); weight > 0 && (o.Good == 0 || o.Failed > 0 && busy == 0 || o.P50 <= 0 || o.Max < o.P99) {
					t.Errorf("%+v", o)
				}
			}
			if r.Prepared < int(r.Steps[0].Due) {
				t.Errorf("%d prepared of %d", r.Prepared, r.Steps[0].Due)
			}
			checkOutputs(t, r)
		})
	}
}

// busyOnly counts failures, which may be those of a machine that has other things to do.
func busyOnly(t *testing.T, failures map[string]int64) (n int64) {
	t.Helper()
	for kind, count := range failures {
		if n += count; kind != "503 overloaded" && kind != "429 rate-limited" {
			t.Errorf("%d %s", count, kind)
		}
	}
	return n
}

// checkOutputs reads what a report is written as.
func checkOutputs(t *testing.T, r *load.Report) {
	t.Helper()
	var text, picture bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteSVG(&picture)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"p99.9", "tardy", r.Form, r.HTTP} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	elements := map[string]int{}
	for decoder := xml.NewDecoder(&picture); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements[start.Name.Local]++
			for _, a := range start.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "%!") {
					t.Errorf("%s %s=%s", start.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if elements["svg"] != 1 || elements["title"] != 1 || elements["polyline"] == 0 {
		t.Errorf("the picture holds %v", elements)
	}
	compact, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back load.Report
	if err := json.Unmarshal(compact, &back); err != nil || len(back.Steps) != len(r.Steps) {
		t.Errorf("the JSON is not read back: %v", err)
	}
}

func TestRun_SeveralRates(t *testing.T) {
	l := openLaboratory(t, 2)
	cfg := l.config(t, "publish=1", l.cps(t).URL)
	cfg.Steps = []load.Step{{PerSecond: 50, For: 200 * time.Millisecond}, {PerSecond: 200, For: 200 * time.Millisecond}}
	cfg.Arrivals, cfg.Warmup = load.Even, 100*time.Millisecond
	r := run(t, cfg)
	if len(r.Steps) != 2 || r.Steps[0].Due != 10 || r.Steps[1].Due != 40 {
		t.Fatalf("%+v", r.Steps)
	}
	checkOutputs(t, r)
}

// One provider with ten times its share: the others send what they would send without it.
func TestRun_Greedy(t *testing.T) {
	l := openLaboratory(t, 4)
	cfg := l.config(t, "call=1", l.cps(t).URL)
	cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
	cfg.Providers[0].Share = 10
	r := run(t, cfg)
	if len(r.ByProvider) != 4 || r.Steps[0].Wanted != 325 {
		t.Fatalf("%+v", r)
	}
	if greedy, other := r.ByProvider[0].Good, r.ByProvider[1].Good; greedy < 4*other {
		t.Errorf("%d of the greedy one, %d of another", greedy, other)
	}
	checkOutputs(t, r)
}

// What cannot be measured is an error before anything is.
func TestRun_NothingToMeasure(t *testing.T) {
	l := openLaboratory(t, 2)
	cps := l.cps(t)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := stranger.Issue(oobtest.IssueConfig{SPC: "9999"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*load.Config)
		want   string
	}{
		{"nobody there", func(c *load.Config) { c.URLs = []string{"https://127.0.0.1:1"} }, "peer-failed"},
		{"not the roots of its TLS certificate", func(c *load.Config) { c.RootCAs = stranger.TLSRoots() }, "TLS certificate of the CPS is not trusted"},
		{"another audience", func(c *load.Config) { c.Audience = "cps.example" }, "cannot publish"},
		{"a key that is not that of the x5u", func(c *load.Config) { c.Providers[0].Key = foreign.Key }, "provider 1000 cannot "}, // publish, or retrieve what another has: whichever is tried first
		{"no CPS", func(c *load.Config) {
			c.URLs = []string{l.host(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })}
		}, "cannot publish"},
		{"a stock that would expire", func(c *load.Config) {
			c.Steps, c.AheadMax, c.Ahead = []load.Step{{PerSecond: 1e6, For: time.Hour}}, 10_000_000, 40*time.Second
		}, "the stock would expire before it is used"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := l.config(t, "call=1", cps.URL)
			cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
			c.change(&cfg)
			loaded, err := load.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer loaded.Close()
			if r, err := loaded.Run(t.Context()); err == nil || r != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestNew_WrongConfigurations(t *testing.T) {
	l := openLaboratory(t, 2)
	good := func() load.Config { return l.config(t, "call=1", "https://cps.example") }
	for _, c := range []struct {
		name   string
		change func(*load.Config)
		want   string
	}{
		{"no URL", func(c *load.Config) { c.URLs = nil }, "URL of a CPS is needed"},
		{"http", func(c *load.Config) { c.URLs = []string{"http://cps.example"} }, "does not begin with https"},
		{"rate 0", func(c *load.Config) { c.Steps[0].PerSecond = 0 }, "must be above 0"},
		{"a huge rate", func(c *load.Config) { c.Steps[0].PerSecond = 1e7 }, "at most 1000000"},
		{"a short step", func(c *load.Config) { c.Steps[0].For = time.Millisecond }, "100ms to 24h"},
		{"no step", func(c *load.Config) { c.Steps = nil }, "steps"},
		{"no provider", func(c *load.Config) { c.Providers = nil }, "providers"},
		{"a provider twice", func(c *load.Config) { c.Providers = append(c.Providers, c.Providers[0]) }, "there twice"},
		{"no key", func(c *load.Config) { c.Providers[1].Key = nil }, "provider 1001 has no key"},
		{"no certificate to show", func(c *load.Config) { c.Form, c.Mutual, c.Providers[1].Certificate = oob.RFC9888, true, nil }, "no certificate"},
		{"certificates in the agreed form", func(c *load.Config) { c.Mutual = true }, "for the forms rfc9888 and company"},
		{"no form", func(c *load.Config) { c.Form = 0 }, "a form is needed"},
		{"a share below 0", func(c *load.Config) { c.Providers[0].Share = -1 }, "share"},
		{"a mixture of nothing", func(c *load.Config) { c.Mix = load.Mix{} }, "nothing"},
		{"ahead of tokens", func(c *load.Config) { c.Ahead = time.Minute }, "ahead"},
		{"a stock for nobody", func(c *load.Config) { c.Stock = 1 }, "two records for each provider"},
		{"numbers too long", func(c *load.Config) { c.Providers[0].Numbers.Count = 1e15 }, "block of provider 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := good()
			cfg.Providers = append([]load.Provider(nil), cfg.Providers...)
			cfg.Steps = append([]load.Step(nil), cfg.Steps...)
			c.change(&cfg)
			if loaded, err := load.New(cfg); err == nil || loaded != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	if loaded, err := load.New(good()); err != nil {
		t.Error(err)
	} else {
		loaded.Close()
	}
}

// Who interrupts a run gets what there is, marked as such.
func TestRun_Interrupted(t *testing.T) {
	l := openLaboratory(t, 2)
	cfg := l.config(t, "publish=1", l.cps(t).URL)
	cfg.Steps[0].For = time.Hour
	loaded, err := load.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	r, err := loaded.Run(ctx)
	if err != nil || !r.Interrupted || r.OK() {
		t.Fatalf("%+v %v", r, err)
	}
}

// Who interrupts a run while its requests are being signed is told how many were: none is put in behind the report's back.
func TestRun_InterruptedWhileTheStockIsFilled(t *testing.T) {
	l := openLaboratory(t, 2)
	cfg := l.config(t, "publish=1", "https://cps.example")
	cfg.Steps[0].PerSecond = 1000
	loaded, err := load.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	for range 100 {
		told, inAll, err := load.Interrupted(loaded)
		if err != nil || told != inAll {
			t.Fatalf("%d were told, there were %d; %v", told, inAll, err)
		}
	}
}

func TestFind(t *testing.T) {
	l := openLaboratory(t, 2)
	real := l.cps(t)
	cfg := l.config(t, "publish=1", real.URL)
	cfg.Steps = []load.Step{{PerSecond: 20, For: 200 * time.Millisecond}}
	loaded, err := load.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	if _, err := loaded.Find(t.Context(), 0); err == nil {
		t.Error("a bound of 0s was taken")
	}
	var r *load.Report
	for began := time.Now(); ; { // again where the machine was too busy for the generator, which ends a search
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		r, err = loaded.Find(ctx, 20*time.Second) // which every rate keeps: it goes up
		cancel()
		if err == nil && r.Found != nil && len(r.Steps) >= 3 && r.Found.Rate >= 40 {
			break
		}
		if err != nil || r.Found == nil || time.Since(began) > time.Minute {
			t.Fatalf("%+v %v", r, err)
		}
	}
	checkOutputs(t, r)
}
