package passport_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// with puts members behind the opening brace of the payload of a base PASSporT.
func with(members string) string { return strings.Replace(basePayload, "{", "{"+members+",", 1) }

func TestRFC8443_S3_RPHIsAnObjectOfResourcePriorities(t *testing.T) {
	for _, c := range []partCase{
		{"one value", `{"auth":["ets.0"]}`, 0},
		{"several namespaces", `{"auth":["esnet.1","ets.0","q735.1","wps.1"]}`, 0},
		{"every character of a token", `{"auth":["aZ09-!%*_+` + "`" + `'~.x"]}`, 0},
		{"a kind of assertion that nobody knows, beside auth", `{"auth":["ets.0"],"other":1}`, 0},
		{"sixteen", `{"auth":[` + strings.Repeat(`"wps.0",`, 15) + `"wps.0"]}`, 0},
		{"seventeen", `{"auth":[` + strings.Repeat(`"wps.0",`, 16) + `"wps.0"]}`, passport.RPHForm},
		{"no auth", `{"other":["ets.0"]}`, passport.RPHForm},
		{"empty", `{}`, passport.RPHForm},
		{"no values", `{"auth":[]}`, passport.RPHForm},
		{"bare string", `{"auth":"ets.0"}`, passport.RPHForm},
		{"auth null", `{"auth":null}`, passport.RPHForm},
		{"number", `{"auth":[0]}`, passport.RPHForm},
		{"array", `["ets.0"]`, passport.RPHForm},
		{"string", `"ets.0"`, passport.RPHForm},
		{"null", `null`, passport.RPHForm},
		{"without a dot", `{"auth":["ets"]}`, passport.RPHForm},
		{"two dots", `{"auth":["ets.0.1"]}`, passport.RPHForm},
		{"without priority", `{"auth":["ets."]}`, passport.RPHForm},
		{"without namespace", `{"auth":[".0"]}`, passport.RPHForm},
		{"a whole header value", `{"auth":["ets.0, wps.0"]}`, passport.RPHForm},
		{"a line break", `{"auth":["ets.0\r\nX: y"]}`, passport.RPHForm},
		{"not ASCII", `{"auth":["éts.0"]}`, passport.RPHForm},
		{"one good, one bad", `{"auth":["ets.0",""]}`, passport.RPHForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, forge(t, headerOf(passport.RPH), with(`"rph":`+c.part)), c.want)
		})
	}
	checkPayloads(t, headerOf(passport.RPH), []partCase{
		{"missing", basePayload, passport.ClaimMissing},
		{"twice", with(`"rph":{"auth":["ets.0"]},"rph":{"auth":["ets.0"]}`), passport.PayloadForm},
		{"auth twice", with(`"rph":{"auth":["ets.0"],"auth":["wps.0"]}`), passport.PayloadForm},
	})
	checkPayloads(t, shakenHeader, []partCase{
		{"malformed in another type", strings.Replace(shakenPayload, "{", `{"rph":{},`, 1), passport.RPHForm},
	})
}

func TestRFC8443_S3_ValuesAreKeptInTheirOrder(t *testing.T) {
	token := check(t, forge(t, headerOf(passport.RPH), with(`"rph":{"auth":["wps.2","ets.0"]}`)), 0)
	if !slices.Equal(token.Claims.RPH, []string{"wps.2", "ets.0"}) || token.Claims.SPH != "" {
		t.Errorf("%q %q", token.Claims.RPH, token.Claims.SPH)
	}
}

func TestRFC9027_S4_SPHIsPSAPCallbackBesideEsnet(t *testing.T) {
	for _, c := range []struct {
		name, rph, sph string
		want           passport.Problem
	}{
		{"esnet.0", `["esnet.0"]`, `"psap-callback"`, 0},
		{"esnet.4 among others", `["ets.0","esnet.4"]`, `"psap-callback"`, 0},
		{"another namespace", `["ets.0"]`, `"psap-callback"`, passport.SPHForm},
		{"esnet beyond 4", `["esnet.5"]`, `"psap-callback"`, passport.SPHForm},
		{"esnet with more behind", `["esnet.01"]`, `"psap-callback"`, passport.SPHForm},
		{"a namespace that ends so", `["x-esnet.0"]`, `"psap-callback"`, passport.SPHForm},
		{"another value", `["esnet.0"]`, `"emergency"`, passport.SPHForm},
		{"in upper case", `["esnet.0"]`, `"PSAP-CALLBACK"`, passport.SPHForm},
		{"empty", `["esnet.0"]`, `""`, passport.SPHForm},
		{"null", `["esnet.0"]`, `null`, passport.SPHForm},
		{"array", `["esnet.0"]`, `["psap-callback"]`, passport.SPHForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, payload := range []string{ // whichever comes first
				with(`"rph":{"auth":` + c.rph + `},"sph":` + c.sph), with(`"sph":` + c.sph + `,"rph":{"auth":` + c.rph + `}`),
			} {
				token := check(t, forge(t, headerOf(passport.RPH), payload), c.want)
				if c.want == 0 && token.Claims.SPH != "psap-callback" {
					t.Errorf("SPH = %q", token.Claims.SPH)
				}
			}
		})
	}
	checkPayloads(t, baseHeader, []partCase{{"without rph", with(`"sph":"psap-callback"`), passport.SPHForm}})
}

func TestSignRefusesPrioritiesThatParseWould(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*passport.Claims)
		want   passport.Problem
	}{
		{"good", func(c *passport.Claims) { c.RPH, c.SPH = []string{"ets.0", "esnet.0"}, "psap-callback" }, 0},
		{"no rph", func(*passport.Claims) {}, passport.ClaimMissing},
		{"no value", func(c *passport.Claims) { c.RPH = []string{""} }, passport.RPHForm},
		{"not UTF-8", func(c *passport.Claims) { c.RPH = []string{"\xff.0"} }, passport.RPHForm},
		{"too many", func(c *passport.Claims) { c.RPH = slices.Repeat([]string{"ets.0"}, 17) }, passport.RPHForm},
		{"sph without esnet", func(c *passport.Claims) { c.RPH, c.SPH = []string{"ets.0"}, "psap-callback" }, passport.SPHForm},
		{"another sph", func(c *passport.Claims) { c.RPH, c.SPH = []string{"esnet.0"}, "x" }, passport.SPHForm},
		{"rph as a further claim", func(c *passport.Claims) {
			c.Extra = []passport.Member{{Name: "rph", Value: `{"auth":["ets.0"]}`}}
		}, passport.Unsignable},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := baseClaims(t)
			c.change(&claims)
			checkSigned(t, testKey(t), passport.RPH, testX5U, claims, c.want)
		})
	}
}
