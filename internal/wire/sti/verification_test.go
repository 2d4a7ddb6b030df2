package sti_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/tn"
)

// identityValue is an Identity header field value, by its form.
const identityValue = "aGVhZGVy.cGF5bG9hZA.c2ln;info=<https://cr.example.net/sp.pem>;alg=ES256;ppt=shaken"

// party makes the identity of a canonical number or a URI.
func party(t testing.TB, text string) tn.Identity {
	t.Helper()
	id, err := tn.ParseIdentity(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func refusedAs(t *testing.T, name string, err error, kind sti.Kind, variable string, d sti.Dialect) {
	t.Helper()
	var e *sti.Exception
	if !errors.As(err, &e) || !errors.Is(err, kind) || e.Dialect != d || len(e.Variables) > 0 && e.Variables[0] != variable {
		t.Errorf("%s: %#v, want %v of %q in dialect %d", name, err, kind, variable, d)
	}
}

// The examples of both documents, as deployed clients send them.
const (
	atisVerification = `{"verificationRequest":{"from":{"tn":"12155551212"},"to":{"tn":["12155551213"]},"time":1763779201,"identity":"` + identityValue + `"}}`
	msVerification   = `{"verificationRequest":{"identityHeader":"` + identityValue + `","identityHeaders":["d.i.v;ppt=div"],"from":{"tn":"12155551212"},` +
		`"to":{"tn":"12155551213"},"dest":{"tn":"12155551214"},"time":1763779201}}`
)

func TestATIS1000082_VerificationRequests(t *testing.T) {
	from, to, dest, at := party(t, "12155551212"), party(t, "12155551213"), party(t, "12155551214"), time.Unix(1763779201, 0)
	atis := sti.VerificationRequest{Dialect: sti.ATIS, From: from, To: []tn.Identity{to}, Time: at, Identity: []string{identityValue}}
	ms := sti.VerificationRequest{Dialect: sti.Ms, From: from, To: []tn.Identity{to}, Dest: dest, Time: at, Identity: []string{identityValue, "d.i.v;ppt=div"}}
	with := func(r sti.VerificationRequest, change func(*sti.VerificationRequest)) sti.VerificationRequest {
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		body   string
		want   sti.VerificationRequest
		called tn.Identity
	}{
		"ATIS": {atisVerification, atis, to},
		"Ms":   {msVerification, ms, dest},
		"numbers as switches write them": {
			strings.NewReplacer(`"12155551212"`, `"+1 (215) 555-1212"`, `"12155551213"`, `"215.555.1213"`).Replace(atisVerification), atis, to,
		},
		"to as text": {strings.Replace(atisVerification, `["12155551213"]`, `"12155551213"`, 1), atis, to},
		"to and from as lists, in Ms": {
			strings.NewReplacer(`"12155551212"`, `["12155551212"]`, `"12155551213"`, `["12155551213"]`).Replace(msVerification), ms, dest,
		},
		"several to": {
			strings.Replace(atisVerification, `["12155551213"]`, `["12155551213","12155551214"],"uri":["sip:Alice@example.com"]`, 1),
			with(atis, func(r *sti.VerificationRequest) { r.To = []tn.Identity{to, dest, party(t, "sip:alice@example.com")} }), to,
		},
		"URIs": {
			strings.NewReplacer(`"tn":"12155551212"`, `"uri":"sip:Alice@example.com:5060"`, `"tn":["12155551213"]`, `"uri":["tel:+12155551213"]`).Replace(atisVerification),
			with(atis, func(r *sti.VerificationRequest) { r.From = party(t, "sip:alice@example.com") }), to,
		},
		"further members": {
			strings.Replace(atisVerification, `{"from"`, `{"profileId":7,"protectedHeaders":["Diversion: x"],"displayName":null,"requestId":{"x":[1]},"from"`, 1), atis, to,
		},
		"further members outside": {strings.Replace(atisVerification, `{`, `{"x":1,`, 1), atis, to},
		"null is absent":          {strings.Replace(atisVerification, `{"from"`, `{"identityHeader":null,"identityHeaders":null,"dest":null,"from"`, 1), atis, to},
		"Ms without dest": {
			strings.Replace(msVerification, `"dest":{"tn":"12155551214"},`, ``, 1), with(ms, func(r *sti.VerificationRequest) { r.Dest = tn.Identity{} }), to,
		},
		"Ms without shaken": {
			strings.Replace(msVerification, `"identityHeader":"`+identityValue+`",`, ``, 1),
			with(ms, func(r *sti.VerificationRequest) { r.Identity = r.Identity[1:] }), dest,
		},
		"an Identity header that is none": { // which is for the verdict to say
			strings.Replace(atisVerification, identityValue, "?", 1), with(atis, func(r *sti.VerificationRequest) { r.Identity = []string{"?"} }), to,
		},
	} {
		for _, otherwise := range []sti.Dialect{sti.ATIS, sti.Ms} {
			got, err := sti.ReadVerification([]byte(c.body), tn.NANP, otherwise)
			if err != nil || !reflect.DeepEqual(got, c.want) || got.Called() != c.called {
				t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
			}
		}
	}
}

func TestATIS1000082_E1_E2_BadVerificationRequests(t *testing.T) {
	many := strings.Repeat(`"12155551213",`, sti.DestMax) + `"12155551213"`
	for name, c := range map[string]struct {
		body, old, new string
		kind           sti.Kind
		variable       string
		dialect        sti.Dialect
	}{
		"no body":                  {"", "", "", sti.MissingBody, "", sti.ATIS},
		"blanks":                   {" \r\n\t", "", "", sti.MissingBody, "", sti.ATIS},
		"no JSON":                  {"verificationRequest", "", "", sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"form encoded":             {"verificationRequest[time]=1", "", "", sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"array":                    {"[]", "", "", sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"cut short":                {atisVerification[:40], "", "", sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"twice":                    {atisVerification, `{"from"`, `{"time":1,"from"`, sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"twice, deep inside":       {atisVerification, `{"from"`, `{"x":{"y":1,"y":1},"from"`, sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"deep":                     {atisVerification, `{"from"`, `{"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `,"from"`, sti.Unparsable, "it is not a JSON object, or has a member twice", sti.ATIS},
		"too long":                 {atisVerification, `{"from"`, `{"x":"` + strings.Repeat("x", sti.BodyBytesMax) + `","from"`, sti.Unparsable, "it is too long", sti.ATIS},
		"another request":          {`{"signingRequest":{}}`, "", "", sti.MissingParameter, "verificationRequest", sti.ATIS},
		"request is no object":     {`{"verificationRequest":[]}`, "", "", sti.InvalidParameter, "verificationRequest", sti.ATIS},
		"nothing in it":            {`{"verificationRequest":{}}`, "", "", sti.MissingParameter, "from", sti.ATIS},
		"no from":                  {atisVerification, `"from"`, `"x"`, sti.MissingParameter, "from", sti.ATIS},
		"from is text":             {atisVerification, `{"tn":"12155551212"}`, `"12155551212"`, sti.InvalidParameter, "from", sti.ATIS},
		"from is empty":            {atisVerification, `{"tn":"12155551212"}`, `{}`, sti.InvalidParameter, "from", sti.ATIS},
		"from with two":            {atisVerification, `"tn":"12155551212"`, `"tn":"12155551212","uri":"sip:a@example.com"`, sti.InvalidParameter, "from", sti.ATIS},
		"from as a JSON number":    {atisVerification, `"12155551212"`, `12155551212`, sti.InvalidParameter, "from", sti.ATIS},
		"from with letters":        {atisVerification, `"12155551212"`, `"1-800-FLOWERS"`, sti.InvalidParameter, "from", sti.ATIS},
		"from too long":            {atisVerification, `"12155551212"`, `"+1234567890123456"`, sti.InvalidParameter, "from", sti.ATIS},
		"from with a bad URI":      {atisVerification, `"tn":"12155551212"`, `"uri":"sip:"`, sti.InvalidParameter, "from", sti.ATIS},
		"no to":                    {atisVerification, `"to"`, `"x"`, sti.MissingParameter, "to", sti.ATIS},
		"to is empty":              {atisVerification, `["12155551213"]`, `[]`, sti.InvalidParameter, "to", sti.ATIS},
		"to with too many":         {atisVerification, `["12155551213"]`, `[` + many + `]`, sti.InvalidParameter, "to", sti.ATIS},
		"to with too many of both": {atisVerification, `["12155551213"]`, `[` + strings.TrimPrefix(many, `"12155551213",`) + `],"uri":"sip:a@example.com"`, sti.InvalidParameter, "to", sti.ATIS},
		"two to in Ms":             {msVerification, `"to":{"tn":"12155551213"}`, `"to":{"tn":["12155551213","12155551214"]}`, sti.InvalidParameter, "to", sti.Ms},
		"two dest":                 {msVerification, `"dest":{"tn":"12155551214"}`, `"dest":{"tn":["12155551213","12155551214"]}`, sti.InvalidParameter, "dest", sti.Ms},
		"no time":                  {atisVerification, `"time"`, `"x"`, sti.MissingParameter, "time", sti.ATIS},
		"time is text":             {atisVerification, `1763779201`, `"1763779201"`, sti.InvalidParameter, "time", sti.ATIS},
		"time is 0":                {atisVerification, `1763779201`, `0`, sti.InvalidParameter, "time", sti.ATIS},
		"time is negative":         {atisVerification, `1763779201`, `-1`, sti.InvalidParameter, "time", sti.ATIS},
		"time with a fraction":     {atisVerification, `1763779201`, `1763779201.5`, sti.InvalidParameter, "time", sti.ATIS},
		"time is far":              {atisVerification, `1763779201`, `253402300800`, sti.InvalidParameter, "time", sti.ATIS},
		"no identity":              {atisVerification, `"identity"`, `"x"`, sti.MissingParameter, "identity", sti.ATIS},
		"identity is null":         {atisVerification, `"` + identityValue + `"`, `null`, sti.MissingParameter, "identity", sti.ATIS},
		"identity is empty":        {atisVerification, identityValue, ``, sti.InvalidParameter, "identity", sti.ATIS},
		"identity is a list":       {atisVerification, `"` + identityValue + `"`, `["x"]`, sti.InvalidParameter, "identity", sti.ATIS},
		"both forms":               {msVerification, `{"identityHeader"`, `{"identity":"a.b.c","identityHeader"`, sti.InvalidParameter, "identity", sti.ATIS},
		"identityHeaders is text":  {msVerification, `["d.i.v;ppt=div"]`, `"d.i.v"`, sti.InvalidParameter, "identityHeaders", sti.Ms},
		"too many identityHeaders": {msVerification, `["d.i.v;ppt=div"]`, `[` + strings.Repeat(`"a",`, identity.HeadersMax-1) + `"a"]`, sti.InvalidParameter, "identityHeaders", sti.Ms},
		"nothing but an empty list": {`{"verificationRequest":{"identityHeaders":[],"from":{"tn":"12155551212"},"to":{"tn":"12155551213"},"time":1}}`, "", "",
			sti.InvalidParameter, "identityHeaders", sti.Ms},
	} {
		if c.old != "" && !strings.Contains(c.body, c.old) {
			t.Fatalf("%s: nothing to replace", name)
		}
		got, err := sti.ReadVerification([]byte(strings.Replace(c.body, c.old, c.new, 1)), tn.NANP, sti.ATIS)
		if !reflect.DeepEqual(got, sti.VerificationRequest{}) {
			t.Errorf("%s: a refusal comes with %+v", name, got)
		}
		refusedAs(t, name, err, c.kind, c.variable, c.dialect)
		if err != nil && strings.Contains(string(sti.WriteException(err.(*sti.Exception))), "1215555") {
			t.Errorf("%s: the answer holds a number", name)
		}
	}
	_, err := sti.ReadVerification([]byte(`{}`), tn.NANP, sti.Ms)
	refusedAs(t, "of a server that speaks Ms", err, sti.MissingParameter, "verificationRequest", sti.Ms)
}

// verificationText writes a request as a client would.
func verificationText(t testing.TB, r sti.VerificationRequest) []byte {
	t.Helper()
	inner := map[string]any{"from": one(r.From), "time": r.Time.Unix()}
	var numbers, uris []string
	for _, id := range r.To {
		if id.IsURI() {
			uris = append(uris, id.String())
		} else {
			numbers = append(numbers, written(id))
		}
	}
	to := map[string]any{}
	if numbers != nil {
		to["tn"] = numbers
	}
	if uris != nil {
		to["uri"] = uris
	}
	inner["to"] = to
	if !r.Dest.IsZero() {
		inner["dest"] = one(r.Dest)
	}
	if r.Dialect == sti.Ms {
		inner["identityHeaders"] = r.Identity
	} else {
		inner["identity"] = r.Identity[0]
	}
	return encoded(t, map[string]any{"verificationRequest": inner})
}

// one writes a party.
func one(id tn.Identity) map[string]any {
	if id.IsURI() {
		return map[string]any{"uri": id.String()}
	}
	return map[string]any{"tn": written(id)}
}

// written puts a + before a number where that says the same: a plan could misread the digits alone.
func written(id tn.Identity) string {
	if n, err := tn.NANP.Number("+" + id.String()); err == nil && tn.Of(n) == id {
		return "+" + id.String()
	}
	return id.String()
}

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// isHarmless holds of every refusal: it is one of the kinds for requests, and says nothing that was in the request.
func isHarmless(t *testing.T, err error) {
	t.Helper()
	var e *sti.Exception
	if !errors.As(err, &e) || e.Kind.Row().Status != 400 || !json.Valid(sti.WriteException(e)) {
		t.Fatalf("%#v", err)
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ,.0"
	for _, variable := range e.Variables {
		if strings.Trim(variable, letters) != "" || len(variable) > 60 {
			t.Fatalf("%q", variable)
		}
	}
}

// FuzzReadVerification: what is refused comes with nothing and tells nothing of the input; what is read is whole, within
// its bounds, and is read the same when a client writes it again.
func FuzzReadVerification(f *testing.F) {
	for _, seed := range []string{
		atisVerification, msVerification, `{}`, `{"verificationRequest":{}}`, ` `, `[`,
		`{"verificationRequest":{"from":{"uri":"sip:*67@h;user=phone"},"to":{"tn":["911","+44 20 7946 0000"],"uri":["urn:service:sos"]},"time":1,"identity":"x"}}`,
		`{"verificationRequest":{"from":{"tn":["2155551212"]},"to":{"uri":"tel:+1"},"dest":{"uri":"sip:a%40b@h"},"time":9,"identityHeaders":["a.b.c,d.e.f"]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := sti.ReadVerification(body, tn.NANP, sti.ATIS)
		if err != nil {
			if !reflect.DeepEqual(r, sti.VerificationRequest{}) {
				t.Fatalf("a refusal comes with %+v", r)
			}
			isHarmless(t, err)
			return
		}
		if r.From.IsZero() || r.Called().IsZero() || r.Time.Unix() <= 0 || len(r.To) > sti.DestMax || len(r.Identity) == 0 || len(r.Identity) > identity.HeadersMax {
			t.Fatalf("%+v", r)
		}
		again, err := sti.ReadVerification(verificationText(t, r), tn.NANP, sti.Ms)
		if err != nil && strings.Contains(err.Error(), "too long") {
			return // the other writer escapes more
		}
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Fatalf("%+v\nthen %+v, %v", r, again, err)
		}
	})
}
