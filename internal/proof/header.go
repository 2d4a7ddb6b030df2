package proof

import (
	"crypto/x509"
	"encoding/base64"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

const depthMax = 8

// headers are the x5u's of headers that were sound under all rules: all tokens of one provider have the same.
var headers jws.Memo[string]

// readHeader wants alg ES256 and an x5u or, where it is taken, an x5c. Deployed clients send no typ; one that says passport
// is refused, so that a PASSporT can never pass for an access token.
//
// With both, the chain that is there counts, and the x5u is not asked: RFC 7515 §4.1.6 leaves it open, and what was shown
// need not be fetched. Where x5c is not taken, it is a member like any other that is not known.
func (t *Token) readHeader() error {
	var alg, typ string
	var shown jws.Value
	crit := false
	err := jws.Object(t.parts.Header, depthMax, func(name string, value jws.Value) error {
		ok := true
		switch name {
		case "alg":
			alg, ok = jws.String(value)
		case "typ":
			typ, ok = jws.String(value)
		case "x5u":
			t.x5u, ok = jws.String(value)
		case "x5c":
			shown = value
		case "crit":
			crit = true
		}
		if !ok {
			return jws.ErrJSON
		}
		return nil
	})
	switch {
	case err != nil:
		return oob.Faultf(oob.Unproven, "the access token's header is not a JSON object of strings, or has a member twice")
	case alg != "ES256":
		return oob.Faultf(oob.Unproven, "the access token's alg is not ES256")
	case crit:
		return oob.Faultf(oob.Unproven, "the access token's crit names an unknown extension")
	case strings.EqualFold(typ, "passport"):
		return oob.Faultf(oob.Unproven, "a PASSporT is not an access token")
	case shown != nil && t.rules.shown:
		t.x5u = ""
		t.chain, err = readX5C(shown)
		return err
	case t.x5u == "":
		return oob.Faultf(oob.Unproven, "the access token's header has no x5u")
	case shown == nil:
		headers.Put(t.parts.HeaderText(), t.x5u)
	}
	return nil
}

// base64DER is that of RFC 4648 §4, in which one certificate has one text.
var base64DER = base64.StdEncoding.Strict()

// readX5C reads the value of x5c (RFC 7515 §4.1.6): certificates in base64, the signer's first. The order of the others
// means nothing.
func readX5C(value jws.Value) (*trust.Chain, error) {
	texts, ok := jws.Strings(value, stircert.ChainCertificatesMax)
	if !ok || len(texts) == 0 {
		return nil, oob.Faultf(oob.Unproven, "the access token's x5c is not an array of 1 to %d certificates", stircert.ChainCertificatesMax)
	}
	certs := make([]*x509.Certificate, len(texts))
	for i, text := range texts {
		der, err := base64DER.DecodeString(text)
		if err != nil || strings.ContainsAny(text, "\r\n") { // which encoding/base64 skips
			return nil, oob.Faultf(oob.Unproven, "certificate %d of the access token's x5c is not base64", i+1)
		}
		if certs[i], err = stircert.ParseX509(der); err != nil {
			return nil, oob.Faultf(oob.Unproven, "certificate %d of the access token's x5c is none", i+1).Because(err)
		}
	}
	return trust.NewChain(certs), nil
}
