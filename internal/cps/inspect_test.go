package cps_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// raw is a token of any header and payload, signed by the upstream provider.
func (p *pair) raw(header, payload string) string {
	p.Helper()
	token, err := jws.Sign(p.Upstream.Key, []byte(header), []byte(payload))
	if err != nil {
		p.Fatal(err)
	}
	return token
}

// typed is a PASSporT of the call of any type, with more claims.
func (p *pair) typed(ppt, more string) string {
	p.Helper()
	c := string(p.rawClaims())
	return p.raw(`{"alg":"ES256","ppt":"`+ppt+`","typ":"passport","x5u":"`+p.Upstream.X5U+`"}`, strings.TrimSuffix(c, "}")+more+"}")
}

// rawClaims are the claims that every type has.
func (p *pair) rawClaims() []byte {
	p.Helper()
	token := p.signed(passport.Base, nil)
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		p.Fatal(err)
	}
	return claims
}

func forged(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	return token[:i] + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
}

var depthNames = map[cps.Depth]string{cps.InspectVerify: "verify", cps.InspectMatch: "match", cps.InspectOff: "off"}

func TestInspectionDepths(t *testing.T) {
	for _, c := range []struct {
		name          string
		passport      func(p *pair) string
		verify, match oob.Kind // Internal, the zero Kind, for acceptance
		unreachable   bool     // whether its certificate is, when it is stored
	}{
		{name: "good", passport: func(p *pair) string { return p.Passport("x") }},
		{name: "forged", passport: func(p *pair) string { return forged(p.Passport("x")) }, verify: oob.PassportInvalid},
		{name: "unreachable certificate", passport: func(p *pair) string {
			return p.signedBy(p.Upstream.Key, p.Repository.URL+"/nothing", passport.Shaken, nil)
		}, unreachable: true},
		{name: "http x5u", passport: func(p *pair) string {
			return p.signedBy(p.Upstream.Key, "http://cert.example.org/a.pem", passport.Shaken, nil)
		}, verify: oob.PassportInvalid},
		{name: "stale", passport: func(p *pair) string {
			return p.signed(passport.Shaken, func(c *passport.Claims) { c.IAT = c.IAT.Add(-61 * time.Second) })
		}, verify: oob.PassportStale, match: oob.PassportStale},
		{name: "of another caller", passport: func(p *pair) string {
			return p.signed(passport.Shaken, func(c *passport.Claims) { c.Orig = p.number("12025550000") })
		}, verify: oob.IdentityMismatch, match: oob.IdentityMismatch},
		{name: "no PASSporT", passport: func(*pair) string { return "AAA.BBB.CCC" }, verify: oob.PassportInvalid, match: oob.PassportInvalid},
	} {
		for depth, want := range map[cps.Depth]oob.Kind{cps.InspectVerify: c.verify, cps.InspectMatch: c.match, cps.InspectOff: oob.Internal} {
			for _, profile := range oobtest.Forms() {
				t.Run(c.name+"/"+depthNames[depth]+"/"+profile.String(), func(t *testing.T) {
					p := startPair(t, oobtest.CPSConfig{Inspector: &cps.Inspector{Depth: depth}})
					token := c.passport(p)
					a := p.Publish(profile, token)
					if want != oob.Internal {
						p.refused(a, want)
						p.counted(map[string]int64{"refused": 1})
						p.holds(profile)
						return
					}
					p.created(a)
					p.holds(profile, token)
					outcome := "unverified"
					switch {
					case depth == cps.InspectVerify && c.unreachable:
						outcome = "unreachable"
					case depth == cps.InspectVerify:
						outcome = "verified"
					}
					p.counted(map[string]int64{outcome: 1})
				})
			}
		}
	}
}

func TestPassportFreshnessIsItsOwn(t *testing.T) {
	for _, c := range []struct {
		window oob.Freshness
		iat    time.Duration
		fresh  bool
	}{
		{oob.Freshness{}, -60 * second, true}, {oob.Freshness{}, -61 * second, false},
		{oob.Freshness{}, 60 * second, true}, {oob.Freshness{}, 61 * second, false},
		{oob.Freshness{Past: 10 * second}, -10 * second, true}, {oob.Freshness{Past: 10 * second}, -11 * second, false},
		{oob.Freshness{Past: 10 * second}, second, false},
	} {
		p := startPair(t, oobtest.CPSConfig{Inspector: &cps.Inspector{Freshness: c.window}})
		a := p.Publish(oob.Mesh, p.signed(passport.Shaken, func(claims *passport.Claims) { claims.IAT = claims.IAT.Add(c.iat) }))
		if c.fresh {
			p.created(a)
		} else {
			p.refused(a, oob.PassportStale)
		}
	}
}

// TestATIS1000096_S7_WhatTravelsTogetherIsTaken: types that are judged elsewhere are taken with the claims that all types
// have, once their signature verifies.
func TestATIS1000096_S7_WhatTravelsTogetherIsTaken(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		good := []string{
			p.Passport("x"),
			p.signed(passport.Base, nil),
			p.typed("rcd", `,"rcd":{"nam":"Example"}`),
			p.typed("rph", `,"rph":{"auth":["esnet.0"]},"sph":"psap-callback"`),
			p.typed("x-unheard-of", ""),
		}
		p.publish(profile, good...)
		p.holds(profile, good...)
		p.counted(map[string]int64{"verified": int64(len(good))})

		p.refused(p.Publish(profile, forged(good[2])), oob.PassportInvalid)
		p.refused(p.Publish(profile, p.Passport("y"), forged(good[4])), oob.PassportInvalid) // all or none
		p.refused(p.Publish(profile, p.raw(`{"alg":"ES256","typ":"passport","ppt":"rcd","x5u":"`+p.Upstream.X5U+`"}`, `{"rcd":{}}`)), oob.PassportInvalid)
		p.refused(p.Publish(profile, p.raw(`{"alg":"ES256","ppt":"rcd","x5u":"`+p.Upstream.X5U+`"}`, string(p.rawClaims()))), oob.PassportInvalid)
		p.counted(map[string]int64{"verified": int64(len(good)), "refused": 5})
	})
}

func TestATIS1000096_S7_SeveralSigners(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		other := p.issue(oobtest.IssueConfig{SPC: "890C"})
		passports := []string{p.Passport("x"), p.signedBy(other.Key, other.X5U, passport.Shaken, nil)}
		p.publish(profile, passports...)
		p.holds(profile, passports...)
	})
}

// TestRFC9060_S4_DelegateSignsForItsNumbers: what a signer may not say is not stored.
func TestRFC9060_S4_DelegateSignsForItsNumbers(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		held, err := tn.ParseRange("12155550100-12155550199")
		if err != nil {
			p.T.Fatal(err)
		}
		delegate := p.issue(oobtest.IssueConfig{SPC: "890C", TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{held}}})
		p.Orig = p.number("12155550142")
		own := p.signedBy(delegate.Key, delegate.X5U, passport.Base, nil)
		p.publish(profile, own)
		p.holds(profile, own)
		p.refused(p.Publish(profile, p.signedBy(delegate.Key, delegate.X5U, passport.Shaken, nil)), oob.OutOfScope)
		p.Orig = p.number("12155550200")
		p.refused(p.Publish(profile, p.signedBy(delegate.Key, delegate.X5U, passport.Base, nil)), oob.OutOfScope)
	})
}

// TestRFC8946_S4_DivLeadsToTheKey: a PASSporT for an earlier called number belongs to the call if div PASSporTs lead from
// there to the number of the key.
func TestRFC8946_S4_DivLeadsToTheKey(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	first, second, third := p.number("12025550001"), p.number("12025550002"), p.number("12025550003")
	to := func(dest tn.Identity) string {
		return p.signed(passport.Shaken, func(c *passport.Claims) { c.Dest = []tn.Identity{dest} })
	}
	div := func(from, dest tn.Identity) string {
		return p.signed(passport.Div, func(c *passport.Claims) { c.Div, c.Dest = from, []tn.Identity{dest} })
	}
	for _, c := range []struct {
		name      string
		passports []string
		want      oob.Kind // Internal for acceptance
	}{
		{"no diversion", []string{to(p.Dest)}, oob.Internal},
		{"one", []string{to(first), div(first, p.Dest)}, oob.Internal},
		{"two, in any order", []string{div(second, p.Dest), to(first), div(first, second)}, oob.Internal},
		{"div alone", []string{div(first, p.Dest)}, oob.Internal},
		{"no div", []string{to(first)}, oob.IdentityMismatch},
		{"a gap", []string{to(first), div(first, second), div(third, p.Dest)}, oob.IdentityMismatch},
		{"in the wrong direction", []string{to(first), div(p.Dest, first)}, oob.IdentityMismatch},
		{"in a circle", []string{to(first), div(first, second), div(second, first)}, oob.IdentityMismatch},
		{"one that leads elsewhere", []string{to(p.Dest), div(p.Dest, first)}, oob.IdentityMismatch},
		{"several called numbers", []string{p.signed(passport.Shaken, func(c *passport.Claims) { c.Dest = []tn.Identity{first, p.Dest} })}, oob.Internal},
		{"a caller on the way is another", []string{to(p.Dest), p.signed(passport.Div, func(c *passport.Claims) { c.Div, c.Orig = first, second })}, oob.IdentityMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.T = t
			a := p.Publish(oob.Agreed, c.passports...)
			if c.want == oob.Internal {
				p.created(a)
			} else {
				p.refused(a, c.want)
			}
		})
	}
}

func TestATIS1000096_S7_PartiesMayBeURIs(t *testing.T) {
	inBothForms(t, oobtest.CPSConfig{}, func(p *pair, profile oob.Profile) {
		p.Dest = p.number("urn:service:sos")
		p.Orig = p.number("sip:alice@example.com")
		token := p.signed(passport.Shaken, nil)
		p.publish(profile, token)
		p.holds(profile, token)
		a := p.Retrieve(profile) // as it also may be written
		a.Path = strings.ReplaceAll(strings.ReplaceAll(a.Path, ":", "%3A"), "@", "%40")
		p.brings(a, token)
	})
}

// TestPassportsAreVerifiedWithTheCertificateOfNow: a certificate that has been renewed under the same x5u is fetched
// again when a signature does not verify.
func TestPassportsAreVerifiedWithTheCertificateOfNow(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	old := p.issue(oobtest.IssueConfig{SPC: "890C", Path: "/890C.pem"})
	p.publish(oob.Mesh, p.signedBy(old.Key, old.X5U, passport.Shaken, nil))
	p.wait(time.Minute)
	renewed := p.issue(oobtest.IssueConfig{SPC: "890C", Path: "/890C.pem"})
	p.publish(oob.Mesh, p.signedBy(renewed.Key, renewed.X5U, passport.Shaken, nil))
	p.refused(p.Publish(oob.Mesh, p.signedBy(old.Key, old.X5U, passport.Shaken, nil)), oob.PassportInvalid)
}
