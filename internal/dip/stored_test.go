package dip_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// TestRFC8816_S8_1_OnlyTheFullFormIsStored: the compact form says too little to be found, and judged, by itself.
func TestRFC8816_S8_1_OnlyTheFullFormIsStored(t *testing.T) {
	c := openCountry(t)
	full := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a")).Identity[0]
	header, err := identity.Parse(full)
	c.must(err)
	compact := header.Token[len(header.Token)-86:] // the signature
	transit := call("b")
	transit.Carried = []string{".." + compact + ";info=<" + header.Info + ">;alg=ES256", full}
	on, publisher := c.upstream.on(trunk.Publish), &counting{}
	on.Publisher = publisher
	if answer := c.upstream.Do(t.Context(), on, transit); answer.Result != dip.ResultPublished {
		t.Fatalf("%+v", answer)
	}
	if got := publisher.all[0].Passports; len(got) != 1 || got[0] != header.Token {
		t.Errorf("stored %q", got)
	}
	transit.ID, transit.Carried = "c", transit.Carried[:1]
	if answer := c.upstream.Do(t.Context(), on, transit); answer.FailOpen != dip.CauseUnreadable || publisher.count() != 1 {
		t.Errorf("%+v", answer)
	}
}

// TestRFC8816_S8_1_TheCallWaitsUntilItIsStored: there is no answer before there is one of the CPS.
func TestRFC8816_S8_1_TheCallWaitsUntilItIsStored(t *testing.T) {
	c := openCountry(t)
	carried := c.upstream.Do(t.Context(), c.upstream.on(trunk.Sign), call("a")).Identity
	synctest.Test(t, func(t *testing.T) {
		s, err := dip.New(dip.Config{SPC: "1234"})
		if err != nil {
			t.Fatal(err)
		}
		publisher := &counting{gate: make(chan struct{})}
		on := &dip.Trunk{
			Row:       &trunk.Row{Mode: trunk.Publish, Profile: oob.Mesh, Budget: 10 * time.Second, Numbering: trunk.Numbering{Plan: tn.NANP}},
			Publisher: publisher,
		}
		transit := call("a")
		transit.Carried = carried
		answered := make(chan dip.Answer, 1)
		go func() { answered <- s.Do(t.Context(), on, transit) }()
		time.Sleep(time.Second)
		select {
		case answer := <-answered:
			t.Fatalf("answered before it was stored: %+v", answer)
		default:
		}
		close(publisher.gate)
		if answer := <-answered; answer.Result != dip.ResultPublished {
			t.Errorf("%+v", answer)
		}
	})
}
