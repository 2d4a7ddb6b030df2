package httpapi_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
)

// refusal is one row of the table of bad input: how a good attempt is spoilt, and the whole answer.
type refusal struct {
	name   string
	on     oob.Action // empty means both
	spoil  func(*pair, *oobtest.Attempt)
	kind   oob.Kind
	detail string // the text after the kind's title
	fetch  bool   // whether the certificate of the requester is needed to find out
	closes bool   // whether HTTP/1.1 gives up the connection
}

const (
	toPublish  = oob.ActionPublish
	toRetrieve = oob.ActionRetrieve
)

var refusals = []refusal{
	// The path.
	{name: "unknown path", spoil: path("/passport/1/2"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "root", spoil: path("/"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "path of 2020", spoil: path("/1234/12155550131/1234/12155550121"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "a segment too few", spoil: path("/passports/12155550131"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "a segment too many", spoil: path("/passports/1234/12155550131/12155550121/x"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "trailing slash", spoil: suffix("/"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "empty segment", spoil: path("/passports//12155550131/12155550121"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "two slashes in front", spoil: prefix("/"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "dot segment", spoil: prefix("/."), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "dot-dot segment", spoil: prefix("/x/.."), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "encoded slash", spoil: path("/passports%2F1234/12155550131/12155550121"), kind: oob.WrongPath, detail: "there is no such resource"},
	{name: "number with +", spoil: respell("12155550131", "+12155550131"), kind: oob.Malformed,
		detail: "the called number in the path is neither digits without + nor a URI"},
	{name: "number with encoded +", spoil: respell("12155550121", "%2B12155550121"), kind: oob.Malformed,
		detail: "the calling number in the path is neither digits without + nor a URI"},
	{name: "number with dashes", spoil: respell("12155550131", "1-215-555-0131"), kind: oob.Malformed,
		detail: "the called number in the path is neither digits without + nor a URI"},
	{name: "number of 16 digits", spoil: respell("12155550121", "1234567890123456"), kind: oob.Malformed,
		detail: "the calling number in the path is neither digits without + nor a URI"},
	{name: "number with encoded slash", spoil: respell("12155550121", "1215555%2F0121"), kind: oob.Malformed,
		detail: "the calling number in the path is neither digits without + nor a URI"},
	{name: "number of encoded dots", spoil: respell("12155550121", "%2E%2E"), kind: oob.Malformed,
		detail: "the calling number in the path is neither digits without + nor a URI"},
	{name: "number with NUL", spoil: respell("12155550121", "12155550121%00"), kind: oob.Malformed,
		detail: "the calling number in the path is neither digits without + nor a URI"},
	{name: "very long number", spoil: respell("12155550131", strings.Repeat("1", 8000)), kind: oob.Malformed,
		detail: "the called number in the path is neither digits without + nor a URI"},
	{name: "very long URI", spoil: respell("12155550131", "urn:x:"+strings.Repeat("a", 8000)), kind: oob.Malformed,
		detail: "the called number in the path is neither digits without + nor a URI"},

	// The method.
	{name: "PUT", spoil: method("PUT"), kind: oob.WrongMethod, detail: "allowed here: GET, POST"},
	{name: "DELETE", spoil: method("DELETE"), kind: oob.WrongMethod, detail: "allowed here: GET, POST"},
	{name: "OPTIONS", spoil: method("OPTIONS"), kind: oob.WrongMethod, detail: "allowed here: GET, POST"},
	{name: "made up method", spoil: method("X12155550121"), kind: oob.WrongMethod, detail: "allowed here: GET, POST"},
	{name: "lower-case method", spoil: method("post"), kind: oob.WrongMethod, detail: "allowed here: GET, POST"},
	{name: "POST to health", on: toPublish, spoil: path("/health"), kind: oob.WrongMethod, detail: "allowed here: GET, HEAD"},

	// The access token's form.
	{name: "no token", spoil: authorization(), kind: oob.Unproven, detail: "an Authorization header with a Bearer token is needed"},
	{name: "empty token", spoil: authorization(""), kind: oob.Unproven, detail: "an Authorization header with a Bearer token is needed"},
	{name: "Basic", spoil: authorization("Basic QTpC"), kind: oob.Unproven, detail: "an Authorization header with a Bearer token is needed"},
	{name: "Bearer and nothing", spoil: authorization("Bearer"), kind: oob.Unproven, detail: "the access token is not a compact JWS: not three segments: 1"},
	{name: "two segments", spoil: authorization("Bearer e30.e30"), kind: oob.Unproven, detail: "the access token is not a compact JWS: not three segments: 2"},
	{name: "padding", spoil: authorization("Bearer e30=.e30.AAAA"), kind: oob.Unproven,
		detail: "the access token is not a compact JWS: segment is not base64url without padding: header"},
	{name: "token too long", spoil: authorization("Bearer " + strings.Repeat("A", 5000)), kind: oob.Unproven,
		detail: "the access token is not a compact JWS: token too long: 5000 bytes, at most 4096"},
	{name: "two tokens", spoil: func(p *pair, a *oobtest.Attempt) {
		a.Authorization = []string{"Bearer " + p.token(a), "Bearer " + p.token(a)}
	}, kind: oob.Unproven, detail: "more than one Authorization header"},
	{name: "two tokens in one header", spoil: func(p *pair, a *oobtest.Attempt) {
		a.Authorization = []string{"Bearer " + p.token(a) + ", Bearer " + p.token(a)}
	}, kind: oob.Unproven, detail: "the access token is not a compact JWS: not three segments: 5"},
	{name: "header is no JSON", spoil: jose("x"), kind: oob.Unproven,
		detail: "the access token's header is not a JSON object of strings, or has a member twice"},
	{name: "alg twice", spoil: jose(`{"alg":"none","alg":"ES256","x5u":"https://a.example/b"}`), kind: oob.Unproven,
		detail: "the access token's header is not a JSON object of strings, or has a member twice"},
	{name: "alg none", spoil: jose(`{"alg":"none","x5u":"https://a.example/b"}`), kind: oob.Unproven, detail: "the access token's alg is not ES256"},
	{name: "alg HS256", spoil: jose(`{"alg":"HS256","x5u":"https://a.example/b"}`), kind: oob.Unproven, detail: "the access token's alg is not ES256"},
	{name: "alg in lower case", spoil: jose(`{"alg":"es256","x5u":"https://a.example/b"}`), kind: oob.Unproven, detail: "the access token's alg is not ES256"},
	{name: "no x5u", spoil: jose(`{"alg":"ES256"}`), kind: oob.Unproven, detail: "the access token's header has no x5u"},
	{name: "x5u is a list", spoil: jose(`{"alg":"ES256","x5u":["https://a.example/b"]}`), kind: oob.Unproven,
		detail: "the access token's header is not a JSON object of strings, or has a member twice"},
	{name: "crit", spoil: jose(`{"alg":"ES256","x5u":"https://a.example/b","crit":["b64"],"b64":false}`), kind: oob.Unproven,
		detail: "the access token's crit names an unknown extension"},
	{name: "a PASSporT as access token", spoil: func(p *pair, a *oobtest.Attempt) {
		a.Authorization = []string{"Bearer " + p.Passport("a")}
	}, kind: oob.Unproven, detail: "a PASSporT is not an access token"},

	// The access token's claims.
	{name: "payload is no JSON", spoil: payload("x"), kind: oob.Unproven,
		detail: "the access token's payload is not a JSON object, or has a claim twice"},
	{name: "payload nests deeply", spoil: payload(`{"x":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `}`), kind: oob.Unproven,
		detail: "the access token's payload is not a JSON object, or has a claim twice"},
	{name: "claim twice", spoil: claims(`"jti":`, `"iss":"890C","jti":`), kind: oob.Unproven,
		detail: "the access token's payload is not a JSON object, or has a claim twice"},
	{name: "iat is text", spoil: claims(`"iat":`, `"iat":"1","x":`), kind: oob.Unproven, detail: "claim iat of the access token has the wrong form"},
	{name: "iat has a fraction", spoil: claims(`"iat":`, `"iat":1.5,"x":`), kind: oob.Unproven, detail: "claim iat of the access token has the wrong form"},
	{name: "iat is negative", spoil: claims(`"iat":`, `"iat":-1,"x":`), kind: oob.Unproven, detail: "claim iat of the access token has the wrong form"},
	{name: "iat is huge", spoil: claims(`"iat":`, `"iat":9223372036854775807,"x":`), kind: oob.Unproven, detail: "claim iat of the access token has the wrong form"},
	{name: "no iat", spoil: claims(`"iat":`, `"x":`), kind: oob.Unproven, detail: "iat is missing"},
	{name: "no iss", spoil: access(func(a *oob.Access) { a.Issuer = "" }), kind: oob.Unproven, detail: "iss is missing"},
	{name: "no aud", spoil: access(func(a *oob.Access) { a.Audience = nil }), kind: oob.Unproven, detail: "aud does not name this CPS"},
	{name: "another aud", spoil: access(func(a *oob.Access) { a.Audience = []string{"cps.example.net"} }), kind: oob.Unproven, detail: "aud does not name this CPS"},
	{name: "aud with a port", spoil: access(func(a *oob.Access) { a.Audience[0] += ":443" }), kind: oob.Unproven, detail: "aud does not name this CPS"},
	{name: "aud is a URL", spoil: access(func(a *oob.Access) { a.Audience[0] = "https://" + a.Audience[0] }), kind: oob.Unproven, detail: "aud does not name this CPS"},
	{name: "aud is the Host header", spoil: func(p *pair, a *oobtest.Attempt) { a.Access.Audience = []string{p.CPS.Host} }, kind: oob.Unproven,
		detail: "aud does not name this CPS"},
	{name: "aud has very many names", spoil: claims(`"aud":`, `"aud":["`+strings.Repeat(`a","`, 20)+`a"],"x":`), kind: oob.Unproven,
		detail: "claim aud of the access token has the wrong form"},
	{name: "no action", spoil: access(func(a *oob.Access) { a.Action = "" }), kind: oob.Unproven, detail: "action is not publish", on: toPublish},
	{name: "action of the other operation", spoil: access(func(a *oob.Access) { a.Action = toRetrieve }), kind: oob.Unproven, detail: "action is not publish", on: toPublish},
	{name: "action of the other operation", spoil: access(func(a *oob.Access) { a.Action = toPublish }), kind: oob.Unproven, detail: "action is not retrieve", on: toRetrieve},
	{name: "action repeat", spoil: access(func(a *oob.Access) { a.Action = "repeat" }), kind: oob.Unproven, detail: "action is not publish", on: toPublish},
	{name: "no jti", spoil: access(func(a *oob.Access) { a.ID = "" }), kind: oob.Unproven, detail: "jti is not a version 4 UUID"},
	{name: "jti of version 1", spoil: access(func(a *oob.Access) { a.ID = "2f0c8a52-3f0e-1c55-9a41-0a1d3e6b7c11" }), kind: oob.Unproven, detail: "jti is not a version 4 UUID"},
	{name: "jti with a line break", spoil: access(func(a *oob.Access) { a.ID += "\n" }), kind: oob.Unproven, detail: "jti is not a version 4 UUID"},
	{name: "a clock 90 s slow", spoil: access(func(a *oob.Access) { a.IssuedAt = a.IssuedAt.Add(-90 * time.Second) }), kind: oob.TokenStale,
		detail: "iat is 90 s old, at most 60 s allowed"},
	{name: "a clock 90 s fast", spoil: access(func(a *oob.Access) { a.IssuedAt = a.IssuedAt.Add(90 * time.Second) }), kind: oob.TokenStale,
		detail: "iat is 90 s in the future, at most 5 s allowed"},
	{name: "expired", spoil: access(func(a *oob.Access) { a.Deadline = a.IssuedAt.Add(-5 * time.Second) }), kind: oob.TokenStale, detail: "exp has passed", on: toRetrieve},
	{name: "another called number", spoil: func(p *pair, a *oobtest.Attempt) { a.Access.Dest = p.Orig }, kind: oob.IdentityMismatch,
		detail: "dest or orig differs between path and access token"},
	{name: "another calling number", spoil: func(p *pair, a *oobtest.Attempt) { a.Access.Orig = p.Dest }, kind: oob.IdentityMismatch,
		detail: "dest or orig differs between path and access token"},
	{name: "no dest", spoil: claims(`"dest":`, `"x":`), kind: oob.IdentityMismatch, detail: "dest or orig differs between path and access token"},
	{name: "two called numbers", spoil: claims(`"dest":`, `"dest":{"tn":["12155550131","12155550132"]},"x":`), kind: oob.Unproven,
		detail: "claim dest of the access token has the wrong form"},
	{name: "number with + in the token", spoil: claims(`"orig":`, `"orig":{"tn":"+12155550121"},"x":`), kind: oob.Unproven,
		detail: "claim orig of the access token has the wrong form"},

	// Who asks.
	{name: "an SPC of somebody else", spoil: func(_ *pair, a *oobtest.Attempt) {
		// A path, spc and sub that agree with each other and not with the certificate.
		a.Path = strings.Replace(a.Path, oobtest.UpstreamSPC, "890C", 1)
		a.Access.Issuer = "890C"
		if a.Access.SPC != "" {
			a.Access.SPC = "890C"
		} else {
			a.Access.Subject = "890C"
		}
	}, kind: oob.OutOfScope, detail: "the certificate does not name the SPC in iss", fetch: true},
	{name: "another key", spoil: func(p *pair, a *oobtest.Attempt) {
		other := *p.Upstream
		if a.Signer == p.Upstream {
			other = *p.Downstream
		}
		other.X5U, other.SPC = a.Signer.X5U, a.Signer.SPC
		a.Signer = &other
	}, kind: oob.Unproven, detail: "the access token's signature does not verify", fetch: true},
	{name: "altered payload", spoil: func(p *pair, a *oobtest.Attempt) {
		parts := strings.Split(p.token(a), ".")
		a.Access.ID = oobtest.TokenID("another")
		parts[1] = strings.Split(p.token(a), ".")[1]
		a.Authorization = []string{"Bearer " + strings.Join(parts, ".")}
	}, kind: oob.Unproven, detail: "the access token's signature does not verify", fetch: true},
	{name: "signature too short", spoil: func(p *pair, a *oobtest.Attempt) {
		token := p.token(a)
		a.Authorization = []string{"Bearer " + token[:len(token)-46]}
	}, kind: oob.Unproven, detail: "the access token's signature does not verify", fetch: true},
	{name: "a CA that nobody knows", spoil: func(p *pair, a *oobtest.Attempt) {
		stranger := p.foreign(a.Signer.SPC)
		a.Signer = stranger
	}, kind: oob.Unproven, detail: "the certificate at the access token's x5u is not trusted", fetch: true},
	{name: "an expired certificate", spoil: issued(func(p *pair) oobtest.IssueConfig {
		return oobtest.IssueConfig{NotAfter: p.Clock.Now().Add(-time.Second)}
	}), kind: oob.Unproven, detail: "the certificate at the access token's x5u is not trusted", fetch: true},
	{name: "a certificate of tomorrow", spoil: issued(func(p *pair) oobtest.IssueConfig {
		return oobtest.IssueConfig{NotBefore: p.Clock.Now().Add(24 * time.Hour)}
	}), kind: oob.Unproven, detail: "the certificate at the access token's x5u is not trusted", fetch: true},
	{name: "a CA certificate", spoil: issued(func(*pair) oobtest.IssueConfig {
		return oobtest.IssueConfig{Modify: func(c *x509.Certificate) { c.IsCA = true }}
	}), kind: oob.Unproven, detail: "the certificate at the access token's x5u is not trusted", fetch: true},
	{name: "a certificate without TNAuthList", spoil: issued(func(*pair) oobtest.IssueConfig {
		return oobtest.IssueConfig{WithoutTNAuthList: true}
	}), kind: oob.Unproven, detail: "the certificate at the access token's x5u is not trusted", fetch: true},

	// What is published.
	{name: "body of another type", on: toPublish, spoil: header("Content-Type", "text/plain"), kind: oob.WrongMedia, detail: "the body has to be application/json"},
	{name: "body of the type of 2020", on: toPublish, spoil: header("Content-Type", "application/passport"), kind: oob.WrongMedia, detail: "the body has to be application/json"},
	{name: "a type that is none", on: toPublish, spoil: header("Content-Type", ";;"), kind: oob.WrongMedia, detail: "the body has to be application/json"},
	{name: "body in gzip", on: toPublish, spoil: header("Content-Encoding", "gzip"), kind: oob.WrongMedia, detail: "the body must not have a Content-Encoding"},
	{name: "no body", on: toPublish, spoil: func(_ *pair, a *oobtest.Attempt) { a.Body = nil }, kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "empty body", on: toPublish, spoil: body(""), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "body cut off", on: toPublish, spoil: body(`{"passports":["a.b.c"]`), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "body twice", on: toPublish, spoil: body(`{"passports":["a.b.c"]}{"passports":["a.b.c"]}`), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "member twice", on: toPublish, spoil: body(`{"passports":["a.b.c"],"passports":["d.e.f"]}`), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "body is a list", on: toPublish, spoil: body(`["a.b.c"]`), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "body nests deeply", on: toPublish, spoil: body(`{"x":` + strings.Repeat("[", 30_000) + strings.Repeat("]", 30_000) + `}`), kind: oob.Malformed,
		detail: "the body is not a JSON object, or has a member twice"},
	{name: "body is not UTF-8", on: toPublish, spoil: body("{\"x\":\"\xff\"}"), kind: oob.Malformed, detail: "the body is not a JSON object, or has a member twice"},
	{name: "no passports", on: toPublish, spoil: body(`{"passport":["a.b.c"]}`), kind: oob.Malformed, detail: "passports is missing"},
	{name: "passports is text", on: toPublish, spoil: body(`{"passports":"a.b.c"}`), kind: oob.Malformed, detail: "passports is not an array of strings"},
	{name: "passports holds a number", on: toPublish, spoil: body(`{"passports":["a.b.c",1]}`), kind: oob.Malformed, detail: "passports is not an array of strings"},
	{name: "no PASSporT", on: toPublish, spoil: body(`{"passports":[]}`), kind: oob.Malformed, detail: "passports is empty"},
	{name: "not a compact JWS", on: toPublish, spoil: body(`{"passports":["a.b.c;info=<https://a.example>"]}`), kind: oob.Malformed, detail: "an element of passports is not a compact JWS"},
	{name: "two segments in passports", on: toPublish, spoil: body(`{"passports":["a.b"]}`), kind: oob.Malformed, detail: "an element of passports is not a compact JWS"},
	{name: "seventeen PASSporTs", on: toPublish, spoil: body(`{"passports":["a.b.c"` + strings.Repeat(`,"a.b.c"`, 16) + `]}`), kind: oob.TooLarge, detail: "more than 16 PASSporTs"},
	{name: "a PASSporT of 8193 bytes", on: toPublish, spoil: body(`{"passports":["a.b.` + strings.Repeat("c", 8189) + `"]}`), kind: oob.TooLarge, detail: "a PASSporT is longer than 8192 bytes"},
	{name: "body of 64 KiB and a byte", on: toPublish, spoil: body(`{"passports":["a.b.c"]}` + strings.Repeat(" ", 64<<10-22)), kind: oob.TooLarge,
		detail: "the body is longer than 65536 bytes", closes: true},
	{name: "body of a megabyte", on: toPublish, spoil: body(strings.Repeat(" ", 1<<20)), kind: oob.TooLarge, detail: "the body is longer than 65536 bytes", closes: true},
	{name: "no digest", on: toPublish, spoil: access(func(a *oob.Access) { a.Digest = "" }), kind: oob.DigestMismatch,
		detail: "the passports claim is not the digest of the body's passports"},
	{name: "digest of another list", on: toPublish, spoil: access(func(a *oob.Access) { a.Digest = atis.Digest([]string{"a.b.c"}) }), kind: oob.DigestMismatch,
		detail: "the passports claim is not the digest of the body's passports"},
	{name: "digest without padding", on: toPublish, spoil: access(func(a *oob.Access) { a.Digest = strings.TrimRight(a.Digest, "=") }), kind: oob.DigestMismatch,
		detail: "the passports claim is not the digest of the body's passports"},
	{name: "PASSporT of 90 s ago", on: toPublish, spoil: signed(func(p *pair, c *passport.Claims) { c.IAT = c.IAT.Add(-90 * time.Second) }), kind: oob.PassportStale,
		detail: "PASSporT 1: iat is 90 s old, at most 60 s allowed", fetch: true},
	{name: "PASSporT of 90 s ahead", on: toPublish, spoil: signed(func(p *pair, c *passport.Claims) { c.IAT = c.IAT.Add(90 * time.Second) }), kind: oob.PassportStale,
		detail: "PASSporT 1: iat is 90 s in the future, at most 60 s allowed", fetch: true},
	{name: "PASSporT of another caller", on: toPublish, spoil: signed(func(p *pair, c *passport.Claims) { c.Orig = p.Dest }), kind: oob.IdentityMismatch,
		detail: "PASSporT 1: orig is not the calling number of the path", fetch: true},
	{name: "PASSporT to another number", on: toPublish, spoil: signed(func(p *pair, c *passport.Claims) { c.Dest[0] = p.Orig }), kind: oob.IdentityMismatch,
		detail: "PASSporT 1: dest is not the called number of the path, and no div leads there", fetch: true},
	{name: "PASSporT with another signature", on: toPublish, spoil: func(p *pair, a *oobtest.Attempt) {
		one, two := strings.Split(p.Passport("one"), "."), strings.Split(p.Passport("two"), ".")
		publishing(a, one[0]+"."+one[1]+"."+two[2])
	}, kind: oob.PassportInvalid, detail: "PASSporT 1: the signature does not verify", fetch: true},
	{name: "PASSporT that is none", on: toPublish, spoil: func(_ *pair, a *oobtest.Attempt) { publishing(a, "AAA.BBB.CCC") }, kind: oob.PassportInvalid,
		detail: "PASSporT 1: a segment is not base64url without padding", fetch: true},
	{name: "PASSporT of an unknown CA", on: toPublish, spoil: func(p *pair, a *oobtest.Attempt) {
		stranger := p.foreign("890C")
		publishing(a, p.sign(stranger.Key, stranger.X5U, p.Claims("x")))
	}, kind: oob.CredentialUntrusted, detail: "PASSporT 1: its certificate is not trusted", fetch: true},
	{name: "PASSporT with an http x5u", on: toPublish, spoil: func(p *pair, a *oobtest.Attempt) {
		publishing(a, p.sign(p.Upstream.Key, "http://cert.example.org/a.pem", p.Claims("x")))
	}, kind: oob.PassportInvalid, detail: "PASSporT 1: its x5u is not a URL that certificates are fetched from", fetch: true},
}

// TestEveryRefusalIsClearAndChangesNothing makes each bad request in both forms and over both versions of HTTP. After each
// of them nothing has been stored, nothing was told to anybody, and a good request works.
func TestEveryRefusalIsClearAndChangesNothing(t *testing.T) {
	for _, profile := range oobtest.Forms() {
		for _, http1 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/http1=%v", profile, http1), func(t *testing.T) {
				p := startPair(t, oobtest.CPSConfig{})
				for _, r := range refusals {
					for _, action := range []oob.Action{toPublish, toRetrieve} {
						if r.on == "" || r.on == action {
							t.Run(string(action)+"/"+r.name, func(t *testing.T) {
								p.T = t
								p.refused(r, profile, action, http1)
							})
						}
					}
				}
			})
		}
	}
}

func (p *pair) refused(r refusal, profile oob.Profile, action oob.Action, http1 bool) {
	p.Clock.Advance(time.Minute) // nothing of the row before remains, its use of the rates included
	p.CPS.Store.Advance(p.Clock.Now())
	a := p.Retrieve(profile)
	if action == toPublish {
		a = p.Publish(profile, p.Passport(r.name))
	}
	a.HTTP1 = http1
	r.spoil(p, a)
	before := p.CPS.Store.Stats()
	fetches := p.CPS.Verifier.Stats().Fetches
	p.log.take(p.T)

	answer := p.send(a)
	p.wantFault(answer, r.kind, r.detail)
	if answer.HTTPMajor == 2 == http1 {
		p.Errorf("HTTP/%d", answer.HTTPMajor)
	}
	if r.kind.Row().HTTP == 401 {
		p.wantHeader(answer.Header, "WWW-Authenticate", "Bearer")
	}
	if after := p.CPS.Store.Stats(); after != before {
		p.Errorf("the shelf has changed from %+v to %+v", before, after)
	}
	if got := p.CPS.Verifier.Stats().Fetches; got != fetches && !r.fetch {
		p.Errorf("%d certificates fetched for claims that do not fit", got-fetches)
	}
	secrets := append(a.Authorization, string(a.Body), a.Access.ID)
	if a.Authorization == nil {
		secrets = append(secrets, p.token(a)) // the same again: ES256 as we sign it is deterministic
	}
	p.silent("body", answer.Body, secrets...)
	p.silent("header", fmt.Sprint(answer.Header), secrets...)
	lines, text := p.log.take(p.T)
	if len(lines) != 1 || lines[0]["fault"] != r.kind.String() || lines[0]["level"] != "INFO" || lines[0]["detail"] != r.detail {
		p.Errorf("log: %s", text)
	}
	p.silent("log", text, secrets...)
	p.silent("metrics", p.metricsText(), secrets...)
	p.goodStillWorks(profile, http1, r.closes && http1)
}

// goodStillWorks makes a good request on the same connection.
func (p *pair) goodStillWorks(profile oob.Profile, http1, closed bool) {
	p.Helper()
	good := p.Retrieve(profile)
	good.HTTP1 = http1
	reused := false
	answer, err := p.Send(traceReuse(p.Context(), &reused), good)
	if err != nil {
		p.Fatal(err)
	}
	p.wantFault(answer, oob.NotFound, "nothing is held for these numbers")
	if !reused && !closed {
		p.Error("the connection was closed")
	}
}

func (p *pair) token(a *oobtest.Attempt) string {
	p.Helper()
	token, err := a.Token()
	if err != nil {
		p.Fatal(err)
	}
	return token
}

// path and the functions after it make the function that spoils an attempt.
func path(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Path = text }
}

func prefix(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Path = text + a.Path }
}

func suffix(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Path += text }
}

func respell(number, as string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Path = strings.Replace(a.Path, number, as, 1) }
}

func method(name string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Method = name }
}

func header(name, value string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Header.Set(name, value) }
}

func authorization(values ...string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Authorization = append([]string{}, values...) }
}

func jose(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.JOSE = []byte(text) }
}

func payload(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Payload = []byte(text) }
}

func access(change func(*oob.Access)) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { change(&a.Access) }
}

// claims replaces a part of the payload's text, which must be there.
func claims(old, new string) func(*pair, *oobtest.Attempt) {
	return func(p *pair, a *oobtest.Attempt) {
		text := string(atis.WriteAccess(a.Access))
		if !strings.Contains(text, old) {
			p.Fatalf("no %s in %s", old, text)
		}
		a.Payload = []byte(strings.Replace(text, old, new, 1))
	}
}

func body(text string) func(*pair, *oobtest.Attempt) {
	return func(_ *pair, a *oobtest.Attempt) { a.Body = []byte(text) }
}

// publishing makes an attempt publish other PASSporTs, with their digest.
func publishing(a *oobtest.Attempt, passports ...string) {
	a.Body, a.Access.Digest = atis.WritePublish(passports), atis.Digest(passports)
}

// signed publishes a PASSporT with other claims, well signed.
func signed(change func(*pair, *passport.Claims)) func(*pair, *oobtest.Attempt) {
	return func(p *pair, a *oobtest.Attempt) {
		c := p.Claims("signed")
		change(p, &c)
		publishing(a, p.sign(p.Upstream.Key, p.Upstream.X5U, c))
	}
}

// issued has the access token signed under another certificate of the same provider.
func issued(config func(*pair) oobtest.IssueConfig) func(*pair, *oobtest.Attempt) {
	return func(p *pair, a *oobtest.Attempt) {
		c := config(p)
		c.SPC = a.Signer.SPC
		a.Signer = p.issue(c)
	}
}
