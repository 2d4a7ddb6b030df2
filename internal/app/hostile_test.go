package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
)

// Whom a call is signed for in somebody else's name is judged as often as our own certificate is: what was not believed when the
// process began may be later, and the other way round.
func TestRFC9888_S7_TheCertificateOfAPartnerIsJudgedAgain(t *testing.T) {
	c := startCountry(t)
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(t.TempDir(), "stranger.pem")
	if err := os.WriteFile(stranger, pki.Root.CertificatePEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	var anchors []string
	e := c.startElement(t, originatingSPC, func(file *Config) {
		anchors, file.Trust.Anchors = file.Trust.Anchors, []string{stranger}
		file.Credentials = []CredentialConfig{{
			Name: "partner", SPC: transitSPC, Key: filepath.Join(c.dir, labProviders, transitSPC, "key.pem"),
			Certificate: filepath.Join(c.dir, labRepository, transitSPC+".pem"), X5U: strings.Replace(file.Signing.X5U, originatingSPC, transitSPC, 1),
		}}
		file.Trunks = append(file.Trunks, TrunkConfig{Name: "behalf", Behalf: "partner", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "behalf"}, Mode: "sign"})
	})
	signs := func(label string) bool {
		return e.asks(label, newCall("12155550121", demoDest)).header.Get("Identity") != ""
	}
	if signs("sip-out") || signs("behalf") {
		t.Fatal("signed with a certificate that is not believed")
	}
	e.file.Trust.Anchors = anchors
	e.write()
	e.element.reload(e.name)
	e.element.switches.advance(t.Context()) // once a minute
	if !signs("sip-out") {
		t.Error("own calls are not signed")
	}
	if !signs("behalf") {
		t.Error("the partner's certificate is believed now, and nothing is signed with it")
	}
	e.file.Trust.Anchors = []string{stranger}
	e.write()
	e.element.reload(e.name)
	e.element.switches.advance(t.Context())
	if signs("behalf") {
		t.Error("the partner's certificate is not believed any more, and signs on")
	}
}

// A provider on whose behalf calls are signed has authority over its own numbers, not over ours.
func TestRFC9888_S7_OurNumbersAreNotThePartners(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, originatingSPC, func(file *Config) {
		file.Credentials = []CredentialConfig{{
			Name: "partner", SPC: transitSPC, Key: filepath.Join(c.dir, labProviders, transitSPC, "key.pem"),
			Certificate: filepath.Join(c.dir, labRepository, transitSPC+".pem"), X5U: strings.Replace(file.Signing.X5U, originatingSPC, transitSPC, 1),
		}}
		file.Trunks = append(file.Trunks, TrunkConfig{Name: "behalf", Behalf: "partner", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "behalf"}, Mode: "sign"})
	})
	value := e.asks("behalf", newCall("12155550121", demoDest)).header.Get("Identity") // a number of originatingSPC
	token, err := passport.Parse(strings.SplitN(value, ";", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if token.Claims.Attest == passport.AttestFull {
		t.Errorf("%s attests A for a number of ours (x5u %s)", transitSPC, token.Header.X5U)
	}
}

// What a reload would refuse in the middle is refused before it begins.
func TestServe_AReloadWithTooManyResourcesChangesNothing(t *testing.T) {
	c := startCountry(t)
	e := c.startElement(t, terminatingSPC, func(file *Config) {
		file.Trunks = append(file.Trunks, TrunkConfig{Name: "pushed", Match: MatchConfig{Sources: []string{"127.0.0.0/8"}, Label: "pushed"}, Mode: "verify", Profile: "rfc9888", CPS: []string{"lab"}})
	})
	var resources []string
	for i := range 257 {
		resources = append(resources, fmt.Sprintf("2-12155550%03d", i))
	}
	e.file.Peers.Subscriptions = []SubscriptionConfig{{CPS: []string{"lab"}, Profile: "rfc9888", Resources: resources}}
	e.write()
	e.element.reload(e.name)
	if said := e.log.String(); !strings.Contains(said, "reload refused") {
		t.Errorf("it is not refused:\n%s", said)
	}
}
