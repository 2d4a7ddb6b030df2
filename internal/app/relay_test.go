package app

import (
	"testing"
)

// TestConfiguration_OfRelaysIsCheckedWhole: each fault with its line, all at once.
func TestConfiguration_OfRelaysIsCheckedWhole(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nobody who relays", "cps:\n  relay:\n    peers: [{url: \"https://cps.example\"}]\n", []string{":3: cps.relay: needs spc, key and x5u"}},
		{
			"peers that are none",
			"cps:\n  relay:\n    peers: [{url: \"http://a.example\"}, {url: \"https://b.example\", audience: \"https://b\"}, {url: \"https://B.example:443/\"}]\n",
			[]string{":3: cps.relay.peers[0].url: is https://", ":3: cps.relay.peers[1].audience: is a bare host name", ":3: cps.relay.peers[2].url: is listed twice"},
		},
		{"another form", "cps:\n  profiles: [agreed]\n  relay:\n    accept: [900C]\n", []string{":4: cps.relay: is for the form mesh"}},
		{"discovered nowhere", "cps:\n  relay:\n    accept_discovered: true\n", []string{":3: cps.relay: discovers CPSs in discovery.list and discovery.advertisements"}},
		{"accepted and denied", "cps:\n  deny: [900C]\n  relay:\n    accept: [900C]\n", []string{":4: cps.relay.accept[0]: stands in cps.deny, too"}},
		{
			"words and bounds",
			"cps:\n  relay:\n    spelling: Republish\n    token: maybe\n    in_flight: 0\n    timeout: 0s\n    queue: {records: 0, bytes: -1}\n    rate: {burst: 0}\n    tls_roots: [none.pem]\n",
			[]string{
				":3: cps.relay.spelling: is one of republish, re-publish", ":4: cps.relay.token: is one of optional, required", ":5: cps.relay.in_flight: must be above zero",
				":6: cps.relay.timeout: must be above zero", ":7: cps.relay.queue.records: must be above zero", ":7: cps.relay.queue.bytes: must be above zero",
				":8: cps.relay.rate: per_second and burst", ":9: cps.relay.tls_roots: ",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantFaults(t, c.text, c.want)
		})
	}
}
