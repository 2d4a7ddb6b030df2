package app

import (
	"context"
	"crypto"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/porttest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// twoProviders is the folder of a laboratory whose CPS advertises, but asks nobody.
func twoProviders(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	lab := LabInit{Dir: dir, SPC: []string{"1234", "567B"}, Delegate: map[string]string{"acme": "12155550140-12155550149"}, Repository: "127.0.0.1:1", CPS: "127.0.0.1:2", Management: "127.0.0.1:3", SIP: "127.0.0.1:5070"}
	if err := lab.write(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// checked is what is said of a laboratory's file with some of its text replaced.
func checked(t *testing.T, dir, name string, replace ...string) (said string, err error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Fatalf("%q does not stand in %s", replace[i], name)
		}
	}
	changed := filepath.Join(filepath.Dir(filepath.Join(dir, name)), "changed.yaml")
	if err := os.WriteFile(changed, []byte(strings.NewReplacer(replace...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return output(t, &Check{Config: changed})
}

// TestConfiguration_OfProvidersIsCheckedWhole: what would have no effect, or another than was meant, is refused in one place.
func TestConfiguration_OfProvidersIsCheckedWhole(t *testing.T) {
	dir := twoProviders(t)
	cps, element := labConfig, filepath.Join(labSwitches, "1234.yaml")
	numbers, advertise := "numbers: # who may read who calls a number\n  file: numbers.csv\n", "  advertise: #"
	discover := "discovery: #"
	for _, c := range []struct{ name, file, old, wrong, says string }{
		{"serves, and nobody knows the numbers", cps, numbers, "drain: {delay: 0s}\n", "cps.serves: needs numbers: whose a called number is would not be known"},
		{"a form that is not served", cps, advertise, "  profiles: [agreed]\n" + advertise, "cps.advertise: is for the forms rfc9888 and company"},
		{"everything, and denied", cps, advertise, "  everything: [567B]\n  deny: [567B]\n" + advertise, "cps.everything[0]: stands in cps.deny, too"},
		{"a range by its last number", cps, `["0-567B"]`, "[1-12155550130-12155550139]", "cps.advertise.resources[0]: is a provider as 0-567A, a range as 1-12155550100-50 (first and count)"},
		{"a number file by its last number", cps, "file: numbers.csv", "file: last.csv", "numbers.file: "},
		{"what the certificate does not cover", cps, `["0-567B"]`, "[0-567B, 0-1234]", "cps.advertise.resources[1]: is not covered by the certificate"},
		{"numbers, and nobody knows whose", cps, `["0-567B"]`, "[1-12155550130-10]", "cps.advertise.resources[0]: is not covered by the certificate"},
		{"a certificate of another key", cps, "key: providers/567B/key.pem", "key: providers/1234/key.pem", "cps.advertise.certificate: is not that of key"},
		{"an advertisement for ever", cps, "    x5u:", "    lifetime: 169h\n    x5u:", "cps.advertise.lifetime: is between 1m0s and 168h0m0s"},
		{"a heartbeat for nobody", cps, advertise, "  push: {heartbeat: 61s}\n" + advertise, "cps.push.heartbeat: is between 1s and 40s"},
		{"a queue of all", cps, advertise, "  push: {queue: 65537}\n" + advertise, "cps.push.queue: is at most 65536"},
		{"more of one than of all", cps, advertise, "  push: {subscribers: 2, account_subscribers: 3}\n" + advertise, "cps.push.account_subscribers: is at most"},
		{"a name of two lines", cps, advertise, "  push: {webhooks: [{name: \"a\\nb\", url: \"https://a.example\", key: k, resources: [0-567B]}]}\n" + advertise, "cps.push.webhooks[0].name: is a name of its own"},
		{"a short key", cps, advertise, "  push: {webhooks: [{name: a, url: \"https://a.example\", key: short, resources: [0-567B]}]}\n" + advertise, "cps.push.webhooks[0].key: the file has less than 32 bytes"},
		{"looked for all the time", cps, numbers, numbers + "  poll: 10ms\n", "numbers.poll: is at least 1s"},
		{"a token for nobody", cps, numbers, numbers + "  http: {token_file: short}\n", "numbers.http.url: is needed"},
		{"a belief in nobody", cps, numbers, numbers + "  dns: {unauthenticated: true}\n", "numbers.dns.suffix: is needed"},
		{"an order of nobody", element, discover, "discovery:\n  order: []\n# ", "discovery.order: leaves out every source that is configured"},
		{"an order of others", element, discover, "discovery:\n  order: [file, dns]\n# ", "discovery.order: leaves out every source that is configured"},
		{"an extension without a name", element, discover, "discovery:\n  certificate: {strict: true}\n# ", "discovery.certificate.oid: is needed"},
		{"a path to nowhere", element, discover, "discovery:\n  dns: {path: /cps}\n# ", "discovery.dns: needs the suffix"},
		{"an answer of nobody", element, discover, "discovery:\n  dns: {trust_authenticated: true}\n# ", "discovery.dns: needs the suffix"},
		{"a folder for nothing", element, `urls: ["https://127.0.0.1:2/.well-known/stir-cps"]`, "dir: kept", "discovery.advertisements.urls: is needed"},
		{"a place that is not fetched from", element, `urls: ["https://127.0.0.1:2/`, `urls: ["https://127.0.0.1:4/`, "advertisements.urls[0]: is such as https://cps.example.net/.well-known/stir-cps: the URL is https, on port 443 or 8443, or of a host in trust.laboratory.hosts"},
		{"the company form, and nobody knows the numbers", element, "numbers:\n  file: ../numbers.csv\n", "", "peer_spc: or numbers is needed"},
		{"a subscription at nobody", element, "  private_addresses: true", "  subscriptions: [{cps: [nobody], profile: rfc9888, resources: [0-1234]}]\n  private_addresses: true", "peers.subscriptions[0].cps[0]: is the name of no CPS in peers.cps"},
		{"a subscription for nobody", element, "  private_addresses: true", "  subscriptions: [{cps: [lab], behalf: nobody, profile: rfc9888, resources: [0-1234]}]\n  private_addresses: true", "peers.subscriptions[0].behalf: is the name of nobody in credentials"},
		{"a credential of two lines", element, discover, "credentials: [{name: \"a\\nb\"}]\n" + discover, "credentials[0].name: is a name of its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, text := range map[string]string{"short": "short\n", "last.csv": "567B,12155550130,12155550139\n"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			replace := []string{c.old, c.wrong}
			if c.old == numbers && !strings.HasPrefix(c.wrong, numbers) {
				replace = append(replace, advertise, "  serves: [567B]\n"+advertise)
			}
			said, err := checked(t, dir, c.file, replace...)
			if !errors.Is(err, ErrNegative) || !strings.Contains(said, c.says) || strings.Count(said, "changed.yaml:") > 2 {
				t.Errorf("%v, want a fault with %q:\n%s", err, c.says, said)
			}
		})
	}
}

// TestCheck_SaysWhatProvidersMean: a line for everything that changes who is told what.
func TestCheck_SaysWhatProvidersMean(t *testing.T) {
	dir := twoProviders(t)
	said, err := checked(t, dir, labConfig, "  advertise: #", "  serves: [567B]\n  everything: [567B]\n  advertise: #")
	for _, want := range []string{
		"takes calls to 567B alone", "every called number is read by 567B", "advertised as the CPS of 0-567B at https://127.0.0.1:2", "signed with a certificate until",
	} {
		if err != nil || !strings.Contains(said, want) {
			t.Errorf("%v, %q is missing:\n%s", err, want, said)
		}
	}
	element := filepath.Join(labSwitches, "567B.yaml")
	said, err = checked(t, dir, element,
		"  private_addresses: true", "  subscriptions: [{cps: [lab], profile: rfc9888, resources: [0-567B, 1-12155550130-10]}]\n  private_addresses: true",
		"discovery: #", "credentials:\n  - {name: acme, key: ../providers/acme/key.pem, certificate: ../repository/acme.pem, x5u: \"https://127.0.0.1:1/acme.pem\"}\ndiscovery: #",
		"    discover: dest\n  - name: rfc9888-in", "    discover: dest\n    behalf: acme\n    unless_held: true\n  - name: rfc9888-in",
	)
	for _, want := range []string{
		"trunk rfc9888-out: sign_publish, within 300ms, rfc9888 form at the CPS of the called number, unless there is one already, on behalf of acme\n",
		"acts for acme (its numbers), certificate at https://127.0.0.1:1/acme.pem, until ", "told by lab of 0-567B, 1-12155550130-10, rfc9888 form\n", "list of CPSs from ", "held: number ",
	} {
		if err != nil || !strings.Contains(said, want) {
			t.Errorf("%v, %q is missing:\n%s", err, want, said)
		}
	}
	said, err = checked(t, dir, element, "signers: [../sti-pa/crl-issuer.pem]\n", "signers: [../sti-root.pem]\n")
	if !errors.Is(err, ErrNegative) || !strings.Contains(said, "refused: the signature does not verify") {
		t.Errorf("a list of somebody else: %v\n%s", err, said)
	}
}

// TestDiscover_SaysWhatWasRefused, beside the source that it is from, and takes a number as other commands do.
func TestDiscover_SaysWhatWasRefused(t *testing.T) {
	dir := twoProviders(t)
	config := filepath.Join(dir, labSwitches, "1234.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte(strings.NewReplacer("signers: [../sti-pa/crl-issuer.pem]\n", "signers: [../sti-root.pem]\n").Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"12155550131", "+1 215 555 0131", "+12155550131", "567B"} {
		said, err := output(t, &Discover{Config: config, Side: "dest", Wait: 2 * time.Second, Of: of})
		_, list, found := strings.Cut(said, "\n  list ")
		if !errors.Is(err, ErrNegative) || !found || !strings.Contains(list, "    discovery.list: the signature does not verify") {
			t.Errorf("%s: %v\n%s", of, err, said)
		}
		if _, advertised, found := strings.Cut(said, "\n  advertisements "); !found || !strings.Contains(advertised, "    https://127.0.0.1:2/.well-known/stir-cps: ") {
			t.Errorf("%s: %s", of, said)
		}
	}
	for _, of := range []string{"who?", "", "sip:alice@example.net"} {
		if _, err := output(t, &Discover{Config: config, Side: "dest", Of: of}); err == nil || errors.Is(err, ErrNegative) {
			t.Errorf("%q: %v", of, err)
		}
	}
}

func TestDiscover_EachRefusalHasALine(t *testing.T) {
	state := advert.SourceState{URL: "https://a", LastError: advert.Untrusted.Error(), LastReport: advert.Report{
		Refused: []advert.Refusal{{Line: 1, Err: advert.Untrusted}, {Line: 2, Err: advert.Expired}}, Members: map[advert.Problem]int{advert.Uncovered: 3},
	}}
	want := "https://a: refused: the signer's certificate is not believed\nhttps://a: line 2: refused: expired\nhttps://a: not believed of 3 of its entries: the signer's certificate does not cover it"
	if got := strings.Join(failuresOf(state), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if got := failuresOf(advert.SourceState{URL: "https://a", LastError: "away"}); len(got) != 1 || got[0] != "https://a: away" {
		t.Error(got)
	}
}

// TestPublish_ContradictionsAreRefusedBeforeAnybodyIsAsked.
func TestPublish_ContradictionsAreRefusedBeforeAnybodyIsAsked(t *testing.T) {
	dir := twoProviders(t)
	of := func(spc string) (key, certificate string) {
		return filepath.Join(dir, labProviders, spc, "key.pem"), filepath.Join(dir, labRepository, spc+".pem")
	}
	key, certificate := of("1234")
	_, other := of("567B")
	acmeKey, acme := of("acme")
	signer, err := readKey(key)
	if err != nil {
		t.Fatal(err)
	}
	token, err := passport.Sign(crypto.Signer(signer), passport.Shaken, "https://127.0.0.1:1/1234.pem", passport.Claims{
		IAT: time.Now(), Orig: number("12155550121"), Dest: []tn.Identity{number("12155550131")}, Attest: "A", OrigID: "6f2c9c1e-0a2b-4d66-9a51-6a1a2f9d7c10",
	})
	if err != nil {
		t.Fatal(err)
	}
	nobody, err := porttest.Address("tcp")
	if err != nil {
		t.Fatal(err)
	}
	address := "https://" + nobody
	for name, c := range map[string]struct {
		change func(*Publish)
		says   string
	}{
		"nothing beside the certificate": {func(*Publish) {}, "cannot be reached"},
		"that of a delegate":             {func(p *Publish) { p.Key, p.Cert = acmeKey, acme }, "cannot be reached"},
		"a delegate of a laboratory":     {func(p *Publish) { p.Lab, p.SPC, p.Key, p.Cert = dir, "acme", "", acme }, "cannot be reached"},
		"another caller":                 {func(p *Publish) { p.Orig = "12155550122" }, "--orig is not the caller of the PASSporT"},
		"another called number":          {func(p *Publish) { p.Dest = "12155550132" }, "--dest is not called by the PASSporT"},
		"in the company form, too":       {func(p *Publish) { p.Profile, p.To, p.Dest = "company", "567B", "12155550132" }, "--dest is not called by the PASSporT"},
		"the same written otherwise":     {func(p *Publish) { p.Dest = "+1 215 555 0131" }, "cannot be reached"},
		"another provider":               {func(p *Publish) { p.SPC = "567B" }, "--spc is none that --certificate names"},
		"a provider of a delegate":       {func(p *Publish) { p.SPC, p.Key, p.Cert = "1234", acmeKey, acme }, "--spc is none that --certificate names"},
		"a certificate of another key":   {func(p *Publish) { p.Cert = other }, "--certificate is not that of --key"},
		"in a laboratory, too":           {func(p *Publish) { p.Lab, p.SPC, p.Key, p.Cert = dir, "567B", key, other }, "--certificate is not that of --key"},
		"no key":                         {func(p *Publish) { p.Key = "" }, "--key is needed"},
		"in another form":                {func(p *Publish) { p.Profile = "agreed" }, "--certificate is for the forms rfc9888 and company"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Publish{Token: []string{token}}
			p.Profile, p.Key, p.Cert, p.CPS, p.Budget = "rfc9888", key, certificate, []string{address}, time.Second
			c.change(p)
			if _, err := output(t, p); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestCPSList_RefusesWhatNobodyCouldUse(t *testing.T) {
	dir := twoProviders(t)
	none, one := uint64(0), uint64(1)
	for name, c := range map[string]struct {
		x5u      string
		sequence *uint64
		rows     string
		says     string
	}{
		"good":           {"https://sti-pa.example/a.pem", &one, "# all\n567B,https://cps.example.net\n", ""},
		"now":            {"https://sti-pa.example/a.pem", nil, "567B,https://cps.example.net\n", ""},
		"number zero":    {"https://sti-pa.example/a.pem", &none, "567B,https://cps.example.net\n", "--sequence must be above 0"},
		"x5u over http":  {"http://sti-pa.example/a.pem", nil, "567B,https://cps.example.net\n", "--x5u is an https URL"},
		"no URL":         {"a.pem", nil, "567B,https://cps.example.net\n", "--x5u is an https URL"},
		"another column": {"https://sti-pa.example/a.pem", nil, "\n567B;https://cps.example.net\n", "line 2: not a provider code, a comma and the https URL of its CPS, such as 567B,https://cps.example.net"},
	} {
		var out strings.Builder
		err := (&CPSList{Key: filepath.Join(dir, labProviders, "1234", "key.pem"), X5U: c.x5u, Lifetime: time.Hour, Sequence: c.sequence}).
			Run(&Streams{In: strings.NewReader(c.rows), Out: &out})
		if (c.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.says) || (err == nil) != (out.Len() > 0) {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
	}
}

// TestServe_ASubscriptionThatIsRefusedIsToldOnce, and one that is down.
func TestServe_ASubscriptionThatIsRefusedIsToldOnce(t *testing.T) {
	c := startCountry(t)
	nowhere, err := unusedAddress()
	if err != nil {
		t.Fatal(err)
	}
	for name, subscription := range map[string]struct{ resource, url, says string }{
		"refused": {"0-1234", c.cps.url(), "a CPS has refused a subscription"},
		"down":    {"0-" + terminatingSPC, "https://" + nowhere, "a subscription is down"},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.startElement(t, terminatingSPC, func(file *Config) {
				file.Peers.CPS[0].URL = subscription.url
				file.Peers.Subscriptions = []SubscriptionConfig{{CPS: []string{"lab"}, Profile: "rfc9888", Resources: []string{subscription.resource}}}
			})
			var said []string
			told := standing{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for looks := 0; len(said) == 0 || looks < 5; looks++ {
				e.element.switches.tellStreams(told, func(name, is string, _ slog.Level, message string, more ...any) {
					if told[name] != is {
						told[name], said = is, append(said, message)
					}
				})
				select {
				case <-tick.C:
				case <-ctx.Done():
					t.Fatal("nothing is said")
				}
			}
			if len(said) != 1 || !strings.HasPrefix(said[0], subscription.says) {
				t.Error(said)
			}
		})
	}
}
