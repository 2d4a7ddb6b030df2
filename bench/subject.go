package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/logline"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust"
)

// providers is how many SPCs publish, and how many others retrieve.
const providers = 8

// unlimited is a rate that no slice reaches: what is measured is the work, not its refusal.
var unlimited = cps.Rate{PerSecond: 1e9, Burst: 1e9}

// startSubject starts a CPS with the configuration of `viaduct serve` but for the rates, with a log line and metrics for
// every request, and a certificate repository that it asks once for each provider.
func startSubject() (hello, io.Closer, error) {
	return startSubjectWith(httpapi.Config{Turnstile: turnstile.New(turnstile.Config{Target: patience, Burst: patience})})
}

// patience is how long a request may wait for its turn: here too, what is measured is the work.
const patience = time.Minute

// startStrained starts the subject as `viaduct serve` runs on one core, with its turnstile.
func startStrained() (hello, io.Closer, error) {
	return startSubjectWith(httpapi.Config{Turnstile: turnstile.New(turnstile.Config{})})
}

func startSubjectWith(door httpapi.Config) (hello, io.Closer, error) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		return hello{}, nil, err
	}
	repository, err := pki.StartRepository()
	if err != nil {
		return hello{}, nil, err
	}
	door.Log = slog.New(logline.New(io.Discard, slog.LevelInfo)) // as serve does
	door.Metrics = httpapi.NewMetrics(prometheus.NewRegistry())
	door.Crew = 64
	tables, _ := strconv.Atoi(os.Getenv(tablesVariable)) // empty: none
	subject, err := oobtest.StartCPS(pki, repository, oobtest.CPSConfig{
		Service: cps.Config{PublishRate: unlimited, RetrieveRate: unlimited},
		Door:    door,
		Trust:   trust.Config{Tables: tables},
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
	return provider{SPC: id.SPC, X5U: id.X5U, KeyPEM: key, ChainPEM: id.ChainPEM}, err
}
