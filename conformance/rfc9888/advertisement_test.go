package rfc9888_test

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// TestRFC9888_S4_AnAdvertisementLeadsToTheCPS: who knows the called number alone finds its CPS in what that says of itself,
// submits there, and the provider of the number reads it.
func TestRFC9888_S4_AnAdvertisementLeadsToTheCPS(t *testing.T) {
	var advertiser *advert.Advertiser
	p := start(t, oobtest.CPSConfig{Door: httpapi.Config{
		Advertisements: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { advertiser.ServeHTTP(w, r) }),
	}})
	own, err := stircert.ResourceOfSPC(oobtest.DownstreamSPC)
	if err != nil {
		t.Fatal(err)
	}
	another, err := stircert.ResourceOfSPC(oobtest.UpstreamSPC)
	if err != nil {
		t.Fatal(err)
	}
	if advertiser, err = advert.NewAdvertiser(advert.AdvertiserConfig{
		Signer:  advert.Signer{Key: p.Downstream.Key, X5U: p.Downstream.X5U},
		Entries: []advert.Entry{{Resource: own, URL: p.CPS.URL}, {Resource: another, URL: p.CPS.URL}}, Now: p.Clock.Now,
	}); err != nil {
		t.Fatal(err)
	}
	checker, err := advert.NewChecker(advert.CheckerConfig{Verifier: p.CPS.Verifier, Now: p.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	book, err := advert.NewBook(t.Context(), advert.BookConfig{Checker: checker, Now: p.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	fetcher, err := advert.NewFetcher(advert.FetcherConfig{
		Book: book, URLs: []string{p.CPS.URL + advert.WellKnown},
		Laboratory: trust.Laboratory{Hosts: []string{"127.0.0.1"}, Roots: p.PKI.TLSRoots()},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { fetcher.Run(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	eventually(t, func() bool { s := fetcher.States()[0]; return s.Successes+int64(s.Failures) > 0 })
	if s := fetcher.States()[0]; s.LastReport.Accepted != 1 || s.LastReport.Members[advert.Uncovered] != 1 {
		t.Fatalf("%+v, want the provider's own resource alone", s)
	}
	resolver, err := discovery.New(discovery.Config{Places: []discovery.Place{{Source: book}}, Numbering: p.numbers})
	if err != nil {
		t.Fatal(err)
	}
	defer resolver.Close()
	called, _ := p.Dest.Number()
	calling, _ := p.Orig.Number()
	ask := func(side discovery.Side, n tn.Number) []string {
		return resolver.Resolve(t.Context(), discovery.Question{Side: side, Number: n}).CPSs
	}
	found := ask(discovery.Dest, called)
	if len(found) != 1 || len(ask(discovery.Orig, calling)) != 0 {
		t.Fatalf("found %q of the called, %q of the caller", found, ask(discovery.Orig, calling))
	}
	token := p.Passport("a")
	if err := p.Client(p.Upstream, found...).Publish(t.Context(), p.Publication(token)); err != nil {
		t.Fatal(err)
	}
	got, err := p.Client(p.Downstream, found...).Retrieve(t.Context(), p.Key(p.Form))
	if err != nil || !slices.Equal(got, []string{token}) {
		t.Errorf("%d, %v", len(got), err)
	}
}
