package load_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/load"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// laboratory is a PKI with some providers, and their numbers.
type laboratory struct {
	pki        *oobtest.PKI
	repository *oobtest.Repository
	providers  []load.Provider
}

// block is how many numbers each provider has.
const block = 1_000_000

func firstNumber(provider int) string { return fmt.Sprint(999_100_000_000_000 + block*provider) }

func openLaboratory(t testing.TB, providers int) *laboratory {
	t.Helper()
	l := &laboratory{}
	var err error
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		t.Fatal(err)
	}
	if l.repository, err = l.pki.StartRepository(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.repository.Close() })
	for i := range providers {
		id, err := l.pki.Issue(oobtest.IssueConfig{SPC: fmt.Sprint(1000 + i)})
		if err != nil {
			t.Fatal(err)
		}
		first, err := tn.ParseNumber(firstNumber(i))
		if err != nil {
			t.Fatal(err)
		}
		certificate := id.TLS()
		l.providers = append(l.providers, load.Provider{
			SPC: id.SPC, Key: id.Key, X5U: id.X5U, Certificate: &certificate, Numbers: load.Block{First: first, Count: block},
		})
	}
	return l
}

// SPCs makes the laboratory the numbering of its CPS.
func (l *laboratory) SPCs(_ context.Context, number tn.Number) ([]string, error) {
	for i, p := range l.providers {
		if number.String() >= firstNumber(i) && number.String() < firstNumber(i+1) {
			return []string{p.SPC}, nil
		}
	}
	return nil, nil
}

// cps starts a CPS that refuses no rate.
func (l *laboratory) cps(t testing.TB) *oobtest.CPS {
	t.Helper()
	plenty := cps.Rate{PerSecond: 1e9, Burst: 1e9}
	s, err := oobtest.StartCPS(l.pki, l.repository, oobtest.CPSConfig{Service: cps.Config{
		PublishRate: plenty, RetrieveRate: plenty, OpenRate: plenty, Numbering: l,
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// host starts a server that is no CPS.
func (l *laboratory) host(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	host, err := l.pki.StartHost(handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = host.Close() })
	return host.URL
}

// config is a short load on a CPS.
func (l *laboratory) config(t testing.TB, mix string, urls ...string) load.Config {
	t.Helper()
	m, err := load.ParseMix(mix)
	if err != nil {
		t.Fatal(err)
	}
	return load.Config{
		URLs: urls, Audience: oobtest.CPSAudience, RootCAs: l.pki.TLSRoots(), Form: oob.Agreed, Providers: l.providers,
		Mix: m, Steps: []load.Step{{PerSecond: 100, For: 500 * time.Millisecond}}, Connections: 2, Ahead: 2 * time.Second, Stock: 50,
	}
}

func run(t testing.TB, c load.Config) *load.Report {
	t.Helper()
	l, err := load.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := l.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func operation(t testing.TB, s load.StepReport, op load.Operation) load.OperationReport {
	t.Helper()
	i := slices.IndexFunc(s.Operations, func(o load.OperationReport) bool { return o.Operation == op })
	if i < 0 {
		t.Fatalf("no %s among %v", op, s.Operations)
	}
	return s.Operations[i]
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }
