package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// providers is how many SPCs publish, and how many others retrieve.
const providers = 8

// unlimited is a rate that no slice reaches: what is measured is the work, not its refusal.
var unlimited = cps.Rate{PerSecond: 1e9, Burst: 1e9}

// startSubject starts a CPS with the configuration of `viaduct serve` but for the rates, with a log line and metrics for
// every request, and a certificate repository that it asks once for each provider.
func startSubject() (hello, io.Closer, error) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		return hello{}, nil, err
	}
	repository, err := pki.StartRepository()
	if err != nil {
		return hello{}, nil, err
	}
	subject, err := oobtest.StartCPS(pki, repository, oobtest.CPSConfig{
		Service: cps.Config{PublishRate: unlimited, RetrieveRate: unlimited},
		Door: httpapi.Config{
			Log:     slog.New(slog.NewJSONHandler(io.Discard, nil)),
			Metrics: httpapi.NewMetrics(prometheus.NewRegistry()),
			Crew:    64,
		},
	})
	if err != nil {
		return hello{}, nil, err
	}
	greeting := hello{URL: subject.URL, TLSRootPEM: pki.TLSRootPEM()}
	for i := range 2 * providers {
		p, err := issue(pki, i)
		if err != nil {
			return hello{}, nil, err
		}
		greeting.Providers = append(greeting.Providers, p)
	}
	return greeting, subject, nil
}

func issue(pki *oobtest.PKI, i int) (provider, error) {
	id, err := pki.Issue(oobtest.IssueConfig{SPC: fmt.Sprintf("%04d", 1000+i)})
	if err != nil {
		return provider{}, err
	}
	key, err := id.KeyPEM()
	return provider{SPC: id.SPC, X5U: id.X5U, KeyPEM: key}, err
}
