package passport_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

func TestRFC8588_S6_ShakenIsSignedInCanonicalBytes(t *testing.T) {
	compact, err := passport.Sign(testKey(t), passport.Shaken, testX5U, shakenClaims(t))
	if err != nil {
		t.Fatal(err)
	}
	if want := forge(t, shakenHeader, shakenPayload); compact != want {
		t.Errorf("got %s\nwant %s", compact, want)
	}
}

func TestRFC8225_S4_2_SigningIsDeterministic(t *testing.T) {
	var signed [2]string
	for i := range signed {
		compact, err := passport.Sign(testKey(t), passport.Shaken, testX5U, shakenClaims(t))
		if err != nil {
			t.Fatal(err)
		}
		signed[i] = compact
	}
	if signed[0] != signed[1] {
		t.Error("two signatures of the same claims differ: not RFC 6979")
	}
}

func TestRFC8225_S5_2_1_DestIsSignedSorted(t *testing.T) {
	claims := shakenClaims(t)
	claims.Dest = []tn.Identity{
		uri(t, "urn:service:sos"), number(t, "9"), number(t, "12155550132"), uri(t, "sip:alice@example.com"), number(t, "12155550131"),
	}
	before := slices.Clone(claims.Dest)
	compact, err := passport.Sign(testKey(t), passport.Shaken, testX5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	want := `"dest":{"tn":["12155550131","12155550132","9"],"uri":["sip:alice@example.com","urn:service:sos"]}`
	if got := segment(t, compact, 1); !strings.Contains(got, want) {
		t.Errorf("payload %s", got)
	}
	if !slices.Equal(claims.Dest, before) {
		t.Error("Sign changed its argument")
	}
}

func TestRFC8225_S9_FurtherClaimsAreSignedCanonically(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"white space", "{ \"b\" : 1 ,\n \"a\" : [ 1 , 2 ] }", `{"a":[1,2],"b":1}`},
		{"order, at every depth", `{"z":{"b":1,"a":2},"a":[{"d":1,"c":2}]}`, `{"a":[{"c":2,"d":1}],"z":{"a":2,"b":1}}`},
		{"needless escapes", `"\u0041\/\u00e9"`, `"A/é"`},
		{"what HTML would escape", `"Q & <B>"`, `"Q & <B>"`},
		{"needed escapes", `"\u0000\n\"\\"`, `"\u0000\n\"\\"`},
		{"an integer beyond 2^53", `9007199254740993`, `9007199254740993`},
		{"an integer beyond 64 bits", `123456789012345678901234567890`, `123456789012345678901234567890`},
		{"a literal", `true`, `true`},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := shakenClaims(t)
			claims.Extra = []passport.Member{{Name: "zz", Value: c.value}, {Name: "aa", Value: "1"}}
			compact, err := passport.Sign(testKey(t), passport.Shaken, testX5U, claims)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimSuffix(strings.Replace(shakenPayload, "{", `{"aa":1,`, 1), "}") + `,"zz":` + c.want + `}`
			if got := segment(t, compact, 1); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

func TestRFC8225_S8_FurtherClaimsSurviveSigningAgain(t *testing.T) {
	claims := shakenClaims(t)
	claims.Extra = []passport.Member{{Name: "exp", Value: `1`}, {Name: "note", Value: `{"nam":"Alice"}`}}
	compact, err := passport.Sign(testKey(t), passport.Shaken, testX5U, claims)
	if err != nil {
		t.Fatal(err)
	}
	if got := check(t, compact, 0); !reflect.DeepEqual(got.Claims, claims) {
		t.Errorf("got %+v\nwant %+v", got.Claims, claims)
	}
}

// Sign must make nothing that Parse would refuse, nor change what it was asked to sign.
func TestSignRefusesWhatParseWould(t *testing.T) {
	for _, c := range []struct {
		name   string
		ppt    passport.Type
		change func(*passport.Claims)
		want   passport.Problem
	}{
		{"nothing wrong", passport.Shaken, func(*passport.Claims) {}, 0},
		{"nothing wrong, base", passport.Base, func(c *passport.Claims) { c.Attest, c.OrigID = "", "" }, 0},
		{"unknown type", "msec", func(*passport.Claims) {}, passport.PPTUnsupported},
		{"no iat", passport.Shaken, func(c *passport.Claims) { c.IAT = time.Time{} }, passport.IATForm},
		{"iat before 1970", passport.Shaken, func(c *passport.Claims) { c.IAT = time.Unix(-1, 0) }, passport.IATForm},
		{"iat after 9999", passport.Shaken, func(c *passport.Claims) { c.IAT = time.Unix(253402300800, 0) }, passport.IATForm},
		{"no orig", passport.Shaken, func(c *passport.Claims) { c.Orig = tn.Identity{} }, passport.ClaimMissing},
		{"no dest", passport.Shaken, func(c *passport.Claims) { c.Dest = nil }, passport.DestForm},
		{"nobody in dest", passport.Shaken, func(c *passport.Claims) { c.Dest = []tn.Identity{{}} }, passport.NumberForm},
		{"33 in dest", passport.Shaken, func(c *passport.Claims) { c.Dest = slices.Repeat(c.Dest, 33) }, passport.DestForm},
		{"no attest", passport.Shaken, func(c *passport.Claims) { c.Attest = "" }, passport.ClaimMissing},
		{"attest a", passport.Shaken, func(c *passport.Claims) { c.Attest = "a" }, passport.AttestInvalid},
		{"no origid", passport.Shaken, func(c *passport.Claims) { c.OrigID = "" }, passport.OrigIDForm},
		{"origid that is no UUID", passport.Shaken, func(c *passport.Claims) { c.OrigID = "123456-ABCD-999999" }, passport.OrigIDForm},
		{"origid that is nearly one", passport.Shaken, func(c *passport.Claims) { c.OrigID = strings.Replace(testOrigID, "-", "0", 1) }, passport.OrigIDForm},
		{"origid with other letters", passport.Shaken, func(c *passport.Claims) { c.OrigID = strings.Replace(testOrigID, "e", "g", 1) }, passport.OrigIDForm},
		{"origid that is not UTF-8", passport.Base, func(c *passport.Claims) { c.OrigID = "\xff" }, passport.OrigIDForm},
		{"no div", passport.Div, func(*passport.Claims) {}, passport.ClaimMissing},
		{"hi without div", passport.Base, func(c *passport.Claims) { c.DivHI = "1" }, passport.DivForm},
		{"opt in div", passport.Div, func(c *passport.Claims) {
			c.Div, c.Extra = c.Orig, []passport.Member{{Name: "opt", Value: `"a"`}}
		}, passport.OptInDiv},
		{"a known claim as further claim", passport.Shaken, extra("attest", `"C"`), passport.Unsignable},
		{"a further claim twice", passport.Shaken, func(c *passport.Claims) {
			c.Extra = []passport.Member{{Name: "a", Value: "1"}, {Name: "a", Value: "1"}}
		}, passport.Unsignable},
		{"a further claim without name", passport.Shaken, extra("", "1"), passport.Unsignable},
		{"a name that is not ASCII", passport.Shaken, extra("é", "1"), passport.Unsignable},
		{"no value", passport.Shaken, extra("a", ""), passport.Unsignable},
		{"a value that is no JSON", passport.Shaken, extra("a", "x"), passport.Unsignable},
		{"two values", passport.Shaken, extra("a", "1,2"), passport.Unsignable},
		{"a value that ends the object", passport.Shaken, extra("a", `1},"b":{}`), passport.Unsignable},
		{"a value with a member twice", passport.Shaken, extra("a", `{"b":1,"b":2}`), passport.Unsignable},
		{"a value that is not UTF-8", passport.Shaken, extra("a", "\"\xff\""), passport.Unsignable},
		{"a value that nests too deep", passport.Shaken, extra("a", strings.Repeat("[", 16)+strings.Repeat("]", 16)), passport.PayloadForm},
		{"too long", passport.Shaken, extra("a", `"`+strings.Repeat("a", 8192)+`"`), passport.TooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			claims := shakenClaims(t)
			c.change(&claims)
			checkSigned(t, testKey(t), c.ppt, testX5U, claims, c.want)
		})
	}
	for name, x5u := range map[string]string{
		"no x5u": "", "x5u that is not UTF-8": "https://\xff", "x5u that is not ASCII": "https://é.example",
	} {
		t.Run(name, func(t *testing.T) {
			checkSigned(t, testKey(t), passport.Shaken, x5u, shakenClaims(t), passport.HeaderForm)
		})
	}
}

func extra(name, value string) func(*passport.Claims) {
	return func(c *passport.Claims) { c.Extra = []passport.Member{{Name: name, Value: value}} }
}

func checkSigned(t *testing.T, key crypto.Signer, ppt passport.Type, x5u string, claims passport.Claims, want passport.Problem) {
	t.Helper()
	compact, err := passport.Sign(key, ppt, x5u, claims)
	if want == 0 {
		if err != nil {
			t.Fatalf("refused: %v", err)
		}
		check(t, compact, 0)
		return
	}
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if compact != "" {
		t.Error("a token beside an error")
	}
}

func TestLongestTokenIsSigned(t *testing.T) {
	token := check(t, sized(t, passport.TokenBytesMax), 0)
	compact, err := passport.Sign(testKey(t), passport.Shaken, token.Header.X5U, token.Claims)
	if err != nil || compact != token.String() {
		t.Errorf("%d bytes, %v", len(compact), err)
	}
	claims := check(t, sized(t, passport.TokenBytesMax), 0).Claims
	claims.Extra[0].Value = strings.Replace(claims.Extra[0].Value, "a", "aa", 1)
	checkSigned(t, testKey(t), passport.Shaken, token.Header.X5U, claims, passport.TooLong)
}

// module is a key that does not show itself, as one in a hardware module.
type module struct {
	crypto.Signer
	fails error
}

func (m module) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if m.fails != nil {
		return nil, m.fails
	}
	return m.Signer.Sign(random, digest, opts)
}

func TestRFC7518_S3_4_SigningKeyIsP256(t *testing.T) {
	checkSigned(t, module{Signer: testKey(t)}, passport.Shaken, testX5U, shakenClaims(t), 0)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]crypto.Signer{"RSA": rsaKey}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[curve.Params().Name] = key
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) {
			checkSigned(t, key, passport.Shaken, testX5U, shakenClaims(t), passport.SignatureForm)
		})
	}
}

func TestSignReturnsTheErrorOfTheKey(t *testing.T) {
	fails := errors.New("the module is gone")
	compact, err := passport.Sign(module{testKey(t), fails}, passport.Shaken, testX5U, shakenClaims(t))
	if !errors.Is(err, fails) || passport.ProblemOf(err) != 0 || compact != "" {
		t.Errorf("%q, %v", compact, err)
	}
}

func TestRFC8225_S9_SignatureIsOverTheReceivedBytes(t *testing.T) {
	text := forge(t, `{"typ":"passport","alg":"ES256","ppt":"shaken","x5u":"`+testX5U+`"}`,
		strings.Replace(shakenPayload, `,`, " ,\n ", -1))
	token := check(t, text, 0)
	if err := token.Verify(&testKey(t).PublicKey); err != nil {
		t.Errorf("Verify: %v", err)
	}
	if got := codesOf(passport.Diagnose(text)); !slices.Equal(got, []string{"not-canonical@header", "not-canonical@payload"}) {
		t.Errorf("deviations %q", got)
	}
}

func TestRFC8224_S6_2_ChangedTokenDoesNotVerify(t *testing.T) {
	good := forge(t, shakenHeader, shakenPayload)
	signature := good[strings.LastIndex(good, "."):]
	key := testKey(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		token string
		key   *ecdsa.PublicKey
		want  passport.Problem
	}{
		{"unchanged", good, &key.PublicKey, 0},
		{"another orig", encode(shakenHeader) + "." + encode(strings.Replace(shakenPayload, "0121", "0122", 1)) + signature, &key.PublicKey, passport.SignatureInvalid},
		{"another x5u", encode(strings.Replace(shakenHeader, "1234", "1235", 1)) + "." + encode(shakenPayload) + signature, &key.PublicKey, passport.SignatureInvalid},
		{"the same claims in other bytes", encode(shakenHeader) + "." + encode(shakenPayload+" ") + signature, &key.PublicKey, passport.SignatureInvalid},
		{"another key", good, &other.PublicKey, passport.SignatureInvalid},
		{"a key on another curve", good, &p224.PublicKey, passport.SignatureInvalid},
		{"no key", good, nil, passport.SignatureInvalid},
		{"r and s zero", good[:strings.LastIndex(good, ".")+1] + encode(strings.Repeat("\x00", 64)), &key.PublicKey, passport.SignatureInvalid},
		{"r and s beyond the order", good[:strings.LastIndex(good, ".")+1] + encode(strings.Repeat("\xff", 64)), &key.PublicKey, passport.SignatureInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := check(t, c.token, 0)
			if err := token.Verify(c.key); passport.ProblemOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A signature on another curve, of integers short enough for 64 bytes, must not pass for ES256.
func TestRFC7518_S3_4_VerifyingKeyIsP256(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := forge(t, shakenHeader, shakenPayload)
	input := good[:strings.LastIndex(good, ".")]
	digest := sha256Of(input)
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.Verify(&key.PublicKey, digest, r, s) {
		t.Fatal("the test's own signature is wrong")
	}
	token := check(t, input+"."+encode(string(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))), 0)
	if err := token.Verify(&key.PublicKey); !errors.Is(err, passport.SignatureInvalid) {
		t.Errorf("got %v", err)
	}
}

// ECDSA is malleable: whoever sees a token can make a second text of it that verifies. A memory of used tokens that is
// keyed by the text, or by the signature, is no memory; the signing input is the same for both.
func TestRFC6979_MalleatedSignatureVerifiesSoReplayIsKnownBySigningInput(t *testing.T) {
	good := check(t, forge(t, shakenHeader, shakenPayload), 0)
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(good.String(), ".")[2])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(raw[32:]))
	twin := check(t, good.SigningInput()+"."+encode(string(raw[:32])+string(s.FillBytes(make([]byte, 32)))), 0)
	if twin.String() == good.String() {
		t.Fatal("the twin has the same text")
	}
	if err := twin.Verify(&testKey(t).PublicKey); err != nil {
		t.Errorf("the twin does not verify: %v; then this test and the warning at Verify can go", err)
	}
	if twin.SigningInput() != good.SigningInput() {
		t.Error("the signing inputs differ")
	}
}
