package rfc8224_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

const (
	none          = oob.VerstatNoValidation
	staleDate     = "Stale Date"
	badInfo       = "Bad identity Info"
	badCredential = "Unsupported credential"
	badHeader     = "Invalid Identity Header"
)

func TestRFC8224_08_AlgIsES256WhenAbsent(t *testing.T) {
	l := calltest.Start(t)
	value := func(alg string) string {
		return l.Sign(l.Signer, passport.Shaken, passport.Claims{}) + ";info=<" + l.Signer.X5U + ">" + alg + ";ppt=shaken"
	}
	for _, alg := range []string{"", ";alg=ES256", `;alg="ES256"`} {
		calltest.Passes(t, l.Verify(value(alg)))
	}
	for _, alg := range []string{";alg=RS256", ";alg=none", ";alg=es256", ";alg=ES256K", `;alg="HS256"`} {
		calltest.Answers(t, l.Verify(value(alg)), 437, badCredential, none)
	}
}

// Each of three header fields is the good one in turn, and each of the others is bad in its way.
func TestRFC8224_09_HeaderFieldsHaveNoOrder(t *testing.T) {
	l := calltest.Start(t)
	stale := calltest.Field(l.Sign(l.Signer, passport.Shaken, passport.Claims{IAT: l.Clock.Now().Add(-61 * time.Second)}))
	stranger := calltest.Field(l.Sign(l.Stranger(), passport.Shaken, passport.Claims{}))
	good := l.Shaken()
	for _, fields := range [][]string{
		{good, stale, stranger}, {stale, good, stranger}, {stale, stranger, good}, {stranger, stale, good},
		{good + "," + stale, stranger}, {stranger + ", " + stale + " ,\t" + good},
	} {
		v := l.Verify(fields...)
		calltest.Passes(t, v)
		if len(v.Tokens) != 3 {
			t.Errorf("%d of 3 PASSporTs have a verdict", len(v.Tokens))
		}
	}
	calltest.Answers(t, l.Verify(stale, stale), 403, staleDate, none)
}

func TestRFC8224_15_InfoIsTheX5UOfThePassport(t *testing.T) {
	l := calltest.Start(t)
	other := l.Serve("/other.pem", l.Signer.ChainPEM) // the same certificate, and yet another URI
	host := strings.TrimPrefix(l.Signer.X5U, "https://")
	for _, info := range []string{other, "HTTPS://" + host, "https://" + strings.Replace(host, "127.0.0.1", "localhost", 1), l.Signer.X5U + "/", l.Signer.X5U + "?"} {
		value := l.Sign(l.Signer, passport.Shaken, passport.Claims{}) + ";info=<" + info + ">;alg=ES256;ppt=shaken"
		calltest.Answers(t, l.Verify(value), 436, badInfo, none)
	}
	calltest.Passes(t, l.Verify(l.Shaken()))
}

// The ppt of the header field and that of the PASSporT are of one type; the former may be left out, the latter not.
func TestRFC8224_16_PPTOfFieldAndPassportAgree(t *testing.T) {
	l := calltest.Start(t)
	value := func(header calltest.Members, ppt string) string {
		return l.Forge(header, nil) + ";info=<" + l.Signer.X5U + ">;alg=ES256" + ppt
	}
	calltest.Passes(t, l.Verify(value(nil, ";ppt=shaken")))
	calltest.Passes(t, l.Verify(value(nil, "")))
	div := calltest.Members{"ppt": "div"}
	calltest.Answers(t, l.Verify(value(div, ";ppt=shaken")), 438, badHeader, none)
	calltest.Answers(t, l.Verify(value(nil, ";ppt=div")), 438, badHeader, none)
	calltest.Answers(t, l.Verify(value(calltest.Members{"ppt": nil}, ";ppt=shaken")), 436, badInfo, none)
	calltest.Answers(t, l.Verify(value(calltest.Members{"ppt": "Shaken"}, ";ppt=shaken")), 438, badHeader, none)
}

// Whatever stands in the header field beside the token cannot change what the token says.
func TestRFC8224_11_UnknownParametersChangeNothing(t *testing.T) {
	l := calltest.Start(t)
	want := l.Shaken()
	for _, more := range []string{";x", ";x=y", `;attest="A"`, ";orig=12155550199", `;x="a,b;c=\"d\""`, ";canon=abc"} {
		v := l.Verify(want + more)
		calltest.Passes(t, v)
		if h, err := identity.Parse(want); err != nil || v.Passport != h.Token || v.Attest != "A" {
			t.Errorf("%s: attest %s, %v", more, v.Attest, err)
		}
	}
}

// More header fields than are read take no time and hide nothing that was read.
func TestRFC8224_14_HeaderFieldsAreBounded(t *testing.T) {
	l := calltest.Start(t)
	var fields []string
	for i := range identity.HeadersMax - 1 {
		fields = append(fields, fmt.Sprintf("a.b.c%d;info=<https://example.com/c>;ppt=shaken", i))
	}
	calltest.Passes(t, l.Verify(append(fields, l.Shaken())...))
	v := l.Verify(append(fields, fields[0], l.Shaken())...)
	calltest.Answers(t, v, 438, badHeader, none)
	if len(v.Tokens) != identity.HeadersMax {
		t.Errorf("%d are judged", len(v.Tokens))
	}
	if n := l.Verifier.Stats().Fetches; n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestRFC8224_19_URIsAreComparedInNormalForm(t *testing.T) {
	l := calltest.Start(t)
	alice := calltest.Party("sip:alice@example.com")
	for _, c := range []struct {
		name, uri string
		ok        bool
	}{
		{"as it is", "sip:alice@example.com", true},
		{"capitals", "SIP:Alice@EXAMPLE.com", true},
		{"port and parameters", "sip:alice@example.com:5060;transport=tcp?Subject=x", true},
		{"escaped", "sip:%61lice@example.com", true},
		{"another user", "sip:bob@example.com", false},
		{"another host", "sip:alice@example.org", false},
		{"sips is not sip", "sips:alice@example.com", false},
		{"a number is no URI", "sip:12155550121@example.com", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := calltest.Call(calltest.Field(l.Forge(nil, calltest.Members{"orig": calltest.Members{"uri": c.uri}})))
			call.Orig = alice
			v := l.Service(nil).Verify(t.Context(), call)
			if c.ok {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, 438, badHeader, none)
			}
			call = calltest.Call(calltest.Field(l.Forge(nil, calltest.Members{"dest": calltest.Members{"uri": []string{"urn:service:sos", c.uri}}})))
			call.Dest = alice
			v = l.Service(nil).Verify(t.Context(), call)
			if c.ok {
				calltest.Passes(t, v)
			} else {
				calltest.Answers(t, v, 438, badHeader, none)
			}
		})
	}
}

// A call without media keys, with them, and with others, for each type that is sent.
func TestRFC8224_24_KeysOfTheMediaAreOnlyAskedOfBasePassports(t *testing.T) {
	l := calltest.Start(t)
	keys := []passport.KeyDigest{{Alg: "sha-256", Dig: "02FAB1"}, {Alg: "sha-256", Dig: "021ACC"}}
	call := calltest.Call(l.Shaken())
	call.Fingerprints = keys
	calltest.Passes(t, l.Service(nil).Verify(t.Context(), call))
	call = calltest.Call(calltest.Field(l.Sign(l.Signer, passport.Shaken, passport.Claims{MKY: keys[:1]}))) // what is signed counts in any type
	call.Fingerprints = keys
	calltest.Answers(t, l.Service(nil).Verify(t.Context(), call), 438, badHeader, none)
	base := func(claims passport.Claims) oob.Verdict {
		call := calltest.Call(calltest.Field(l.Sign(l.Signer, passport.Base, claims)))
		call.Fingerprints = keys
		s := l.Service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
		return s.Verify(t.Context(), call)
	}
	if v := base(passport.Claims{MKY: keys}); v.Verstat != oob.VerstatPassed {
		t.Errorf("%s %s", v.Verstat, v.Case)
	}
	another := passport.KeyDigest{Alg: "sha-256", Dig: "03"}
	for _, signed := range [][]passport.KeyDigest{nil, {another}, keys[:1], append(keys[:2:2], another), {keys[0], another}, {keys[0], {Alg: "sha-512", Dig: keys[1].Dig}}} {
		calltest.Answers(t, base(passport.Claims{MKY: signed}), 438, badHeader, none)
	}
}
