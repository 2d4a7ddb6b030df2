package sipgw_test

import (
	"crypto/x509"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// Each sign by which switches name a trunk leads to its row: what is asked for is told by the status that the row answers with.
func TestWhichTrunkARequestNames(t *testing.T) {
	const found, other = 503, 404
	is := func(edit func(*trunk.Match)) trunk.Row {
		return row(trunk.Off, func(r *trunk.Row) { r.Name, r.Nothing = "named", found; edit(&r.Match) })
	}
	otg := is(func(m *trunk.Match) { m.OTG = "tg-1" })
	group := is(func(m *trunk.Match) { m.TGRP, m.TrunkContext = "tg-1", "example.com" })
	label := is(func(m *trunk.Match) { m.Label = "tdm-out" })
	header := is(func(m *trunk.Match) { m.Header, m.HeaderValue = "X-Trunk", "1" })
	client := is(func(m *trunk.Match) { m.Client = "sbc.example" })
	for _, c := range []struct {
		name string
		row  trunk.Row
		edit []string
		want int
	}{
		{"RFC 4904 §5: tgrp in Contact", group, []string{"Contact", "<sip:+1215;tgrp=tg-1;trunk-context=example.com@127.0.0.1>"}, found},
		{"RFC 4904 §5: tgrp in Request-URI", group, []string{"uri", "sip:+12155550131;tgrp=TG-1;trunk-context=Example.com@oob.example"}, found},
		{"tgrp in a tel URI", group, []string{"uri", "tel:+12155550131;tgrp=tg-1;trunk-context=example.com"}, found},
		{"tgrp, percent-encoded", group, []string{"Contact", "<sip:+1215;t%67rp=tg%2D1;trunk-context=example.com@127.0.0.1>"}, found},
		{"tgrp of another in the Request-URI", group, []string{"uri", "sip:+12155550131;tgrp=x;trunk-context=example.com@oob.example",
			"Contact", "<sip:+1215;tgrp=tg-1;trunk-context=example.com@127.0.0.1>"}, found},
		{"tgrp without its context", group, []string{"Contact", "<sip:+1215;tgrp=tg-1@127.0.0.1>"}, other},
		{"tgrp behind the host", group, []string{"Contact", "<sip:+1215@127.0.0.1;tgrp=tg-1;trunk-context=example.com>"}, other},
		{"tgrp of another", group, []string{"Contact", "<sip:+1215;tgrp=tg-2;trunk-context=example.com@127.0.0.1>"}, other},
		{"none", group, nil, other},

		{"otg in Contact", otg, []string{"Contact", "<sip:sbc@127.0.0.1;otg=tg-1>"}, found},
		{"otg behind Contact", otg, []string{"Contact", "<sip:sbc@127.0.0.1>;otg=tg-1"}, found},
		{"trgp in the user", otg, []string{"Contact", "<sip:sbc;trgp=tg-1@127.0.0.1>"}, found},
		{"otg in From", otg, []string{"From", "<sip:+12155550121@192.0.2.10;otg=tg-1>;tag=f1"}, found},
		{"otg in the Request-URI", otg, []string{"uri", "sip:+12155550131@oob.example;otg=tg-1"}, found},
		{"OTG in quotes", otg, []string{"Contact", `<sip:sbc@127.0.0.1>;OTG="tg-1"`}, found},
		{"a name that ends in otg", otg, []string{"Contact", "<sip:sbc@127.0.0.1;xotg=tg-1>"}, other},
		{"otg in a display name", otg, []string{"Contact", `";otg=tg-1" <sip:sbc@127.0.0.1>`}, other},

		{"a label", label, []string{"uri", "sip:+12155550131@TDM-OUT.oob.example"}, found},
		{"another label", label, []string{"uri", "sip:+12155550131@tdm-outer.oob.example"}, other},
		{"a header field", header, []string{"X-Trunk", "1"}, found},
		{"another value", header, []string{"X-Trunk", "2"}, other},
		{"no TLS", client, nil, other},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, row(trunk.Off, nil), c.row)
			b.ask(invite(c.edit...)).status(c.want)
		})
	}

	t.Run("a name in a certificate", func(t *testing.T) {
		b := open(t, row(trunk.Off, nil), client)
		request := read(t, invite())
		request.Peer = []*x509.Certificate{{DNSNames: []string{"sbc.example"}}}
		if r := b.gateway.Respond(t.Context(), request); r.Status != found {
			t.Error(r)
		}
		request.Peer[0].DNSNames = nil
		if r := b.gateway.Respond(t.Context(), request); r.Status != other {
			t.Error(r)
		}
	})
	t.Run("of two trunk groups that to which the call goes", func(t *testing.T) {
		b := open(t, group, row(trunk.Off, func(r *trunk.Row) { r.Name, r.Nothing, r.Match.TGRP = "to", 404, "to" }))
		b.ask(invite("uri", "sip:+12155550131;tgrp=to@oob.example", "Contact", "<sip:+1215;tgrp=tg-1;trunk-context=example.com@127.0.0.1>")).status(404)
	})
	t.Run("an unknown source", func(t *testing.T) {
		b := open(t, label)
		request := read(t, invite())
		request.Source = siptx.Request{}.Source
		if r := b.gateway.Respond(t.Context(), request); r.Status != 403 || b.gateway.Stats().UnknownSource != 1 {
			t.Error(r)
		}
	})
}
