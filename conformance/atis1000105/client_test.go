package atis1000105_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

// second is one more CPS of the same laboratory, on the same clock.
func (p *pair) second() *oobtest.CPS {
	p.Helper()
	cps, err := oobtest.StartCPS(p.PKI, p.Repository, oobtest.CPSConfig{Now: p.Clock.Now})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { cps.Close() })
	return cps
}

func (p *pair) host(handler http.HandlerFunc) string {
	p.Helper()
	host, err := p.PKI.StartHost(handler)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { host.Close() })
	return host.URL
}

// silentHost says nothing until release is called, and then nothing good.
func (p *pair) silentHost() (url string, release func()) {
	p.Helper()
	released := make(chan struct{})
	url = p.host(func(w http.ResponseWriter, _ *http.Request) {
		<-released
		w.WriteHeader(http.StatusBadRequest)
	})
	return url, func() { close(released) }
}

func TestATIS105_41_TransitPublishesOnward(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	onward := p.second()
	transit := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	passports := []string{p.Passport("1"), p.Passport("2")}
	p.Created(p.Publish(form, passports...))

	got, err := p.Client(transit).Retrieve(t.Context(), p.Key(form))
	if err != nil {
		t.Fatal(err)
	}
	next := p.Publication(got...)
	next.Key.SPC = transit.SPC
	if err := p.Client(transit, onward.URL).Publish(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	got, err = p.Client(p.Downstream, onward.URL).Retrieve(t.Context(), next.Key)
	if err != nil || !slices.Equal(got, passports) {
		t.Errorf("%d PASSporTs, %v", len(got), err)
	}
}

func TestATIS105_42_NothingFoundIsSigned(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	gateway := p.Client(p.Upstream)
	if _, err := gateway.Retrieve(t.Context(), p.Key(form)); !errors.Is(err, oob.NotFound) {
		t.Fatal(err)
	}
	service, err := stias.New(stias.Config{
		SPC: p.Upstream.SPC, Credential: stias.Credential{Key: p.Upstream.Key, X5U: p.Upstream.X5U}, Publisher: gateway, Now: p.Clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	placed, err := service.Place(t.Context(), stias.Call{Orig: p.Orig, Dest: []tn.Identity{p.Dest}, Gateway: true}, p.Key(form), time.Time{})
	if err != nil || placed.PublishErr != nil {
		t.Fatal(err, placed.PublishErr)
	}
	p.Holds(placed.Passport)
}

func TestATIS105_43_ClientPublishesToThePair(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	twin := p.second()
	silent, release := p.silentHost()
	if err := p.Client(p.Upstream, p.CPS.URL, silent).Publish(t.Context(), p.Publication(p.Passport("x"))); err != nil {
		t.Errorf("one of the two is silent: %v", err)
	}
	release()
	client := p.Client(p.Upstream, p.CPS.URL, twin.URL)
	if err := client.Publish(t.Context(), p.Publication(p.Passport("both"))); err != nil {
		t.Fatal(err)
	}
	client.Close() // waits for the one that came second
	for _, url := range []string{p.CPS.URL, twin.URL} {
		got, err := p.Client(p.Downstream, url).Retrieve(t.Context(), p.Key(form))
		if err != nil || !slices.Contains(got, p.Passport("both")) {
			t.Errorf("%d PASSporTs, %v", len(got), err)
		}
	}
}

func TestATIS105_44_ClientJoinsThePair(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	twin := p.second()
	one, two := p.Passport("1"), p.Passport("2")
	for url, token := range map[string]string{p.CPS.URL: one, twin.URL: two} {
		if err := p.Client(p.Upstream, url).Publish(t.Context(), p.Publication(token)); err != nil {
			t.Fatal(err)
		}
	}
	config := cpsclient.Config{
		SPC: p.Downstream.SPC, Key: p.Downstream.Key, X5U: p.Downstream.X5U, RootCAs: p.PKI.TLSRoots(), Now: p.Clock.Now,
		Timeout: 5 * time.Second, Budget: 10 * time.Second, Grace: 5 * time.Second,
		CPSs: []cpsclient.CPS{{URL: p.CPS.URL, Audience: oobtest.CPSAudience}, {URL: twin.URL, Audience: oobtest.CPSAudience}},
	}
	client, err := cpsclient.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	got, err := client.Retrieve(t.Context(), p.Key(form))
	if err != nil || len(got) != 2 || !slices.Contains(got, one) || !slices.Contains(got, two) {
		t.Errorf("%d PASSporTs, %v", len(got), err)
	}
}

func TestATIS105_45_ClientSetsExp(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	var payload struct{ IAT, Exp int64 }
	url := p.host(func(w http.ResponseWriter, r *http.Request) {
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(r.Header.Get("Authorization"), ".")[1])
		if err == nil {
			err = json.Unmarshal(text, &payload)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	client := p.Client(p.Upstream, url)
	publication := p.Publication(p.Passport("x"))
	publication.Expires = p.Clock.Now().Add(3 * time.Second)
	if err := client.Publish(t.Context(), publication); err != nil {
		t.Fatal(err)
	}
	if payload.IAT != p.Clock.Now().Unix() || payload.Exp != payload.IAT+3 {
		t.Errorf("%+v", payload)
	}
}

func TestATIS105_46_ClientFailsOpen(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	silent, release := p.silentHost()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	got, err := p.Client(p.Downstream, silent).Retrieve(ctx, p.Key(form))
	if !errors.Is(err, oob.PeerTimeout) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}
