package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestRFC9888_S5_CallBetweenProviders: the originating element finds the CPS of the called number by its advertisement and publishes
// with mutual TLS; the terminating one is told of the call before it comes, and asks for it where it is not.
func TestRFC9888_S5_CallBetweenProviders(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"sse", "websocket"} {
		t.Run(transport, func(t *testing.T) { callBetweenProviders(t, transport) })
	}
}

func callBetweenProviders(t *testing.T, transport string) {
	b := newProviders(t)
	b.edit(t, "cps.yaml", "  advertise:\n", "  push: {account_subscribers: 1}\n  advertise:\n")
	cps := b.serve(t, here, "cps.yaml")
	from := b.serve(t, here, b.element(t, "1234", "out: mode: sign_publish, profile: rfc9888, discover: dest"))
	b.place(t, from, cps, "rfc9888")

	told, rival := foreign{b, "567B"}.streams(t, "/cps/ppts?dest=0-567B")
	told.wait(t, "200")
	to := b.element(t, "567B", "in: mode: verify, profile: rfc9888, cps: [far]")
	b.edit(t, to, "# subscriptions", `subscriptions: [{cps: [far], profile: rfc9888, resources: [0-567B], transport: `+transport+`}]`)
	element := b.serve(t, here, to)
	await(t, "a subscription too many", func() bool { return cps.metric(t, "oob_cps_refused_subscriptions_total") > 0 })
	if got := element.dip(t, "in", "pulled", caller, called); got.verstat(t) != passed {
		t.Errorf("asked for: the called party is told %s\n%s", got, element.steps(t))
	}
	if n := cps.retrieved(t, "rfc9888"); n != 1 {
		t.Errorf("asked %v times for what is not pushed, want once", n)
	}

	check(t, rival.Process.Kill())
	await(t, "a subscription", func() bool { return element.metric(t, "oob_inbox_subscriptions_up") == 1 })
	b.place(t, from, cps, "rfc9888")
	if got := element.dip(t, "in", "pushed", caller, called); got.verstat(t) != passed {
		t.Errorf("pushed: the called party is told %s\n%s", got, element.steps(t))
	}
	if n := cps.retrieved(t, "rfc9888"); n != 1 {
		t.Errorf("asked %v times for what was pushed", n-1)
	}
	for _, c := range []struct {
		of     *server
		name   string
		labels []string
		want   float64
	}{
		{element, "oob_verifications_total", []string{`verstat="` + passed + `"`}, 2},
		{element, "oob_inbox_calls_total", []string{`how="pulled"`}, 1},
		{element, "oob_inbox_calls_total", []string{`how="nothing"`}, 0},
		{element, "oob_inbox_calls_total", nil, 2},
		{element, "oob_inbox_records", nil, 1},
		{element, "oob_inbox_subscriptions_up", nil, 1},
		{element, "oob_numbers_rows", nil, 2},
		{element, "oob_numbers_file_fault", nil, 0},
		{cps, "oob_cps_subscribers", nil, 1},
		{cps, "oob_cps_pushed_records_total", nil, 1},
		{cps, "oob_cps_slow_subscribers_total", nil, 0},
		{cps, "oob_cps_push_gaps_total", nil, 0},
		{cps, "oob_cps_records", nil, 2},
		{cps, "oob_cps_number_lookup_failures_total", nil, 0},
	} {
		if n := c.of.metric(t, c.name, c.labels...); n != c.want {
			t.Errorf("%s of %q: %v, want %v", c.name, c.labels, n, c.want)
		}
	}
}

// TestCompanyFormCall: the CPS is found in the list that the STI-PA signs, anybody's PASSporT that verifies is taken, and it is taken
// away when its call has come; that call alone is still told the same.
func TestCompanyFormCall(t *testing.T) {
	b := newProviders(t)
	cps := b.serve(t, here, "cps.yaml")
	b.signList(t, 7, map[string]string{"567B": "https://" + b.cps})
	out := b.element(t, "1234", "out: mode: sign_publish, profile: company, discover: dest")
	b.edit(t, out, "  advertisements:\n", "  list:\n    source: {file: ocn-list.jwt}\n    signers: [sti-pa/list-signer.pem]\n  advertisements:\n", `urls: ["https://`+b.cps+`/.well-known/stir-cps"]`, "urls: []")
	from := b.serve(t, here, out)
	to := b.serve(t, here, b.element(t, "567B", "in: mode: verify, profile: company, cps: [far]"))

	for _, id := range []string{"first", "second"} {
		b.place(t, from, cps, "company")
		for range 2 { // the switch asks again when it sends the call on another way
			if got := to.dip(t, "in", id, caller, called); got.verstat(t) != passed {
				t.Errorf("the %s call: %s\n%s", id, got.verstat(t), to.steps(t))
			}
		}
		await(t, "a record taken away", func() bool { return cps.metric(t, "oob_cps_records") == 0 })
	}
	if n := cps.retrieved(t, "company"); n != 2 {
		t.Errorf("asked %v times for two calls", n)
	}
	if got := to.dip(t, "in", "third", caller, called); got.verstat(t) == passed {
		t.Error("a call without a PASSporT of its own is verified by those of others")
	}
}

// place has a call leave until it is published: at first the advertisement may not have been fetched.
func (b *bed) place(t *testing.T, from, cps *server, profile string) {
	t.Helper()
	before := cps.published(t, profile)
	await(t, "a published call", func() bool {
		from.dip(t, "out", "%u-%p@out", caller, called)
		return cps.published(t, profile) > before
	})
}

// signList writes the list of all providers' CPSs, as the STI-PA would sign it, and its signer's certificate.
func (b *bed) signList(t *testing.T, sequence uint64, mapping map[string]string) {
	t.Helper()
	certificate, err := os.ReadFile(b.lab.path("sti-pa", "crl-issuer.pem"))
	check(t, err)
	key, err := os.ReadFile(b.lab.path("sti-pa", "crl-issuer-key.pem"))
	check(t, err)
	signer, err := oobtest.LoadAuthority(certificate, key)
	check(t, err)
	list, err := ocnlist.Sign(signer.Key, b.lab.repository+"/sti-pa.pem", sequence, time.Now().Add(time.Hour), mapping)
	check(t, err)
	b.write(t, "sti-pa/list-signer.pem", string(certificate))
	b.write(t, "ocn-list.jwt", list)
}
