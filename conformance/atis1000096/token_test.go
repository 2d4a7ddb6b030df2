package atis1000096_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/conformance/pairtest"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

func TestATIS96_18_NoTokenIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, authorization := range [][]string{{}, {""}, {"Bearer"}, {"Basic QTpC"}} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Authorization = authorization })
	}
}

func TestATIS96_19_TokenIsES256(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, alg := range []string{`"none"`, `"HS256"`, `"ES384"`, `"RS256"`, `""`, `1`} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) {
			a.JOSE = fmt.Appendf(nil, `{"alg":%s,"x5u":"%s"}`, alg, a.Signer.X5U)
		})
	}
}

func TestATIS96_20_TokenHasX5U(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.JOSE = []byte(`{"alg":"ES256"}`) })
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { // not https
		a.JOSE = fmt.Appendf(nil, `{"alg":"ES256","x5u":"%s"}`, strings.Replace(a.Signer.X5U, "https", "http", 1))
	})
}

func TestATIS96_21_TokenNeedsNoTyp(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, a := range p.Both() {
		a.JOSE = fmt.Appendf(nil, `{"alg":"ES256","x5u":"%s"}`, a.Signer.X5U)
		if got := p.Ask(a); got.Status >= 400 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
}

func TestATIS96_22_TokenSignatureVerifies(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	third := p.Issue(oobtest.IssueConfig{SPC: "890C"})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Signer = pairtest.WithKeyOf(a.Signer, third) })
}

func TestATIS96_23_ChainIsTrusted(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Signer = p.Stranger(a.Signer.SPC) })
}

func TestATIS96_25_CertificateIsValid(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, c := range []oobtest.IssueConfig{{NotAfter: p.Clock.Now().Add(-time.Minute)}, {NotBefore: p.Clock.Now().Add(time.Hour)}} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) {
			c.SPC = a.Signer.SPC
			a.Signer = p.Issue(c)
		})
	}
}

func TestATIS96_26_IATIsPresent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, iat := range []string{`"x":`, `"iat":null,"x":`, `"iat":"1795316200","x":`, `"iat":1795316200.0,"x":`} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { p.Claim(a, `"iat":`, iat) })
	}
}

func TestATIS96_27_StaleTokenIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.TokenStale, func(a *oobtest.Attempt) { a.Access.IssuedAt = p.Clock.Now().Add(-61 * time.Second) })
	a := p.Publish(form, p.Passport("x"))
	a.Access.IssuedAt = p.Clock.Now().Add(-60 * time.Second)
	p.Created(a)
}

func TestATIS96_28_FutureTokenIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.TokenStale, func(a *oobtest.Attempt) { a.Access.IssuedAt = p.Clock.Now().Add(6 * time.Second) })
	a := p.Publish(form, p.Passport("x"))
	a.Access.IssuedAt = p.Clock.Now().Add(5 * time.Second)
	p.Created(a)
}

func TestATIS96_29_ActionMatches(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) {
		a.Access.Action = map[oob.Action]oob.Action{oob.ActionPublish: oob.ActionRetrieve, oob.ActionRetrieve: oob.ActionPublish}[a.Access.Action]
	})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Action = "" })
}

func TestATIS96_30_SubIsPresent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.Subject = "" })
}

func TestATIS96_31_IssIsPresent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Issuer = "" })
}

func TestATIS96_32_IssIsInTNAuthList(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.Issuer, a.Access.Subject = "890C", "890C" })
}

func TestATIS96_33_SubIsInTNAuthList(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.Subject = "890C" })
}

func TestATIS96_34_AudIsTheName(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, name := range []string{"cps.example.net", oobtest.CPSAudience + ":443", "https://" + oobtest.CPSAudience, oobtest.CPSAudience + ".", strings.ToUpper(oobtest.CPSAudience)} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Audience = []string{name} })
	}
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Audience = nil })
}

func TestATIS96_35_AudIsNotTheHostHeader(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.Audience = []string{p.CPS.Host} })
	p.Created(p.Publish(form, p.Passport("x"))) // :authority is the address and port
}

func TestATIS96_36_AudMayBeAnArray(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, names := range []string{`["` + oobtest.CPSAudience + `"]`, `["cps.example.net","` + oobtest.CPSAudience + `"]`} {
		a := p.Publish(form, p.Passport("x"))
		p.Claim(a, `"aud":"`+oobtest.CPSAudience+`"`, `"aud":`+names)
		p.Created(a)
	}
}

func TestATIS96_37_JTIIsPresent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	for _, id := range []string{"", "1", "2f0c8a52-3f0e-1c55-9a41-0a1d3e6b7c11"} {
		p.RefusesBoth(401, oob.Unproven, func(a *oobtest.Attempt) { a.Access.ID = id })
	}
}

func TestATIS96_38_ReplayIs401(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("1"))
	p.Created(a)
	again := p.Publish(form, p.Passport("2"))
	again.Access.ID = a.Access.ID
	p.Refused(again, 401, oob.Replayed)
	r := p.Retrieve(form)
	p.Brings(r, p.Passport("1"))
	p.Refused(r, 401, oob.Replayed)
}

func TestATIS96_39_RetryIsAnsweredAlike(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	first, stats := p.Ask(a), p.CPS.Store.Stats()
	for range 2 {
		if again := p.Ask(a); first.Status != 201 || again.Status != 201 || again.Body != first.Body || p.CPS.Store.Stats() != stats {
			t.Errorf("%+v, then %+v", first, again)
		}
		p.Wait(30 * time.Second) // the record expires meanwhile
		stats = p.CPS.Store.Stats()
	}
}

func TestATIS96_40_DestMatchesPath(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { a.Access.Dest = p.Orig })
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { p.Claim(a, `"dest":`, `"x":`) })
	for _, dest := range []string{`["` + oobtest.CalledNumber + `"]`, `"` + oobtest.CalledNumber + `"`} {
		a := p.Publish(form, p.Passport("x"))
		p.Claim(a, `"dest":{"tn":["`+oobtest.CalledNumber+`"]}`, `"dest":{"tn":`+dest+`}`)
		p.Created(a)
	}
}

func TestATIS96_41_OrigMatchesPath(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { a.Access.Orig = p.Dest })
	p.RefusesBoth(403, oob.IdentityMismatch, func(a *oobtest.Attempt) { p.Claim(a, `"orig":`, `"x":`) })
	for _, orig := range []string{`"` + oobtest.CallingNumber + `"`, `["` + oobtest.CallingNumber + `"]`} {
		a := p.Publish(form, p.Passport("x"))
		p.Claim(a, `"orig":{"tn":"`+oobtest.CallingNumber+`"}`, `"orig":{"tn":`+orig+`}`)
		p.Created(a)
	}
}

func TestATIS96_42_DigestIsPresent(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	a := p.Publish(form, p.Passport("x"))
	a.Access.Digest = ""
	p.Refused(a, 400, oob.DigestMismatch)
}

func TestATIS96_43_DigestForm(t *testing.T) {
	if got := atis.Digest([]string{"AAA.BBB.CCC", "DDD.EEE.FFF"}); got != "sha256-D5hlTCDy/ZZUl3ySAchyMlcLSw5K+bviM68tx7Qog0A=" {
		t.Error(got)
	}
	p := start(t, oobtest.CPSConfig{})
	for name, other := range map[string]func(string) string{
		"no padding":   func(s string) string { return strings.TrimRight(s, "=") },
		"base64url":    strings.NewReplacer("+", "-", "/", "_").Replace,
		"no algorithm": func(s string) string { return strings.TrimPrefix(s, "sha256-") },
		"upper case":   func(s string) string { return "SHA256-" + strings.TrimPrefix(s, "sha256-") },
	} {
		a := p.Publish(form, p.Passport(name))
		digest := other(a.Access.Digest)
		if digest == a.Access.Digest {
			continue // it has neither + nor /
		}
		a.Access.Digest = digest
		p.Refused(a, 400, oob.DigestMismatch)
	}
}

func TestATIS96_44_WrongDigestIs400(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one, two := p.Passport("1"), p.Passport("2")
	a := p.Publish(form, one, two)
	a.Access.Digest = atis.Digest([]string{two, one})
	p.Refused(a, 400, oob.DigestMismatch)
}

func TestATIS96_45_DigestIsOverTheParsedList(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	one, two := p.Passport("1"), p.Passport("2")
	a := p.Publish(form, one, two)
	a.Body = []byte("\n{ \"passports\" :\t[ \"" + one + "\",\r\n\"" + strings.Replace(two, ".", `\u002e`, 1) + "\" ] }\n")
	p.Created(a)
	p.Holds(one, two)
}

func TestATIS96_46_RetrievalNeedsNoDigest(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.Created(p.Publish(form, p.Passport("x")))
	a := p.Retrieve(form)
	if a.Access.Digest != "" {
		t.Fatal("it has one")
	}
	p.Brings(a, p.Passport("x"))
}

func TestATIS96_47_AgreedTokenIsRefused(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.SPC, a.Access.Subject = a.Access.Issuer, "" })
	p.RefusesBoth(403, oob.OutOfScope, func(a *oobtest.Attempt) { a.Access.SPC = a.Access.Issuer })
}

func TestATIS96_74_ExpIsAnExpiry(t *testing.T) {
	p := start(t, oobtest.CPSConfig{})
	p.RefusesBoth(401, oob.TokenStale, func(a *oobtest.Attempt) { a.Access.Deadline = p.Clock.Now().Add(-5 * time.Second) })
	token := p.Passport("x")
	a := p.Publish(form, token)
	a.Access.Deadline = p.Clock.Now().Add(time.Second)
	p.Created(a)
	p.Wait(10 * time.Second) // it says nothing about the record
	p.Holds(token)
}

func TestATIS96_24_NoCertificateIsRevoked(t *testing.T) {
	start(t, oobtest.CPSConfig{}).NoneIsRevoked()
}
