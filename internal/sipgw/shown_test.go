package sipgw_test

import (
	"net/netip"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/sipgw"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// TestFind: the row, and the signs by which it was found. That a gateway finds the same is shown in signs_test.go, as both go
// the same way.
func TestFind(t *testing.T) {
	table, err := trunk.New([]trunk.Row{
		row(trunk.Sign, func(r *trunk.Row) { r.Name, r.Match.TGRP = "in", "tg-in" }),
		row(trunk.Sign, func(r *trunk.Row) { r.Name, r.Match.TGRP = "out", "tg-out" }),
		row(trunk.Sign, func(r *trunk.Row) { r.Name, r.Match.Label = "label", "l" }),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, uri, contact, row, group string }{
		{"to", "sip:1;tgrp=tg-out@h", "sip:h", "out", "tg-out"},
		{"to, before from", "sip:1;tgrp=tg-out@h", "sip:2;tgrp=tg-in@h", "out", "tg-out"},
		{"from", "sip:1;tgrp=other@h", "sip:2;tgrp=tg-in@h", "in", "tg-in"},
		{"from, before another row", "sip:1@l.h", "sip:2;tgrp=tg-in@h", "in", "tg-in"},
		{"neither", "sip:1@l.h", "sip:2;tgrp=other@h", "label", ""},
		{"none", "sip:1@h", "sip:2;tgrp=other@h", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := siptx.Read("INVITE " + c.uri + " SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:2@h>;tag=1\r\nTo: <sip:1@h>\r\n" +
				"Call-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <" + c.contact + ">\r\n\r\n")
			if err != nil {
				t.Fatal(err)
			}
			r.Source = netip.MustParseAddrPort("127.0.0.1:5060")
			found, by := sipgw.Find(table, r)
			if c.row == "" != (found == nil) || found != nil && found.Name != c.row || by.TGRP != c.group {
				t.Errorf("%+v by group %q, want %q by %q", found, by.TGRP, c.row, c.group)
			}
		})
	}
}
