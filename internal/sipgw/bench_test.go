package sipgw_test

import (
	"context"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/sipgw"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

// BenchmarkSignDip is what a sign dip costs between the transaction and the transaction, and what of that is the authentication
// service, which is nearly all signature.
func BenchmarkSignDip(b *testing.B) {
	lab := calltest.Start(b)
	own, err := tn.ParseRange(calltest.Caller.String())
	if err != nil {
		b.Fatal(err)
	}
	signer, err := stias.New(stias.Config{
		SPC: "1234", Credential: stias.Credential{Key: lab.Signer.Key, X5U: lab.Signer.X5U}, Policy: stias.Policy{Own: []tn.Range{own}}, Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	dips, err := dip.New(dip.Config{SPC: "1234", Signer: signer})
	if err != nil {
		b.Fatal(err)
	}
	table, err := trunk.New([]trunk.Row{row(trunk.Sign, nil), row(trunk.SignPublish, func(r *trunk.Row) { r.Match.Label = "again" })})
	if err != nil {
		b.Fatal(err)
	}
	dips.SetTrunks(dip.NewTrunks(table, func(*trunk.Row) dip.Trunk { return dip.Trunk{Publisher: everything{}} }))
	gateway, err := sipgw.New(sipgw.Config{Dips: dips})
	if err != nil {
		b.Fatal(err)
	}
	body := "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 10000 RTP/AVP 0 8\r\n"
	edit := []string{"Content-Type", "application/sdp", "Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS", "User-Agent", "a switch",
		"P-Asserted-Identity", "<sip:+12155550121@192.0.2.10;user=phone>", "body", body}
	request := read(b, invite(edit...))
	if r := gateway.Respond(b.Context(), request); r.Status != 302 || len(r.Fields) != 3 {
		b.Fatalf("%d %v", r.Status, r.Fields)
	}
	b.Run("respond", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			gateway.Respond(b.Context(), request)
		}
	})
	again := read(b, invite(append(edit, "uri", "sip:+12155550131@again.example;user=phone")...))
	b.Run("respond without signing", func(b *testing.B) { // a second dip of a call that was published
		b.ReportAllocs()
		for b.Loop() {
			gateway.Respond(b.Context(), again)
		}
	})
	call := stias.Call{Orig: calltest.Caller, Dest: []tn.Identity{calltest.Called}, Trunk: "sign"}
	b.Run("sign alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := signer.Sign(call); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// everything is a CPS that has it all already.
type everything struct{}

func (everything) Publish(context.Context, oob.Publication) error { return nil }
