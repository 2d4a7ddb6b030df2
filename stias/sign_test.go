package stias_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8224_S6_1_DateIsNearNow(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	for _, c := range []struct {
		name string
		date time.Time
		want error
	}{
		{"none", time.Time{}, nil},
		{"a minute ago", now.Add(-time.Minute), nil},
		{"longer ago", now.Add(-time.Minute - time.Nanosecond), stias.StaleDate},
		{"in a minute", now.Add(time.Minute), nil},
		{"in more", now.Add(time.Minute + time.Nanosecond), stias.StaleDate},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}, Date: c.date})
			if !errors.Is(err, c.want) || (signed.Passport == "") != (c.want != nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			want := c.date
			if want.IsZero() {
				want = now
			}
			if err == nil && !signed.IAT.Equal(want.Truncate(time.Second)) {
				t.Errorf("iat %s, want that of the Date %s", signed.IAT, want)
			}
		})
	}
}

// A PASSporT is dated by the request: that instant lies inside the validity of the certificate too.
func TestRFC8224_S6_1_DateIsInsideTheCertificate(t *testing.T) {
	start := now.Truncate(time.Second)
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234", NotBefore: start})))
	call := stias.Call{Orig: caller, Dest: []tn.Identity{called}, Date: start.Add(-time.Second)}
	if signed, err := s.Sign(call); err == nil || signed.Passport != "" {
		t.Errorf("%+v", signed)
	}
}

func TestSign_WhatFitsIsNotSignedAgain(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "567B"})
	shaken := func(ppt passport.Type, orig tn.Identity, age time.Duration, dest ...tn.Identity) string {
		claims := passport.Claims{IAT: now.Add(-age), Orig: orig, Dest: dest}
		if ppt == passport.Shaken {
			claims.Attest, claims.OrigID = "B", origid
		}
		token, err := passport.Sign(id.Key, ppt, id.X5U, claims)
		if err != nil {
			t.Fatal(err)
		}
		return identity.Header{Token: token, Info: id.X5U, Alg: "ES256", PPT: string(ppt)}.String()
	}
	cfg := config(t, credential(t, oobtest.IssueConfig{SPC: "1234"}))
	cfg.Policy.Rows = []stias.Row{{Trunks: []string{"anew"}, Attest: "C", Resign: true}}
	s := service(t, cfg)
	for _, c := range []struct {
		name    string
		trunk   string
		carried []string
		want    error
	}{
		{"nothing", "", nil, nil},
		{"one that fits", "", []string{shaken(passport.Shaken, caller, time.Second, called)}, stias.AlreadySigned},
		{"one that fits among others", "", []string{"x", shaken(passport.Shaken, caller, 0, called, forwarded)}, stias.AlreadySigned},
		{"one that fits, on a trunk where all is signed", "anew", []string{shaken(passport.Shaken, caller, 0, called)}, nil},
		{"number translation: another called party", "", []string{shaken(passport.Shaken, caller, 0, forwarded)}, nil},
		{"another caller", "", []string{shaken(passport.Shaken, foreign, 0, called)}, nil},
		{"stale", "", []string{shaken(passport.Shaken, caller, 2*time.Minute, called)}, nil},
		{"of another type", "", []string{shaken(passport.Base, caller, 0, called)}, nil},
		{"garbage", "", []string{"", "a.b.c", "..c2ln;info=<https://example.com/a.pem>"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}, Trunk: c.trunk, Carried: c.carried})
			if !errors.Is(err, c.want) || (signed.Passport == "") != (c.want != nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestRFC8224_S4_MediaKeysAreSigned(t *testing.T) {
	s := service(t, config(t, credential(t, oobtest.IssueConfig{SPC: "1234"})))
	signed, err := s.Sign(stias.Call{Orig: caller, Dest: []tn.Identity{called}, Fingerprints: []passport.KeyDigest{{Alg: "sha-256", Dig: "02"}, {Alg: "sha-256", Dig: "01"}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := passport.Diagnose(signed.Passport); !strings.Contains(d.Payload, `"mky":[{"alg":"sha-256","dig":"01"},{"alg":"sha-256","dig":"02"}]`) {
		t.Errorf("%s", d.Payload)
	}
}
