package sipgw_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

const (
	passed = "verstat=TN-Validation-Passed"
	none   = "verstat=No-TN-Validation"
)

// again gives a call other names, so that it is no retransmission.
func again(n int) []string {
	return []string{"Call-ID", "again" + strconv.Itoa(n), "Via", "SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK-again" + strconv.Itoa(n)}
}

// fresh is an Identity header field value that no other call has.
func (b *bed) fresh(n int) string {
	b.Helper()
	return calltest.Field(b.Sign(b.Signer, passport.Shaken, passport.Claims{Attest: passport.AttestFull, OrigID: fmt.Sprintf("123e4567-e89b-12d3-a456-%012d", n)}))
}

func TestATIS74_S5_3_VerstatIsPutOnTheCallerAndTakenFromAllOthers(t *testing.T) {
	b := open(t, row(trunk.Verify, nil))
	const good = "good" // one of its own for each call: none serves twice
	const from, anonymous = `"A. Caller" <sip:+12155550121@192.0.2.10;user=phone>;tag=f1`, "<sip:anonymous@anonymous.invalid>;tag=f1"
	for i, c := range []struct {
		name                    string
		identity, from, privacy string
		came, want              string // P-Asserted-Identity
	}{
		{"sip", good, from, "", "<sip:+12155550121@192.0.2.10;user=phone>", "<sip:+12155550121;" + passed + "@192.0.2.10;user=phone>"},
		{"tel", good, from, "", "<tel:+12155550121>", "<tel:+12155550121;" + passed + ">"},
		{"both", good, from, "", `"A" <sip:+12155550121@sbc.example:5080>, <tel:+1-215-555-0121>`,
			`"A" <sip:+12155550121;` + passed + `@sbc.example:5080>, <tel:+1-215-555-0121;` + passed + `>`},
		{"addr-spec", good, from, "", "sip:+12155550121@192.0.2.10", "<sip:+12155550121;" + passed + "@192.0.2.10>"},
		{"other parameters stay", good, from, "", "<sip:+12155550121;cpc=ordinary@[2001:db8::1];user=phone>",
			"<sip:+12155550121;cpc=ordinary;" + passed + "@[2001:db8::1];user=phone>"},
		{"another number is not marked", good, from, "", "<tel:+12155550121>, <sip:+12155550199@192.0.2.10>",
			"<tel:+12155550121;" + passed + ">, <sip:+12155550199@192.0.2.10>"},
		{"no P-Asserted-Identity", good, from, "", "", `"A. Caller" <sip:+12155550121;` + passed + "@192.0.2.10;user=phone>"},

		{"came in the user", "", from, "", "<sip:+12155550121;verstat=TN-Validation-Passed@192.0.2.10>", "<sip:+12155550121;" + none + "@192.0.2.10>"},
		{"came in the URI", "", from, "", "<sip:+12155550121@192.0.2.10;verstat=TN-Validation-Passed>", "<sip:+12155550121;" + none + "@192.0.2.10>"},
		{"came behind the URI", "", from, "", "<sip:+12155550121@192.0.2.10>;verstat=TN-Validation-Passed", "<sip:+12155550121;" + none + "@192.0.2.10>"},
		{"came in other letters", "", from, "", "<tel:+12155550121;%76ERSTAT=TN-Validation-Passed;verstat=x>", "<tel:+12155550121;" + none + ">"},
		{"came on another number", good, from, "", "<tel:+12155550121>, <tel:+12155550199;verstat=TN-Validation-Passed>",
			"<tel:+12155550121;" + passed + ">, <tel:+12155550199>"},
		{"what is not verified marks all", "", from, "", "<tel:+12155550121>, <sip:+12155550199@192.0.2.10>",
			"<tel:+12155550121;" + none + ">, <sip:+12155550199;" + none + "@192.0.2.10>"},

		{"anonymous, and nobody is asserted", "", anonymous, "id", "", "<sip:anonymous;" + none + "@anonymous.invalid>"},
		{"anonymous, and asserted", good, anonymous, "id", "<sip:+12155550121@192.0.2.10>", "<sip:+12155550121;" + passed + "@192.0.2.10>"},
		{"restricted, and asserted by nobody", good, from, "id", "", ""},
		{"restricted, and asserted", good, from, "id", `"A" <tel:+12155550121>`, `"A" <tel:+12155550121;` + passed + `>`},

		{"no number", "", "<sip:alice@example.com>;tag=f1", "", "<sip:example.com>", "<sip:alice;" + none + "@example.com>, <sip:example.com>"},
		{"a URN stays", "", from, "", "<urn:gsma:imei:90420156-025763-0>, <tel:+12155550121>", "<urn:gsma:imei:90420156-025763-0>, <tel:+12155550121;" + none + ">"},
		{"what is no URI goes", "", from, "", `<no uri>, "unending, <tel:+12155550121>`, `"A. Caller" <sip:+12155550121;` + none + "@192.0.2.10;user=phone>"},
		{"a password goes", "", from, "", "<sip:+12155550121:secret@192.0.2.10>", "<sip:+12155550121;" + none + "@192.0.2.10>"},
		{"header fields go", "", from, "", "<sip:+12155550121@192.0.2.10?Subject=x>", "<sip:+12155550121;" + none + "@192.0.2.10>"},
		{"two hosts are none", "", from, "", "<sip:+12155550121@192.0.2.10@198.51.100.1>", `"A. Caller" <sip:+12155550121;` + none + "@192.0.2.10;user=phone>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			identity := c.identity
			if identity == good {
				identity = b.fresh(i)
			}
			edit := append(again(i), "Identity", identity, "From", c.from, "Privacy", c.privacy, "P-Asserted-Identity", c.came)
			a := b.ask(invite(edit...))
			a.t = t
			if c.want == "" {
				a.has("P-Asserted-Identity", "")
				return
			}
			a.status(302)
			a.has("P-Asserted-Identity", c.want)
		})
	}
	if got := b.gateway.Stats(); got.VerstatTaken != 5 {
		t.Errorf("%d verstat taken out, want 5", got.VerstatTaken)
	}
}

func TestHowACallerIsShown(t *testing.T) {
	for i, c := range []struct {
		name       string
		answer     trunk.AnswerStyle
		signed     bool
		came, want string // P-Asserted-Identity
	}{
		{"attested", trunk.AnswerStyle{Verstat: oob.VerstatAttested}, true, "<tel:+12155550121>", "<tel:+12155550121;" + passed + "-A>"},
		{"attested, not passed", trunk.AnswerStyle{Verstat: oob.VerstatAttested}, false, "<tel:+12155550121>", "<tel:+12155550121;" + none + ">"},
		{"A goes without saying", trunk.AnswerStyle{Verstat: oob.VerstatAttestedBC}, true, "<tel:+12155550121>", "<tel:+12155550121;" + passed + ">"},
		{"marked", trunk.AnswerStyle{DisplayMark: true}, true, "Somebody Nice <tel:+12155550121>", `"[V] Somebody Ni" <tel:+12155550121;` + passed + ">"},
		{"marked without a name", trunk.AnswerStyle{DisplayMark: true}, true, "<tel:+12155550121>", `"[V]" <tel:+12155550121;` + passed + ">"},
		{"marked in other letters", trunk.AnswerStyle{DisplayMark: true}, true, `"Ærø Æbler Færge" <tel:+12155550121>`, `"[V] Ærø Æbler F" <tel:+12155550121;` + passed + ">"},
		{"came marked", trunk.AnswerStyle{DisplayMark: true}, false, `"[V] [V]Bank" <tel:+12155550121>`, `"Bank" <tel:+12155550121;` + none + ">"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Answer = c.answer }))
			identity := ""
			if c.signed {
				identity = b.Shaken()
			}
			b.ask(invite(append(again(i), "Identity", identity, "P-Asserted-Identity", c.came)...)).has("P-Asserted-Identity", c.want)
		})
	}
}

// Where From is what counts, what is asserted beside it is not marked with what was verified of another.
func TestVerstatOfTheCallerInFrom(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Numbering.Caller = trunk.FromFirst }))
	a := b.ask(invite("Identity", b.fresh(1), "P-Asserted-Identity", "<tel:+12155550199>"))
	a.has("P-Asserted-Identity", `"A. Caller" <sip:+12155550121;`+passed+`@192.0.2.10;user=phone>, <tel:+12155550199>`)
}

func TestAttestationInBothSpellings(t *testing.T) {
	b := open(t, row(trunk.Verify, func(r *trunk.Row) { r.Answer.LegacyAttestation = true }))
	a := b.ask(invite("Identity", b.Shaken(), "Attestation-Info", "C"))
	a.has("Attestation-Info", "A")
	a.has("P-Attestation-Indicator", "A")
	if id := a.values("Origination-Id"); len(id) != 1 || strings.Join(a.values("P-Origination-ID"), "") != id[0] {
		t.Errorf("origid\n%s", a.text)
	}
}
