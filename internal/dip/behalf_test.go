package dip_test

import (
	"context"
	"slices"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
)

// keyed notes under which keys is asked.
type keyed struct {
	oob.Retriever
	keys []oob.Key
}

func (k *keyed) Retrieve(_ context.Context, key oob.Key) ([]string, error) {
	k.keys = append(k.keys, key)
	return nil, oob.Faultf(oob.NotFound, "nothing there")
}

// TestRFC8816_S8_3_AGatewayActsInTheNameOfWhomItWorksFor: whose SPC is in the key is told by the trunk, and so is who signs.
func TestRFC8816_S8_3_AGatewayActsInTheNameOfWhomItWorksFor(t *testing.T) {
	c := openCountry(t)
	legacy, err := c.pki.Issue(oobtest.IssueConfig{SPC: "7777"})
	c.must(err)
	signer, err := stias.New(stias.Config{SPC: "7777", Credential: stias.Credential{Key: legacy.Key, X5U: legacy.X5U}})
	c.must(err)
	gateway, err := dip.New(dip.Config{SPC: oobtest.UpstreamSPC}) // signs nothing itself
	c.must(err)

	out, publisher := c.upstream.on(trunk.SignPublish), &counting{}
	out.Publisher, out.Signer, out.SPC = publisher, signer, "7777"
	signed := gateway.Do(t.Context(), out, call("a"))
	if signed.Result != dip.ResultPublished || signed.Signed.Identity.Info != legacy.X5U {
		t.Fatalf("%+v", signed)
	}
	if got := publisher.all[0].Key; got.SPC != "7777" {
		t.Errorf("published under %+v", got)
	}

	in, asked := c.upstream.on(trunk.Retrieve), &keyed{}
	in.Profile, in.PeerSPC, in.Retriever, in.SPC = oob.Company, "", asked, "7777"
	gateway.Do(t.Context(), in, call("b"))
	in.SPC = ""
	gateway.Do(t.Context(), in, call("c"))
	want := oob.Key{Profile: oob.Company, SPC: "7777", Dest: number(called), Orig: number(calling)}
	own := want
	own.SPC = oobtest.UpstreamSPC
	if !slices.Equal(asked.keys, []oob.Key{want, own}) {
		t.Errorf("asked under %+v", asked.keys)
	}
}
