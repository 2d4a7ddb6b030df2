package proof_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// compact is a token whose signature has the right length and nothing else.
func compact(header, payload string) string {
	return encode(header) + "." + encode(payload) + "." + encode(strings.Repeat("s", 64))
}

const goodHeader = `{"alg":"ES256","x5u":"https://cr.example.org/567B/chain.pem"}`

func TestATIS1000096_S7_AccessTokenForm(t *testing.T) {
	good := compact(goodHeader, `{"iat":1}`)
	for name, authorization := range map[string]string{
		"as the public client sends it": "Bearer " + good, "scheme in lower case": "bearer " + good, "more spaces": " Bearer    " + good + " ",
		"typ JWT":         "Bearer " + compact(`{"alg":"ES256","typ":"JWT","x5u":"https://a.example/b"}`, `{}`),
		"further members": "Bearer " + compact(`{"alg":"ES256","kid":"1","jwk":{"kty":"EC"},"x5u":"https://a.example/b"}`, `{}`),
	} {
		if token, err := proof.Read(authorization, proof.ATIS); err != nil || token == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, authorization := range map[string]string{
		"nothing": "", "scheme alone": "Bearer", "another scheme": "Basic " + good, "no scheme": good, "tab": "Bearer\t" + good,
		"two": "Bearer " + good + " " + good, "list": "Bearer " + good + "," + good, "quoted": `Bearer "` + good + `"`,
		"too long":               "Bearer " + compact(goodHeader, strings.Repeat("x", 4000)),
		"alg none":               "Bearer " + compact(`{"alg":"none","x5u":"https://a.example/b"}`, `{}`),
		"alg ES384":              "Bearer " + compact(`{"alg":"ES384","x5u":"https://a.example/b"}`, `{}`),
		"alg twice":              "Bearer " + compact(`{"alg":"ES256","alg":"ES256","x5u":"https://a.example/b"}`, `{}`),
		"alg is a number":        "Bearer " + compact(`{"alg":256,"x5u":"https://a.example/b"}`, `{}`),
		"no x5u":                 "Bearer " + compact(`{"alg":"ES256","x5c":["AAAA"]}`, `{}`),
		"empty x5u":              "Bearer " + compact(`{"alg":"ES256","x5u":""}`, `{}`),
		"crit":                   "Bearer " + compact(`{"alg":"ES256","crit":["exp"],"x5u":"https://a.example/b"}`, `{}`),
		"a PASSporT":             "Bearer " + compact(`{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://a.example/b"}`, `{}`),
		"a PASSporT, other case": "Bearer " + compact(`{"alg":"ES256","typ":"PASSporT","x5u":"https://a.example/b"}`, `{}`),
	} {
		if token, err := proof.Read(authorization, proof.ATIS); !errors.Is(err, oob.Unproven) || token != nil {
			t.Errorf("%s: %v, %v", name, token, err)
		}
	}
}

func TestSignMakesWhatReadTakes(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	authorization, err := proof.Sign(key, "https://a.example/\"b", []byte(`{"iat":1}`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := proof.Read(authorization, proof.ATIS)
	if err != nil || string(token.Payload()) != `{"iat":1}` {
		t.Errorf("%v, %v", token, err)
	}
	header, _, _ := strings.Cut(strings.TrimPrefix(authorization, "Bearer "), ".")
	if want := encode(`{"alg":"ES256","x5u":"https://a.example/\"b"}`); header != want {
		t.Errorf("header %s, want %s", header, want)
	}
	other, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if authorization, err := proof.Sign(other, "https://a.example/b", nil); err == nil || authorization != "" {
		t.Errorf("signed on another curve: %q", authorization)
	}
}

// laboratory is a PKI with its repository and a verifier that believes it.
func laboratory(t *testing.T) (*oobtest.PKI, *trust.Verifier) {
	t.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	repository, err := pki.StartRepository()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { repository.Close() })
	verifier, err := pki.Verifier(repository, trust.Config{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	return pki, verifier
}

func TestATIS1000096_S7_WhoAsks(t *testing.T) {
	pki, verifier := laboratory(t)
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := pki.Issue(oobtest.IssueConfig{SPC: "890C"})
	if err != nil {
		t.Fatal(err)
	}
	several, err := pki.Issue(oobtest.IssueConfig{SPC: "1234", TNAuthList: stircert.TNAuthList{SPCs: []string{"1234", "567B"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, spc, x5u string
		key            *ecdsa.PrivateKey
		want           oob.Kind // Internal for a principal
	}{
		{"good", "1234", id.X5U, id.Key, oob.Internal},
		{"one of several", "1234", several.X5U, several.Key, oob.OutOfScope}, // ATIS-1000080 §6.4.1: exactly one
		{"an SPC of another", "890C", id.X5U, id.Key, oob.OutOfScope},
		{"no SPC", "", id.X5U, id.Key, oob.OutOfScope},
		{"the key of another", "1234", id.X5U, other.Key, oob.Unproven},
		{"no certificate there", "1234", strings.TrimSuffix(id.X5U, ".pem"), id.Key, oob.Unproven},
		{"an x5u that is none", "1234", "http://a.example/b", id.Key, oob.Unproven},
	} {
		t.Run(c.name, func(t *testing.T) {
			authorization, err := proof.Sign(c.key, c.x5u, []byte(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			token, err := proof.Read(authorization, proof.ATIS)
			if err != nil {
				t.Fatal(err)
			}
			got, err := token.Prove(context.Background(), verifier, c.spc)
			if c.want != oob.Internal {
				if !errors.Is(err, c.want) || got.SPC != "" || got.X5U != "" {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			if err != nil || got.SPC != c.spc || got.X5U != id.X5U || got.Cert != id.Certificate.Hash || !got.Scope.HasSPC("1234") {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// FuzzRead: what is refused is Unproven and nothing; what is taken is a JWS with the payload that its second segment says.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"Bearer " + compact(goodHeader, `{"iat":1}`), "Bearer " + compact(`{"alg":"none"}`, `{}`), "Basic QQ", "Bearer a.b.c", "", " Bearer  ",
		"Bearer " + compact(`{"alg":"ES256","x5u":"http://a.example/b","typ":"passport"}`, `{}`), "bearer " + compact(goodHeader, `x`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		token, err := proof.Read(authorization, proof.ATIS)
		if err != nil {
			if !errors.Is(err, oob.Unproven) || token != nil {
				t.Fatalf("%v, %v", token, err)
			}
			return
		}
		segments := strings.Split(authorization, ".")
		payload, err := base64.RawURLEncoding.Strict().DecodeString(segments[1])
		if len(segments) != 3 || err != nil || string(payload) != string(token.Payload()) {
			t.Fatalf("%q read as %q", authorization, token.Payload())
		}
	})
}
