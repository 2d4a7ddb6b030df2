package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
)

// credentialsText are the delegate certificates of two holders of numbers who have no out-of-band of their own.
const credentialsText = `credentials:
  - {name: acme, key: providers/acme/key.pem, certificate: repository/acme.pem, x5u: $/acme.pem}
  - {name: widgets, key: providers/widgets/key.pem, certificate: repository/widgets.pem, x5u: $/widgets.pem}
`

// behalf writes an element of a gateway: it has the credentials of both holders.
func (b *bed) behalf(t *testing.T, spc string, trunks ...string) string {
	t.Helper()
	name := b.element(t, spc, trunks...)
	b.edit(t, name, "# more\n", strings.ReplaceAll(credentialsText, "$", b.lab.repository)+"verification: {accept: [base]}\n")
	return name
}

// TestRFC9888_S7_Gateways: one provider signs and publishes with what the caller has delegated to it, another one retrieves with what
// the called party has delegated, puts what it finds into SIP, and a third one believes it.
func TestRFC9888_S7_Gateways(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trunk   string
		carried bool // the call carries a PASSporT, which the gateway takes out of SIP
		verstat string
	}{
		"signs for the caller":           {"out: mode: sign_publish, profile: rfc9888, discover: dest, behalf: acme", false, passed},
		"takes out of SIP":               {"out: mode: publish, profile: rfc9888, discover: dest, behalf: acme", true, passed},
		"signs what none has, delegated": {"out: mode: sign_publish, profile: rfc9888, cps: [far], behalf: acme", false, passed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newProviders(t)
			cps := b.serve(t, here, "cps.yaml")
			out := b.serve(t, here, b.behalf(t, "1234", c.trunk))
			in := b.serve(t, here, b.behalf(t, "567B", "in: mode: retrieve, profile: rfc9888, cps: [far], behalf: widgets", "end: mode: verify"))
			var fields []string
			if c.carried {
				fields = append(fields, "Identity: "+b.lab.sign(t, "--header"))
			}
			await(t, "a published call", func() bool {
				out.dip(t, "out", "%u-%p@out", caller, called, fields...)
				return cps.published(t, "rfc9888") > 0
			})

			found := in.dip(t, "in", "passes", caller, called)
			if found.code() != "302" || len(found.values("Identity")) == 0 {
				t.Fatalf("the gateway answers:\n%s\n%s", found, in.steps(t))
			}
			value := found.values("Identity")[0]
			token, _, _ := strings.Cut(value, ";")
			parsed, err := passport.Parse(token)
			check(t, err)
			if got, want := found.value(t, "Date"), parsed.Claims.IAT.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"); got != want {
				t.Errorf("Date %q, want that of iat, %q", got, want)
			}
			if want := map[bool]string{true: "/1234.pem", false: "/acme.pem"}[c.carried]; parsed.Header.X5U != b.lab.repository+want {
				t.Errorf("signed by %s, want %s", parsed.Header.X5U, want)
			}
			if got := in.dip(t, "end", "ends", caller, called, "Identity: "+value, "Date: "+found.value(t, "Date")); got.verstat(t) != c.verstat {
				t.Errorf("the called party is told %s, want %s\n%s", got.verstat(t), c.verstat, in.steps(t))
			}
		})
	}
}

// TestRFC8816_S5_4_UnlessHeld: who may read asks first, and does not publish what another has published.
func TestRFC8816_S5_4_UnlessHeld(t *testing.T) {
	b := newProviders(t)
	b.edit(t, "cps.yaml", "  advertise:\n", "  everything: [\"1234\"]\n  advertise:\n")
	cps := b.serve(t, here, "cps.yaml")
	element := b.serve(t, here, b.element(t, "1234", "out: mode: publish, profile: rfc9888, cps: [far], unless_held: true"))
	identity := "Identity: " + b.lab.sign(t, "--header")
	for _, id := range []string{"first", "second"} {
		element.dip(t, "out", id, caller, called, identity)
	}
	if n := cps.published(t, "rfc9888"); n != 1 {
		t.Errorf("published %v times, want once", n)
	}
	if n := cps.retrieved(t, "rfc9888"); n != 2 {
		t.Errorf("asked %v times, want twice", n)
	}
}

// TestCallCentreIsToldOverASignedWebhook: who is told of calls to its numbers has nothing but a URL and a key.
func TestCallCentreIsToldOverASignedWebhook(t *testing.T) {
	b := newProviders(t)
	key := "thirty-two-bytes-at-the-very-least-0"
	type delivery struct{ signature, body string }
	deliveries := make(chan delivery, 16)
	centre := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			deliveries <- delivery{r.Header.Get("Viaduct-Signature"), string(body)}
		}
	}))
	t.Cleanup(centre.Close)
	b.write(t, "webhook.key", key+"\n")
	b.edit(t, "cps.yaml", "  advertise:\n", "  push: {webhooks: [{name: centre, url: \""+centre.URL+"/calls\", key: webhook.key, resources: [2-"+called+"]}]}\n  advertise:\n")
	cps := b.serve(t, here, "cps.yaml")
	token := b.lab.sign(t)
	foreign{b, "1234"}.publishes(t, "/cps/"+called+"/ppts", token).wants(t, "published", "201")

	var got delivery
	select {
	case got = <-deliveries:
	case <-time.After(patience):
		t.Fatal("the call centre is told nothing")
	}
	parts := regexp.MustCompile(`^t=(\d+),v1=([0-9a-f]{64})$`).FindStringSubmatch(got.signature)
	if parts == nil {
		t.Fatalf("signed %q", got.signature)
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(parts[1] + "." + got.body))
	if sum := hex.EncodeToString(mac.Sum(nil)); sum != parts[2] {
		t.Errorf("signature %s, want %s", parts[2], sum)
	}
	if !strings.HasPrefix(got.body, "[{") || !strings.Contains(got.body, `"`+token+`"`) || !strings.Contains(got.body, `"`+called+`"`) {
		t.Errorf("told %s", got.body)
	}
	await(t, "a delivery that is counted", func() bool {
		return cps.metric(t, "oob_cps_webhook_records_total", `webhook="centre"`, `outcome="delivered"`) == 1
	})
}
