package proof_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// referring is a certificate whose TNAuthList is at a URL.
func referring(t testing.TB, url string) oobtest.IssueConfig {
	t.Helper()
	type description struct {
		Method   asn1.ObjectIdentifier
		Location asn1.RawValue
	}
	value, err := asn1.Marshal([]description{{
		asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 14},
		asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(url)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true, Modify: func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: []int{1, 3, 6, 1, 5, 5, 7, 1, 1}, Value: value})
	}}
}

// header is that of a token which brings its chain along; members may add to it.
func header(t testing.TB, members map[string]any, chain ...[]byte) string {
	t.Helper()
	all := map[string]any{"alg": "ES256"}
	if chain != nil {
		texts := make([]string, len(chain))
		for i, der := range chain {
			texts[i] = base64.StdEncoding.EncodeToString(der)
		}
		all["x5c"] = texts
	}
	for name, value := range members {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func bearer(t testing.TB, key *ecdsa.PrivateKey, header string) string {
	t.Helper()
	token, err := jws.Sign(key, []byte(header), []byte(`{"iat":1}`))
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + token
}

func TestRFC7515_S4_1_6_X5CForm(t *testing.T) {
	pki, _ := laboratory(t)
	id := issueWith(t, pki, oobtest.IssueConfig{SPC: "1234"})
	leaf, above := id.Certificate.Raw, pki.Intermediate.Certificate.Raw
	text := base64.StdEncoding.EncodeToString(leaf)
	raw := func(x5c string) string { return `{"alg":"ES256","x5c":` + x5c + `}` }
	small := issueWith(t, pki, oobtest.IssueConfig{SPC: "1", Modify: func(c *x509.Certificate) { c.Policies, c.Subject = nil, pkix.Name{} }}).Certificate.Raw
	for _, c := range []struct {
		name, header string
		good         bool
	}{
		{"leaf and intermediate", header(t, nil, leaf, above), true},
		{"leaf alone", header(t, nil, leaf), true},
		{"with an x5u, which is not asked", header(t, map[string]any{"x5u": "https://a.example/b"}, leaf, above), true},
		{"with typ JWT", header(t, map[string]any{"typ": "JWT"}, leaf), true},
		{"slashes escaped", strings.ReplaceAll(header(t, nil, leaf), "/", `\/`), true},
		{"eight certificates", header(t, nil, small, small, small, small, small, small, small, small), true},
		{"nine certificates", header(t, nil, small, small, small, small, small, small, small, small, small), false},
		{"none", raw(`[]`), false},
		{"null", raw(`null`), false},
		{"a string", raw(`"` + text + `"`), false},
		{"an array of an array", raw(`[["` + text + `"]]`), false},
		{"a number in it", raw(`["` + text + `",1]`), false},
		{"an empty string", raw(`[""]`), false},
		{"base64url", raw(`["` + base64.URLEncoding.EncodeToString(append(bytes.Clone(leaf), 0xff, 0xff)) + `"]`), false},
		{"no padding", raw(`["` + base64.RawStdEncoding.EncodeToString(append(bytes.Clone(leaf), make([]byte, 3-len(leaf)%3+1)...)) + `"]`), false},
		{"line breaks", raw(`["` + text[:64] + `\n` + text[64:] + `"]`), false},
		{"PEM", raw(`["-----BEGIN CERTIFICATE-----\n` + text + `\n-----END CERTIFICATE-----"]`), false},
		{"no certificate", raw(`["AAAA"]`), false},
		{"bytes after the certificate", header(t, nil, append(bytes.Clone(leaf), 0)), false},
		{"one of two broken", header(t, nil, leaf, above[:len(above)-1]), false},
		{"x5c twice", `{"alg":"ES256","x5c":["` + text + `"],"x5c":["` + text + `"]}`, false},
		{"neither x5c nor x5u", header(t, nil), false},
		{"alg none", header(t, map[string]any{"alg": "none"}, leaf), false},
		{"crit", header(t, map[string]any{"crit": []string{"x5c"}}, leaf), false},
		{"a PASSporT", header(t, map[string]any{"typ": "passport"}, leaf), false},
		{"too long", header(t, map[string]any{"kid": strings.Repeat("k", 12<<10)}, leaf), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := proof.Read(bearer(t, id.Key, c.header), proof.RFC9888)
			if c.good != (err == nil) || err != nil && (!errors.Is(err, oob.Unproven) || token != nil) {
				t.Errorf("%v, %v", token, err)
			}
			// ATIS tokens have an x5u, and what else they have does not matter.
			if token, err := proof.Read(bearer(t, id.Key, c.header), proof.ATIS); err == nil && !strings.Contains(c.header, "x5u") {
				t.Errorf("taken for one of ATIS: %v", token)
			}
		})
	}
}

// A header with both must not be remembered as one with an x5u.
func TestRFC7515_S4_1_6_BothUnderEitherRules(t *testing.T) {
	pki, verifier := laboratory(t)
	id := issueWith(t, pki, oobtest.IssueConfig{SPC: "1234"})
	other := issueWith(t, pki, oobtest.IssueConfig{SPC: "567B"})
	authorization := bearer(t, id.Key, header(t, map[string]any{"x5u": other.X5U}, id.Certificate.Raw, pki.Intermediate.Certificate.Raw))
	for range 2 {
		token, err := proof.Read(authorization, proof.ATIS)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := token.Prove(t.Context(), verifier, "567B"); !errors.Is(err, jws.ErrSignature) {
			t.Errorf("ATIS: %+v, %v", p, err)
		}
		if token, err = proof.Read(authorization, proof.RFC9888); err != nil {
			t.Fatal(err)
		}
		if p, err := token.Prove(t.Context(), verifier, "1234"); err != nil || p.SPC != "1234" || p.X5U != "" {
			t.Errorf("RFC 9888: %+v, %v", p, err)
		}
	}
}

func TestRFC9888_S6_WhoSignsAToken(t *testing.T) {
	pki, verifier := laboratory(t)
	issue := func(by *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.Identity {
		t.Helper()
		id := issueWith(t, by, cfg)
		id.X5U = pki.Serve("/chains/"+hex.EncodeToString(id.Certificate.Hash[:]), chainOf(id, pki, by))
		return id
	}
	block := blockOf(t, "12155550100-12155550199")
	numbers := delegate(t, pki, oobtest.IssueConfig{SPC: "enterprise", IssuedByRoot: true, TNAuthList: block})
	provider := issue(pki, oobtest.IssueConfig{SPC: "1234"})
	both := issue(pki, oobtest.IssueConfig{SPC: "1234", TNAuthList: stircert.TNAuthList{SPCs: []string{"1234"}, Ranges: block.Ranges}})
	several := issue(pki, oobtest.IssueConfig{SPC: "both", TNAuthList: stircert.TNAuthList{SPCs: []string{"1234", "567B"}}})
	desk := issue(numbers, oobtest.IssueConfig{SPC: "desk", TNAuthList: blockOf(t, "12155550120-12155550129")})
	greedy := issue(numbers, oobtest.IssueConfig{SPC: "greedy", TNAuthList: blockOf(t, "12025550100")})
	short := func(id *oobtest.Identity) string { return hex.EncodeToString(id.Certificate.Hash[:8]) }

	for _, c := range []struct {
		name, iss    string
		id           *oobtest.Identity
		spc, account string
		want         oob.Kind // Internal for a principal
	}{
		{"a provider", "1234", provider, "1234", "1234", oob.Internal},
		{"another provider", "567B", provider, "", "", oob.OutOfScope},
		{"a provider in another case", "1234b", provider, "", "", oob.OutOfScope},
		{"a provider for a number", "12155550121", provider, "", "", oob.OutOfScope},
		{"nobody", "", provider, "", "", oob.OutOfScope},
		{"one of several", "567B", several, "567B", short(several), oob.Internal},
		{"none of several", "890C", several, "", "", oob.OutOfScope},
		{"a provider that has numbers", "1234", both, "1234", "1234", oob.Internal},
		{"a number of such a provider", "12155550121", both, "1234", "1234", oob.Internal},
		{"a delegate", "12155550121", desk, "", accountOf(numbers), oob.Internal},
		{"a delegate's number with a plus", "+12155550121", desk, "", "", oob.OutOfScope},
		{"a number beside", "12155550130", desk, "", "", oob.OutOfScope},
		{"a delegate for a provider", "1234", desk, "", "", oob.OutOfScope},
		{"a delegate with more than its CA", "12025550100", greedy, "", "", oob.Unproven},
	} {
		shown := header(t, nil, c.id.TLS().Certificate...)
		for where, head := range map[string]string{"x5u": header(t, map[string]any{"x5u": c.id.X5U}), "x5c": shown} {
			t.Run(c.name+" with "+where, func(t *testing.T) {
				token, err := proof.Read(bearer(t, c.id.Key, head), proof.RFC9888)
				if err != nil {
					t.Fatal(err)
				}
				got, err := token.Prove(t.Context(), verifier, c.iss)
				if c.want != oob.Internal {
					if !errors.Is(err, c.want) || got.Account != "" || got.Cert != [32]byte{} || strings.Contains(err.Error(), "1215555") {
						t.Errorf("%+v, %v", got, err)
					}
					return
				}
				if err != nil || got.SPC != c.spc || got.Account != c.account || got.Cert != c.id.Certificate.Hash || (got.X5U != "") != (where == "x5u") {
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
	}
}

// chainOf is what a repository serves of id, whose issuer may be a delegate.
func chainOf(id *oobtest.Identity, root, issuer *oobtest.PKI) []byte {
	return bytes.Join([][]byte{id.ChainPEM, issuer.Intermediate.CertificatePEM(), root.Intermediate.CertificatePEM()}, nil)
}

func TestRFC9888_S6_X5CThatProvesNothing(t *testing.T) {
	pki, verifier := laboratory(t)
	stranger, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, other := issueWith(t, pki, oobtest.IssueConfig{SPC: "1234"}), issueWith(t, pki, oobtest.IssueConfig{SPC: "1234"})
	ca := issueWith(t, pki, oobtest.IssueConfig{SPC: "1234", Modify: func(c *x509.Certificate) { c.IsCA = true }})
	elsewhere := issueWith(t, pki, referring(t, "https://lists.example/1234"))
	for _, c := range []struct {
		name  string
		key   *ecdsa.PrivateKey
		chain [][]byte
		want  error
	}{
		{"the key of another", other.Key, id.TLS().Certificate, jws.ErrSignature},
		{"the intermediate first", id.Key, [][]byte{pki.Intermediate.Certificate.Raw, id.Certificate.Raw}, stircert.IsCA},
		{"no intermediate", id.Key, [][]byte{id.Certificate.Raw}, stircert.NotTrusted},
		{"of another STI", id.Key, issueWith(t, stranger, oobtest.IssueConfig{SPC: "1234", Key: id.Key}).TLS().Certificate, stircert.NotTrusted},
		{"of a CA", ca.Key, ca.TLS().Certificate, stircert.IsCA},
		{"with its TNAuthList elsewhere", elsewhere.Key, elsewhere.TLS().Certificate, stircert.TNAuthListNotFetched},
		{"with an RSA key", id.Key, ofRSA(t, pki).Certificate, stircert.WrongKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := proof.Read(bearer(t, c.key, header(t, nil, c.chain...)), proof.RFC9888)
			if err != nil {
				t.Fatal(err)
			}
			if p, err := token.Prove(t.Context(), verifier, "1234"); !unprovenBecause(err, c.want) || p.Account != "" {
				t.Errorf("%+v, %v; want %v", p, err, c.want)
			}
		})
	}
	if s := verifier.Stats(); s.Fetches != 0 || s.Contents != 0 {
		t.Errorf("somebody was asked: %+v", s)
	}
}

// FuzzReadX5C: what is refused is Unproven and nothing; of what is taken with an x5c, encoding/json and encoding/base64 find
// the same certificates in it, of a bounded number, and none of it is the work of ATIS rules.
func FuzzReadX5C(f *testing.F) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		f.Fatal(err)
	}
	id := issueWith(f, pki, oobtest.IssueConfig{SPC: "1234"})
	for _, seed := range []string{
		header(f, nil, id.TLS().Certificate...), header(f, map[string]any{"x5u": "https://a.example/b"}, id.Certificate.Raw),
		`{"alg":"ES256","x5c":[]}`, `{"alg":"ES256","x5c":["AAAA"]}`, `{"alg":"ES256","x5c":"AAAA"}`, `{"alg":"ES256","x5c":["MAA="],"x5c":[]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		authorization := "Bearer " + compact(header, `{}`)
		token, err := proof.Read(authorization, proof.RFC9888)
		if err != nil {
			if !errors.Is(err, oob.Unproven) || token != nil {
				t.Fatalf("%v, %v", token, err)
			}
			return
		}
		var other struct {
			X5U string           `json:"x5u"`
			X5C *json.RawMessage `json:"x5c"`
		}
		if err := json.Unmarshal([]byte(header), &other); err != nil {
			t.Fatalf("encoding/json refuses %q: %v", header, err)
		}
		if !strings.Contains(header, "x5c") && !strings.Contains(header, `\u`) {
			if other.X5U == "" {
				t.Fatalf("%q has no x5u", header)
			}
			return
		}
		if other.X5C == nil {
			return
		}
		var chain [][]byte // which encoding/json reads from base64
		if err := json.Unmarshal(*other.X5C, &chain); err != nil || len(chain) == 0 || len(chain) > stircert.ChainCertificatesMax {
			t.Fatalf("%q: %d certificates, %v", header, len(chain), err)
		}
		for _, der := range chain {
			if _, err := x509.ParseCertificate(der); err != nil {
				t.Fatalf("%q: %v", header, err)
			}
		}
	})
}
