package rfc9795_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

func digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256-" + base64.RawStdEncoding.EncodeToString(sum[:])
}

// shown asks about a call whose shaken PASSporT has such claims besides, with a good signature, and gives what may be shown
// of the caller. The call passes, whatever they are.
func shown(t *testing.T, l *calltest.Laboratory, claims calltest.Members) oob.Rich {
	t.Helper()
	s := l.Service(func(cfg *stivs.Config) { cfg.FetchRich = true })
	v := s.Verify(t.Context(), calltest.Call(calltest.Field(l.Forge(nil, claims))))
	calltest.Passes(t, v)
	if v.Rich == nil {
		return oob.Rich{}
	}
	return *v.Rich
}

func TestRFC9795_30_NothingInsideIsShownUnlessItsDigestIsRight(t *testing.T) {
	l := calltest.Start(t)
	const card = `["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"]]]`
	jcd := []any{"vcard", []any{[]any{"version", struct{}{}, "text", "4.0"}, []any{"fn", struct{}{}, "text", "Q Branch"}}}
	for _, c := range []struct {
		name  string
		rcd   calltest.Members
		rcdi  calltest.Members
		shown bool
	}{
		{"nam, no digest", calltest.Members{"nam": "Q Branch"}, nil, true},
		{"nam, its digest", calltest.Members{"nam": "Q Branch"}, calltest.Members{"/nam": digest(`"Q Branch"`)}, true},
		{"nam, the digest of another", calltest.Members{"nam": "Q Branch"}, calltest.Members{"/nam": digest(`"M"`)}, false},
		{"nam, the digest without quotation marks", calltest.Members{"nam": "Q Branch"}, calltest.Members{"/nam": digest(`Q Branch`)}, false},
		{"apn, the digest of another", calltest.Members{"nam": "Q Branch", "apn": "12155550121"}, calltest.Members{"/apn": digest(`"12155550122"`)}, false},
		{"a digest of nothing", calltest.Members{"nam": "Q Branch"}, calltest.Members{"/apn": digest(`""`)}, false},
		{"a pointer that is none", calltest.Members{"nam": "Q Branch"}, calltest.Members{"nam": digest(`"Q Branch"`)}, false},
		{"a digest of no known kind", calltest.Members{"nam": "Q Branch"}, calltest.Members{"/nam": "md5-1B2M2Y8AsgTpgAmY7PhCfg"}, false},
		{"jcd, its digest", calltest.Members{"nam": "Q Branch", "jcd": jcd}, calltest.Members{"/jcd": digest(card)}, true},
		{"jcd, the digest of another", calltest.Members{"nam": "Q Branch", "jcd": jcd}, calltest.Members{"/jcd": digest(`["vcard",[]]`)}, false},
		{"jcd and jcl", calltest.Members{"nam": "Q Branch", "jcd": jcd, "jcl": "https://example.com/card"}, nil, false},
		{"nam that is no text", calltest.Members{"nam": 7}, nil, false},
		{"no nam", calltest.Members{"apn": "12155550121"}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := calltest.Members{"rcd": c.rcd}
			if c.rcdi != nil {
				claims["rcdi"] = c.rcdi
			}
			got := shown(t, l, claims)
			if (got.Name == "Q Branch") != c.shown || !c.shown && got.Name+got.Alternate+got.Card != "" || (len(got.Unverified) > 0) == c.shown {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A jCard is read once its body is what was signed, and what it refers to must be too.
func TestRFC9795_31_WhatAFetchedCardRefersToIsChecked(t *testing.T) {
	l := calltest.Start(t)
	const logo = "\x89PNG\r\n\x1a\n, as it were"
	logoAt := l.Serve("/logo.png", []byte(logo))
	card := func(photo string) string {
		return `["vcard",[["version",{},"text","4.0"],["fn",{},"text","Q Branch"],["photo",{},"uri","` + photo + `"]]]`
	}
	good := card(logoAt)
	cardAt := l.Serve("/card.json", []byte(good))
	elsewhere := card(l.Serve("/other.png", []byte("another")))
	elsewhereAt := l.Serve("/elsewhere.json", []byte(elsewhere))
	const inside = "/jcl/1/2/3"
	for _, c := range []struct {
		name  string
		jcl   string
		rcdi  calltest.Members
		shown bool
	}{
		{"all as signed", cardAt, calltest.Members{"/jcl": digest(good), inside: digest(logo)}, true},
		{"another card", elsewhereAt, calltest.Members{"/jcl": digest(good), inside: digest(logo)}, false},
		{"another photo", elsewhereAt, calltest.Members{"/jcl": digest(elsewhere), inside: digest(logo)}, false},
		{"a photo without digest", cardAt, calltest.Members{"/jcl": digest(good)}, false},
		{"a card without digest", cardAt, calltest.Members{inside: digest(logo)}, false},
		{"a card that is not there", l.Repository.URL + "/none.json", calltest.Members{"/jcl": digest(good), inside: digest(logo)}, false},
		{"over http", strings.Replace(cardAt, "https:", "http:", 1), calltest.Members{"/jcl": digest(good), inside: digest(logo)}, false},
		{"at a private address", "https://192.168.0.1/card.json", calltest.Members{"/jcl": digest(good), inside: digest(logo)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := shown(t, l, calltest.Members{"rcd": calltest.Members{"nam": "Q", "jcl": c.jcl}, "rcdi": c.rcdi})
			if want := map[bool]string{true: good}[c.shown]; got.Card != want || (len(got.Unverified) > 0) == c.shown {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestRFC9795_32_FetchesForOneCallAreBounded(t *testing.T) {
	l := calltest.Start(t)
	properties := []any{[]any{"version", struct{}{}, "text", "4.0"}, []any{"fn", struct{}{}, "text", "Q Branch"}}
	rcdi := calltest.Members{}
	for i := range stivs.RichLinksMax + 1 {
		at := l.Serve(fmt.Sprintf("/%d.png", i), []byte{byte(i)})
		rcdi[fmt.Sprintf("/jcd/1/%d/3", len(properties))] = digest(string([]byte{byte(i)}))
		properties = append(properties, []any{"photo", struct{}{}, "uri", at})
	}
	got := shown(t, l, calltest.Members{"rcd": calltest.Members{"nam": "Q", "jcd": []any{"vcard", properties}}, "rcdi": rcdi})
	if got.Card != "" || len(got.Unverified) == 0 {
		t.Errorf("%+v", got)
	}
	if n := l.Verifier.Stats().Contents; n > stivs.RichLinksMax {
		t.Errorf("%d requests", n)
	}
}

func TestRFC9795_33_NothingIsShownOfACallerWhoIsNotVerified(t *testing.T) {
	l := calltest.Start(t)
	rich := &passport.RichCallData{HasRCD: true, Nam: "Your bank"}
	rcd := calltest.Field(l.Sign(l.Signer, passport.RCD, passport.Claims{Rich: rich}))
	stranger := l.Stranger()
	for name, fields := range map[string][]string{
		"rcd alone":                 {rcd},
		"beside a shaken by nobody": {rcd, calltest.Field(l.Sign(stranger, passport.Shaken, passport.Claims{}))},
		"in a shaken by nobody":     {calltest.Field(l.Sign(stranger, passport.Shaken, passport.Claims{Rich: rich}))},
		"in a shaken of another":    {calltest.Field(l.Sign(l.Signer, passport.Shaken, passport.Claims{Orig: calltest.Another, Rich: rich}))},
		"in a shaken that was tampered with": {calltest.Field(calltest.SigningInput(l.Sign(l.Signer, passport.Shaken, passport.Claims{Rich: rich})) +
			l.Forge(nil, nil)[len(calltest.SigningInput(l.Forge(nil, nil))):])},
	} {
		t.Run(name, func(t *testing.T) {
			s := l.Service(func(cfg *stivs.Config) { cfg.FetchRich = true })
			if v := s.Verify(t.Context(), calltest.Call(fields...)); v.Rich != nil || v.Verstat == oob.VerstatPassed {
				t.Errorf("%s, %+v", v.Verstat, v.Rich)
			}
		})
	}
	for name, field := range map[string]string{
		"of another caller": calltest.Field(l.Sign(l.Signer, passport.RCD, passport.Claims{Orig: calltest.Another, Rich: rich})),
		"by nobody":         calltest.Field(l.Sign(stranger, passport.RCD, passport.Claims{Rich: rich})),
		"stale":             calltest.Field(l.Sign(l.Signer, passport.RCD, passport.Claims{IAT: l.Clock.Now().AddDate(0, 0, -1), Rich: rich})),
	} {
		t.Run("rcd "+name+" beside a good shaken", func(t *testing.T) {
			v := l.Verify(l.Shaken(), field)
			calltest.Passes(t, v)
			if v.Rich != nil {
				t.Errorf("%+v", v.Rich)
			}
		})
	}
	v := l.Verify(l.Shaken(), rcd)
	calltest.Passes(t, v)
	if v.Rich == nil || v.Rich.Name != "Your bank" {
		t.Errorf("%+v", v.Rich)
	}
}
