// Package proof finds out who is asking: it turns the credential of a request into an oob.Principal.
//
// Knows: access tokens with x5u, signed with ES256 by the key of an STI certificate (ATIS-1000096 §7, ATIS-1000105 §7).
// Never hears of: what is asked for, whether it may be had, records, HTTP beyond the text of one header field.
//
// # Failures
//
// Every failure is an *oob.Fault of kind Unproven, whatever went wrong with the certificate, so that a CPS answers 401;
// the cause is kept for the log. A certificate that does not name the SPC is OutOfScope. Overloaded is our own fault: too
// many certificates are being fetched to get one more.
//
// # Limits
//
// A token has at most 4 KiB; the reference client's has about 550 bytes.
package proof

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"errors"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

const (
	tokenBytesMax = 4 << 10
	depthMax      = 8
)

// Token is an access token whose form is sound. Nothing in it is to be believed before Prove.
type Token struct {
	x5u   string
	parts jws.Token
}

// Read takes the value of an Authorization header field (RFC 6750 §2.1).
func Read(authorization string) (*Token, error) {
	scheme, text, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, oob.Faultf(oob.Unproven, "an Authorization header with a Bearer token is needed")
	}
	parts, err := jws.Split(strings.TrimSpace(text), tokenBytesMax)
	if err != nil {
		return nil, oob.Faultf(oob.Unproven, "the access token is not a compact JWS: %v", err)
	}
	t := &Token{parts: parts}
	var known bool
	if t.x5u, known = headers.Get(parts.HeaderText()); known {
		return t, nil
	}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	headers.Put(parts.HeaderText(), t.x5u)
	return t, nil
}

// headers are the x5u's of headers that were sound: all tokens of one provider have the same.
var headers jws.Memo[string]

// readHeader wants alg ES256 and an x5u. Deployed clients send no typ; one that says passport is refused, so that a
// PASSporT can never pass for an access token.
func (t *Token) readHeader() error {
	var alg, typ string
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
	case t.x5u == "":
		return oob.Faultf(oob.Unproven, "the access token's header has no x5u")
	case crit:
		return oob.Faultf(oob.Unproven, "the access token's crit names an unknown extension")
	case strings.EqualFold(typ, "passport"):
		return oob.Faultf(oob.Unproven, "a PASSporT is not an access token")
	}
	return nil
}

// Payload is the JSON text of the claims.
func (t *Token) Payload() []byte { return t.parts.Payload }

// Prove checks the signature with the certificate at x5u, which must be trusted now and name the SPC in whose name the
// token speaks (claim iss).
func (t *Token) Prove(ctx context.Context, verifier *trust.Verifier, spc string) (oob.Principal, error) {
	credential, err := verifier.Verify(ctx, t.x5u, func(key *ecdsa.PublicKey) error { return t.parts.Verify(key) })
	if err != nil {
		return oob.Principal{}, unproven(err)
	}
	list := credential.Certificate.TNAuthList
	if !list.HasSPC(spc) {
		return oob.Principal{}, oob.Faultf(oob.OutOfScope, "the certificate does not name the SPC in iss")
	}
	// ATIS-1000080 §6.4.1: exactly one. With several, one provider would have the rates and shares of several.
	if len(list.SPCs) != 1 {
		return oob.Principal{}, oob.Faultf(oob.OutOfScope, "the certificate names several SPCs")
	}
	return oob.Principal{SPC: spc, Scope: list, Cert: credential.Certificate.Hash, X5U: t.x5u}, nil
}

func unproven(err error) error {
	switch {
	case errors.Is(err, jws.ErrSignature), errors.Is(err, jws.ErrSignatureForm):
		return oob.Faultf(oob.Unproven, "the access token's signature does not verify").Because(err)
	case errors.Is(err, trust.ErrBusy):
		return oob.Faultf(oob.Overloaded, "too many certificates are being fetched").Because(err).After(time.Second)
	case errors.Is(err, oob.CredentialUnreachable):
		return oob.Faultf(oob.Unproven, "the certificate at the access token's x5u cannot be fetched").Because(err)
	case errors.Is(err, oob.CredentialUntrusted):
		return oob.Faultf(oob.Unproven, "the certificate at the access token's x5u is not trusted").Because(err)
	}
	return err
}

// Sign makes the value of an Authorization header field over a payload. The header is that of the reference client: alg
// and x5u, nothing else.
func Sign(key crypto.Signer, x5u string, payload []byte) (string, error) {
	header := append(jws.AppendString([]byte(`{"alg":"ES256","x5u":`), x5u), '}')
	token, err := jws.Sign(key, header, payload)
	if err != nil {
		return "", err
	}
	return "Bearer " + token, nil
}
