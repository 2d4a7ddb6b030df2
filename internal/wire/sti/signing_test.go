package sti_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// The examples of both documents, as deployed clients send them; that of rph is composed after the table of its members.
const (
	shakenSigning = `{"signingRequest":{"attest":"A","dest":{"tn":["12155551213"]},"iat":1763779200,"orig":{"tn":"12155551212"},` +
		`"origid":"6f2c9c1e-0a2b-4d66-9a51-6a1a2f9d7c10"}}`
	divSigning = `{"signingRequest":{"dest":{"tn":["12155551214"]},"div":{"hi":"1.1","tn":"12155551213"},"iat":1763779200,"orig":{"tn":"12155551212"},"ppt":"div"}}`
	rphSigning = `{"signingRequest":{"dest":{"uri":["urn:service:sos"]},"iat":1763779200,"orig":{"tn":"12155551212"},"ppt":"rph",` +
		`"rph":{"auth":["esnet.0","ets.1"]},"sph":"psap-callback"}}`
)

func TestATIS1000082_SigningRequests(t *testing.T) {
	shaken := sti.SigningRequest{
		Type: passport.Shaken, Attest: passport.AttestFull, OrigID: "6f2c9c1e-0a2b-4d66-9a51-6a1a2f9d7c10",
		Orig: party(t, "12155551212"), Dest: []tn.Identity{party(t, "12155551213")}, IAT: time.Unix(1763779200, 0),
	}
	ms := shaken
	ms.Dialect = sti.Ms
	for name, c := range map[string]struct {
		body      string
		otherwise sti.Dialect
		want      sti.SigningRequest
	}{
		"shaken":              {shakenSigning, sti.ATIS, shaken},
		"shaken, asked of Ms": {shakenSigning, sti.Ms, ms},
		"shaken, by ppt":      {strings.Replace(shakenSigning, `{"attest"`, `{"ppt":"shaken","attest"`, 1), sti.ATIS, ms},
		"numbers with a +":    {strings.NewReplacer(`"12155551212"`, `"+1-215-555-1212"`, `"12155551213"`, `"2155551213"`).Replace(shakenSigning), sti.ATIS, shaken},
		"further members":     {strings.Replace(shakenSigning, `{"attest"`, `{"displayName":"x","attest"`, 1), sti.ATIS, shaken},
		"null is absent":      {strings.Replace(shakenSigning, `{"attest"`, `{"ppt":null,"div":null,"attest"`, 1), sti.ATIS, shaken},
		"several dest": {strings.Replace(shakenSigning, `"12155551213"`, `"12155551213","12155551214"`, 1), sti.ATIS, func() sti.SigningRequest {
			r := shaken
			r.Dest = append([]tn.Identity{}, shaken.Dest[0], party(t, "12155551214"))
			return r
		}()},
		"div":                   {divSigning, sti.ATIS, sti.SigningRequest{Dialect: sti.Ms, Type: passport.Div, Orig: shaken.Orig, Dest: []tn.Identity{party(t, "12155551214")}, IAT: shaken.IAT, Div: party(t, "12155551213"), HI: "1.1"}},
		"div without hi":        {strings.Replace(divSigning, `"hi":"1.1",`, ``, 1), sti.ATIS, sti.SigningRequest{Dialect: sti.Ms, Type: passport.Div, Orig: shaken.Orig, Dest: []tn.Identity{party(t, "12155551214")}, IAT: shaken.IAT, Div: party(t, "12155551213")}},
		"rph":                   {rphSigning, sti.ATIS, sti.SigningRequest{Dialect: sti.Ms, Type: passport.RPH, Orig: shaken.Orig, Dest: []tn.Identity{party(t, "urn:service:sos")}, IAT: shaken.IAT, Priorities: []string{"esnet.0", "ets.1"}, SPH: "psap-callback"}},
		"attest is not for rph": {strings.Replace(rphSigning, `{"dest"`, `{"attest":"Z","origid":7,"dest"`, 1), sti.ATIS, sti.SigningRequest{Dialect: sti.Ms, Type: passport.RPH, Orig: shaken.Orig, Dest: []tn.Identity{party(t, "urn:service:sos")}, IAT: shaken.IAT, Priorities: []string{"esnet.0", "ets.1"}, SPH: "psap-callback"}},
	} {
		got, err := sti.ReadSigning([]byte(c.body), tn.NANP, c.otherwise)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestATIS1000082_BadSigningRequests(t *testing.T) {
	for name, c := range map[string]struct {
		body, old, new string
		kind           sti.Kind
		variable       string
		dialect        sti.Dialect
	}{
		"no body":           {"", "", "", sti.MissingBody, "", sti.ATIS},
		"another request":   {`{"verificationRequest":{}}`, "", "", sti.MissingParameter, "signingRequest", sti.ATIS},
		"no attest":         {shakenSigning, `"attest"`, `"x"`, sti.MissingParameter, "attest", sti.ATIS},
		"attest D":          {shakenSigning, `"A"`, `"D"`, sti.InvalidParameter, "attest", sti.ATIS},
		"attest a":          {shakenSigning, `"A"`, `"a"`, sti.InvalidParameter, "attest", sti.ATIS},
		"attest is a list":  {shakenSigning, `"A"`, `["A"]`, sti.InvalidParameter, "attest", sti.ATIS},
		"no origid":         {shakenSigning, `"origid"`, `"x"`, sti.MissingParameter, "origid", sti.ATIS},
		"origid is no UUID": {shakenSigning, `6f2c9c1e-`, ``, sti.InvalidParameter, "origid", sti.ATIS},
		"no dest":           {shakenSigning, `"dest"`, `"x"`, sti.MissingParameter, "dest", sti.ATIS},
		"dest is text":      {shakenSigning, `["12155551213"]`, `"12155551213"`, sti.InvalidParameter, "dest", sti.ATIS},
		"dest is empty":     {shakenSigning, `["12155551213"]`, `[]`, sti.InvalidParameter, "dest", sti.ATIS},
		"dest is no number": {shakenSigning, `"12155551213"`, `"alice"`, sti.InvalidParameter, "dest", sti.ATIS},
		"no orig":           {shakenSigning, `"orig"`, `"x"`, sti.MissingParameter, "orig", sti.ATIS},
		"orig is a list":    {shakenSigning, `"12155551212"`, `["12155551212"]`, sti.InvalidParameter, "orig", sti.ATIS},
		"two orig":          {shakenSigning, `"tn":"12155551212"`, `"tn":"12155551212","uri":"sip:a@example.com"`, sti.InvalidParameter, "orig", sti.ATIS},
		"no iat":            {shakenSigning, `"iat"`, `"x"`, sti.MissingParameter, "iat", sti.ATIS},
		"iat is text":       {shakenSigning, `1763779200`, `"1763779200"`, sti.InvalidParameter, "iat", sti.ATIS},
		"iat is 0":          {shakenSigning, `1763779200`, `0`, sti.InvalidParameter, "iat", sti.ATIS},
		"ppt unknown":       {divSigning, `"ppt":"div"`, `"ppt":"msg"`, sti.InvalidParameter, "ppt", sti.Ms},
		"ppt is empty":      {divSigning, `"ppt":"div"`, `"ppt":""`, sti.InvalidParameter, "ppt", sti.Ms},
		"div without ppt":   {divSigning, `,"ppt":"div"`, ``, sti.InvalidParameter, "ppt", sti.Ms},
		"div with rph":      {divSigning, `"ppt"`, `"rph":{"auth":["ets.0"]},"ppt"`, sti.InvalidParameter, "ppt", sti.Ms},
		"no div":            {divSigning, `"div":{`, `"x":{`, sti.MissingParameter, "div", sti.Ms},
		"div is text":       {divSigning, `{"hi":"1.1","tn":"12155551213"}`, `"12155551213"`, sti.InvalidParameter, "div", sti.Ms},
		"div is a list":     {divSigning, `"tn":"12155551213"`, `"tn":["12155551213"]`, sti.InvalidParameter, "div", sti.Ms},
		"hi is a number":    {divSigning, `"1.1"`, `1.1`, sti.InvalidParameter, "div", sti.Ms},
		"no rph":            {rphSigning, `"rph":{`, `"x":{`, sti.MissingParameter, "rph", sti.Ms},
		"rph is a list":     {rphSigning, `{"auth":["esnet.0","ets.1"]}`, `["esnet.0"]`, sti.InvalidParameter, "rph", sti.Ms},
		"auth is empty":     {rphSigning, `["esnet.0","ets.1"]`, `[]`, sti.InvalidParameter, "rph", sti.Ms},
		"auth is text":      {rphSigning, `["esnet.0","ets.1"]`, `"esnet.0"`, sti.InvalidParameter, "rph", sti.Ms},
		"no auth":           {rphSigning, `"auth"`, `"x"`, sti.InvalidParameter, "rph", sti.Ms},
		"auth is long":      {rphSigning, `"esnet.0"`, strings.Repeat(`"ets.0",`, 16) + `"ets.0"`, sti.InvalidParameter, "rph", sti.Ms},
		"sph is a list":     {rphSigning, `"psap-callback"`, `["psap-callback"]`, sti.InvalidParameter, "sph", sti.Ms},
	} {
		if c.old != "" && !strings.Contains(c.body, c.old) {
			t.Fatalf("%s: nothing to replace", name)
		}
		got, err := sti.ReadSigning([]byte(strings.Replace(c.body, c.old, c.new, 1)), tn.NANP, sti.ATIS)
		if !reflect.DeepEqual(got, sti.SigningRequest{}) {
			t.Errorf("%s: a refusal comes with %+v", name, got)
		}
		refusedAs(t, name, err, c.kind, c.variable, c.dialect)
	}
}

func TestATIS1000082_SigningAnswers(t *testing.T) {
	for want, dialects := range map[string][]sti.Dialect{
		`{"signingResponse":{"identity":"` + identityValue + `"}}`:                                          {sti.ATIS},
		`{"signingResponse":{"identityHeader":"` + identityValue + `"}}`:                                    {sti.Ms},
		`{"signingResponse":{"identity":"` + identityValue + `","identityHeader":"` + identityValue + `"}}`: {sti.ATIS, sti.Ms},
	} {
		if got := string(sti.WriteSigning(identityValue, dialects...)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// signingText writes a request as a client of Ms would.
func signingText(t testing.TB, r sti.SigningRequest) []byte {
	t.Helper()
	dest := map[string][]string{}
	for _, id := range r.Dest {
		if id.IsURI() {
			dest["uri"] = append(dest["uri"], id.String())
		} else {
			dest["tn"] = append(dest["tn"], written(id))
		}
	}
	inner := map[string]any{"ppt": r.Type, "orig": one(r.Orig), "dest": dest, "iat": r.IAT.Unix()}
	switch r.Type {
	case passport.Shaken:
		inner["attest"], inner["origid"] = r.Attest, r.OrigID
	case passport.Div:
		div := one(r.Div)
		if r.HI != "" {
			div["hi"] = r.HI
		}
		inner["div"] = div
	default:
		inner["rph"] = map[string]any{"auth": r.Priorities}
		if r.SPH != "" {
			inner["sph"] = r.SPH
		}
	}
	return encoded(t, map[string]any{"signingRequest": inner})
}

// FuzzReadSigning: as FuzzReadVerification, and what is read is of one type, with the members of that type alone.
func FuzzReadSigning(f *testing.F) {
	for _, seed := range []string{
		shakenSigning, divSigning, rphSigning, `{}`, `{"signingRequest":{"ppt":"rcd"}}`,
		strings.Replace(shakenSigning, `{"attest"`, `{"ppt":"shaken","attest"`, 1), strings.Replace(divSigning, `"tn":"12155551213"`, `"uri":"sip:a@h"`, 1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := sti.ReadSigning(body, tn.NANP, sti.ATIS)
		if err != nil {
			if !reflect.DeepEqual(r, sti.SigningRequest{}) {
				t.Fatalf("a refusal comes with %+v", r)
			}
			isHarmless(t, err)
			return
		}
		if r.Orig.IsZero() || len(r.Dest) == 0 || len(r.Dest) > sti.DestMax || r.IAT.Unix() <= 0 {
			t.Fatalf("%+v", r)
		}
		isShaken, isDiv, isRPH := r.Type == passport.Shaken, r.Type == passport.Div, r.Type == passport.RPH
		if r.Attest.Valid() != isShaken || (r.OrigID != "") != isShaken || r.Div.IsZero() == isDiv || (len(r.Priorities) > 0) != isRPH {
			t.Fatalf("%+v", r)
		}
		text := signingText(t, r)
		again, err := sti.ReadSigning(text, tn.NANP, sti.ATIS)
		if len(text) > sti.BodyBytesMax {
			return // the other writer escapes more
		}
		r.Dialect = sti.Ms // which the ppt says that is written
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v\nthen %+v, %v", r, again, err)
		}
	})
}
