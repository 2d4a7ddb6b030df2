package trunk_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// TestCompare_FitsWhenTheTableFindsIt: what people are shown is what the table does.
func TestCompare_FitsWhenTheTableFindsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := func(what string) string { return rapid.SampledFrom([]string{"", "A", "a", "b"}).Draw(t, what) }
		addr := func(what string) netip.Addr {
			return netip.MustParseAddr(rapid.SampledFrom([]string{"192.0.2.1", "198.51.100.7", "::ffff:192.0.2.9", "fe80::1%eth0"}).Draw(t, what))
		}
		m := trunk.Match{
			Client: name("client"), TGRP: name("tgrp"), OTG: name("otg"), Label: name("label"),
		}
		if m.Client != "" {
			m.Asks = rapid.SampledFrom([]trunk.Ask{trunk.AskAny, trunk.AskSigning}).Draw(t, "asks")
		}
		if m.TGRP != "" {
			m.TrunkContext = name("trunk_context")
		}
		if m.HeaderValue = name("header"); m.HeaderValue != "" {
			m.Header = "X-Trunk"
		}
		if m.Client == "" || rapid.Bool().Draw(t, "sources") {
			m.Sources = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("fe80::/10")}
		}
		made, err := trunk.New([]trunk.Row{row("only", m)})
		if err != nil {
			t.Fatal(err)
		}
		s := trunk.Signs{
			Source: addr("from"), Client: name("shows client"), TGRP: name("shows tgrp"), TrunkContext: name("shows trunk_context"),
			OTG: name("shows otg"), Label: name("shows label"), Asks: rapid.SampledFrom([]trunk.Ask{trunk.AskAny, trunk.AskSigning}).Draw(t, "shows asks"),
		}
		value := name("shows header")
		s.Header = func(string) string { return " " + value }
		_, found := made.Match(s)
		fits, conditions := true, m.Compare(s)
		for _, c := range conditions {
			fits = fits && c.Fits
			if c.Name == "" || c.Want == "" {
				t.Errorf("%+v says nothing", c)
			}
		}
		if fits != found {
			t.Errorf("found %v, but shown as %+v", found, conditions)
		}
	})
}

func TestCompare_ARequestThatShowsNothing(t *testing.T) {
	m := trunk.Match{Sources: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Header: "X-Trunk", HeaderValue: "7"}
	for _, c := range m.Compare(trunk.Signs{}) {
		if c.Fits || c.Shown != "" {
			t.Errorf("%+v", c)
		}
	}
}
