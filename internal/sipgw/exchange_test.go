package sipgw_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
)

// A user agent that others have written asks over UDP and TCP, and is given what it can use: from the INVITE to the ACK, at both ends
// of a TDM trunk.
func TestACallAcrossATrunkWithSipgoAsTheSwitch(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			b := open(t,
				row(trunk.SignPublish, func(r *trunk.Row) { r.Match.OTG = "out" }),
				row(trunk.Verify, func(r *trunk.Row) { r.Match.OTG, r.CPS, r.Profile = "in", []string{"laboratory"}, oob.Mesh }),
			)
			at := map[string]netip.AddrPort{"udp": b.udp, "tcp": b.tcp}[transport]
			ua, err := sipgo.NewUA(sipgo.WithUserAgent("switch"))
			b.must(err)
			defer ua.Close()
			client, err := sipgo.NewClient(ua, sipgo.WithClientHostname("127.0.0.1"), sipgo.WithClientLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
			b.must(err)
			ask := func(trunk string) *sip.Response {
				var uri sip.Uri
				b.must(sip.ParseUri(fmt.Sprintf("sip:+12155550131@%s;user=phone;otg=%s", at, trunk), &uri))
				request := sip.NewRequest(sip.INVITE, uri)
				request.SetTransport(strings.ToUpper(transport))
				request.AppendHeader(sip.NewHeader("P-Asserted-Identity", "<sip:+12155550121@127.0.0.1;user=phone>"))
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				response, err := client.Do(ctx, request)
				b.must(err)
				return response
			}

			out := ask("out")
			if out.StatusCode != 302 || len(out.GetHeaders("Identity")) != 1 || out.Contact() == nil || out.Contact().Address.User != "+12155550131" {
				t.Fatalf("%s", out)
			}
			b.believed(out.GetHeader("Identity").Value())

			in := ask("in") // without Identity: nothing has crossed the trunk but the call
			if got := in.GetHeader("P-Asserted-Identity"); in.StatusCode != 302 || got == nil || got.Value() != "<sip:+12155550121;"+passed+"@127.0.0.1;user=phone>" {
				t.Fatalf("%s", in)
			}
		})
	}
}
