package passport

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/tn"
)

// Diagnosis is what a lenient reading of a token finds. It is for people: no decision may rest on it.
type Diagnosis struct {
	Refusal    error       // what Parse says; nil for a good token
	Deviations []Deviation // everything found, also what Parse lets pass; at least one where Parse refuses
	Header     string      // decoded header, as received; empty when it cannot be decoded
	Payload    string      // decoded payload, as received; it holds numbers
}

// Diagnose reads a token as leniently as it can and lists what is odd about it: the deviations that have been seen in
// the field, each under its own code. It does not look at the signature's value, for which it would need the key.
func Diagnose(text string) Diagnosis {
	_, refusal := Parse(text)
	d := Diagnosis{Refusal: refusal}
	if len(text) > TokenBytesMax {
		d.note("too-long", "", "a token has at most %d bytes here", TokenBytesMax)
		return d
	}
	segments := d.split(text)
	if segments == nil {
		return d
	}
	var ppt Type
	var ok bool
	if d.Header, ok = d.segment("header", segments[0]); ok {
		ppt = d.header()
	}
	if d.Payload, ok = d.segment("payload", segments[1]); ok {
		d.payload(ppt)
	}
	if len(segments) > 2 {
		if raw, ok := d.segment("signature", segments[2]); ok {
			d.signature(raw)
		}
	}
	return d
}

// split finds the segments, at least two, or nil.
func (d *Diagnosis) split(text string) []string {
	token := strings.TrimSpace(text)
	if token != text {
		d.note("outer-space", "", "there is white space before or after the token")
	}
	if before, _, found := strings.Cut(token, ";"); found {
		d.note("header-parameters", "", "this is a whole Identity header value; the PASSporT ends at the first semicolon")
		token = strings.TrimSpace(before)
	}
	if strings.HasPrefix(token, "..") {
		d.note("compact-form", "", "compact form: header and payload must be rebuilt from the SIP request; SHAKEN does not use it")
		return nil
	}
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		d.note("segment-count", "", "%d segments instead of header.payload.signature", len(segments))
	}
	if len(segments) < 2 {
		return nil
	}
	return segments
}

// segment decodes as leniently as base64 allows.
func (d *Diagnosis) segment(name, text string) (string, bool) {
	if strings.ContainsAny(text, "\r\n") {
		d.note("base64-break", name, "line breaks inside")
		text = strings.NewReplacer("\r", "", "\n", "").Replace(text)
	}
	if strings.ContainsRune(text, '=') {
		d.note("base64-padding", name, "padded with =; base64url in a JWS has no padding")
		text = strings.TrimRight(text, "=")
	}
	if strings.ContainsAny(text, "+/") {
		d.note("base64-alphabet", name, "standard alphabet (+ and /) instead of base64url (- and _)")
		text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		d.note("base64-form", name, "not base64url at all")
		return "", false
	}
	if base64.RawURLEncoding.EncodeToString(decoded) != text {
		d.note("base64-bits", name, "the last character has bits that belong to no byte")
	}
	return string(decoded), true
}

func (d *Diagnosis) signature(raw string) {
	switch {
	case len(raw) == jws.SignatureBytes:
	case len(raw) > 2 && raw[0] == 0x30 && int(raw[1]) == len(raw)-2:
		d.note("signature-der", "signature", "ASN.1 DER, as OpenSSL gives it, instead of the 64 bytes r‖s")
	default:
		d.note("signature-length", "signature", "%d bytes instead of %d", len(raw), jws.SignatureBytes)
	}
}

// object reads one segment's JSON, leniently, and notes what the strict reader would refuse.
func (d *Diagnosis) object(name, text string) map[string]any {
	var members map[string]any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil || members == nil {
		d.note("json-form", name, "not a JSON object")
		return nil
	}
	strict := jws.Object([]byte(text), depthMax, func(string, jws.Value) error { return nil })
	switch {
	case errors.Is(strict, jws.ErrDuplicate):
		d.note("json-duplicate", name, "a member name stands twice: two readers may see two different tokens")
	case strict != nil:
		d.note("json-strict", name, "text is not UTF-8, or half a surrogate pair stands alone, or nesting is deeper than %d, "+
			"or something follows the object", depthMax)
	}
	if value := jws.Value(text); jws.Canonicalize(&value) != nil || string(value) != text {
		d.note("not-canonical", name, "members are not in order, or there is white space or a needless escape; "+
			"harmless here, because the signature is checked over the received bytes, but another party may rebuild them")
	}
	return members
}

// header gives the type that the header names, as far as it does.
func (d *Diagnosis) header() Type {
	h := d.object("header", d.Header)
	if h == nil {
		return Base
	}
	if h["alg"] != "ES256" {
		d.note("alg", "alg", "must be ES256")
	}
	if h["typ"] != "passport" {
		d.note("typ", "typ", "must be passport")
	}
	switch x5u, ok := h["x5u"].(string); {
	case !ok || x5u == "":
		d.note("x5u", "x5u", "missing: nobody can find the certificate")
	case !strings.HasPrefix(x5u, "https://"):
		d.note("x5u-scheme", "x5u", "must be an https URL")
	}
	if _, present := h["crit"]; present {
		d.note("crit", "crit", "asks for an extension that verifiers do not know")
	}
	ppt, isText := h["ppt"].(string)
	_, present := h["ppt"]
	if _, judged := claimRules[Type(ppt)]; !judged {
		d.note("ppt", "ppt", "a type that is not judged here")
	} else if present && (!isText || ppt == "") {
		d.note("ppt", "ppt", "must be a string that names a type; a base PASSporT has none")
	}
	return Type(ppt)
}

func (d *Diagnosis) payload(ppt Type) {
	p := d.object("payload", d.Payload)
	if p == nil {
		return
	}
	rules, judged := claimRules[ppt]
	if !judged {
		rules = claimRules[Base]
	}
	for _, name := range rules.must {
		if _, present := p[name]; !present && !(name == "rcd" && p["crn"] != nil) {
			d.note("claim-missing", name, "every PASSporT of this type has it")
		}
	}
	for _, name := range []string{"iat", "orig", "dest", "attest", "origid", "div"} {
		if value, present := p[name]; present {
			d.claim(name, value)
		}
	}
	d.rare(ppt, p)
	if ppt == Div || ppt == DivO {
		d.div(ppt, p)
	}
}

func (d *Diagnosis) claim(name string, value any) {
	switch name {
	case "iat":
		d.iat(value)
	case "orig", "div":
		d.party(name, value, false)
	case "dest":
		d.party(name, value, true)
	case "attest":
		d.attest(value)
	case "origid":
		if origid, ok := value.(string); !ok || !uuid.Is(origid) {
			d.note("origid-uuid", "origid", "should be a UUID")
		}
	}
}

func (d *Diagnosis) iat(value any) {
	switch iat := value.(type) {
	case string:
		d.note("iat-string", "iat", "a JSON string; it must be a number (RFC 8225 itself prints it so: errata 5985)")
		return
	case json.Number:
		if _, ok := jws.Seconds(jws.Value(iat)); ok {
			return
		}
	}
	d.note("iat-form", "iat", "must be an integer number of seconds, of this or a near year")
}

func (d *Diagnosis) attest(value any) {
	attest, _ := value.(string)
	switch {
	case Attestation(attest).Valid():
	case Attestation(strings.ToUpper(attest)).Valid():
		d.note("attest-case", "attest", "must be in upper case")
	default:
		d.note("attest", "attest", "must be A, B or C")
	}
}

// party looks at orig and div (one identity) and dest (many, in arrays).
func (d *Diagnosis) party(where string, value any, many bool) {
	members, isObject := value.(map[string]any)
	if _, isText := value.(string); isText {
		d.note("party-string", where, "a JSON string that holds JSON, or a bare number; it must be an object")
		return
	}
	numbers, hasTN := members["tn"]
	uris, hasURI := members["uri"]
	switch {
	case !isObject:
		d.note("party-form", where, "must be an object")
	case !hasTN && !hasURI:
		d.note("party-form", where, "has neither tn nor uri")
	case !many && hasTN && hasURI:
		d.note("party-form", where, "has both tn and uri")
	}
	if hasTN {
		d.identities(where+".tn", numbers, many, d.number)
	}
	if hasURI {
		d.identities(where+".uri", uris, many, d.uri)
	}
	listed, _ := numbers.([]any)
	listedURIs, _ := uris.([]any)
	if len(listed)+len(listedURIs) > DestMax {
		d.note("dest-many", where, "more than %d identities are not read here", DestMax)
	}
	if hi, present := members["hi"]; present && where == "div" {
		if _, isText := hi.(string); !isText {
			d.note("party-form", "div.hi", "must be a string")
		}
	}
}

func (d *Diagnosis) identities(where string, value any, many bool, look func(where string, value any)) {
	list, isList := value.([]any)
	switch {
	case isList && !many:
		d.note("tn-array", where, "an array; orig and div hold one identity")
	case isList && len(list) == 0:
		d.note("dest-empty", where, "an empty array")
	case !isList && many:
		d.note("tn-bare", where, "must be an array, also for one identity (RFC 8946 itself prints it so in its div-o example)")
	}
	if !isList {
		list = []any{value}
	}
	for _, element := range list {
		look(where, element)
	}
}

func (d *Diagnosis) number(where string, value any) {
	switch v := value.(type) {
	case json.Number:
		d.note("tn-number", where, "a JSON number; it must be a string")
	case string:
		switch n, err := tn.ParseNumber(strings.TrimPrefix(v, "+")); {
		case err != nil:
			d.note("tn-form", where, "not in canonical form: 1 to %d digits, # and *", tn.NumberLengthMax)
		case strings.HasPrefix(v, "+"):
			d.note("tn-plus", where, "a leading +; the canonical form has none")
		case len(n.String()) == 10 && v[0] >= '2':
			d.note("tn-national", where, "ten digits: probably a North American number without its country code 1")
		}
	default:
		d.note("party-form", where, "must be a string")
	}
}

func (d *Diagnosis) uri(where string, value any) {
	text, isText := value.(string)
	if _, err := tn.ParseURI(text); !isText || err != nil {
		d.note("uri-form", where, "not an absolute URI, or a tel URI, which is a number and belongs under tn")
	}
}

// div looks at what the types div and div-o ask for.
func (d *Diagnosis) div(ppt Type, p map[string]any) {
	if _, present := p["opt"]; present && ppt == Div {
		d.note("opt-in-div", "opt", "belongs to div-o, not to div")
	}
	div, _ := p["div"].(map[string]any)
	dest, _ := p["dest"].(map[string]any)
	for _, member := range []string{"tn", "uri"} {
		before, isText := div[member].(string)
		after, _ := dest[member].([]any)
		if isText && slices.Contains(after, any(before)) {
			d.note("div-unchanged", "div", "is one of the new destinations: the call was not retargeted")
		}
	}
}
