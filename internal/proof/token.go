package proof

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Token is an access token whose form is sound. Nothing in it is to be believed before Prove.
type Token struct {
	rules Rules
	x5u   string
	chain *trust.Chain // that of x5c; nil when x5u says where it is
	parts jws.Token
	text  string
}

// Read takes the value of an Authorization header field (RFC 6750 §2.1).
func Read(authorization string, rules Rules) (*Token, error) {
	scheme, text, _ := strings.Cut(strings.TrimSpace(authorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, oob.Faultf(oob.Unproven, "an Authorization header with a Bearer token is needed")
	}
	return ReadText(strings.TrimSpace(text), rules)
}

// ReadText takes an access token as it stands in a body, where one CPS shows another what it was shown.
func ReadText(text string, rules Rules) (*Token, error) {
	parts, x5u, found, err := headers.Split(text, rules.bytesMax)
	if err != nil {
		return nil, oob.Faultf(oob.Unproven, "the access token is not a compact JWS: %v", err)
	}
	t := &Token{rules: rules, x5u: x5u, parts: parts, text: text}
	if found {
		return t, nil
	}
	if err := t.readHeader(); err != nil {
		return nil, err
	}
	return t, nil
}

// Text is the token itself.
func (t *Token) Text() string { return t.text }

// Payload is the JSON text of the claims.
func (t *Token) Payload() []byte { return t.parts.Payload }

// Prove checks the signature with the certificate of the token, which must be trusted now and name the one in whose name
// the token speaks (claim iss): a provider by its SPC or, where certificates for numbers are taken, one of these numbers in
// canonical form. Where both are possible, it is the SPC.
func (t *Token) Prove(ctx context.Context, verifier *trust.Verifier, iss string) (oob.Principal, error) {
	var credential *trust.Credential
	var err error
	where := "the certificate in the access token's x5c"
	if t.chain != nil {
		if credential, err = verifier.Show(ctx, shower(ctx), t.chain); err == nil {
			err = t.parts.Verify(credential.Certificate.Key) // the key is another copy each time: no table would know it
		}
	} else {
		where = "the certificate at the access token's x5u"
		credential, err = verifier.Verify(ctx, t.x5u, func(key *ecdsa.PublicKey) error {
			return t.parts.VerifyWith(key, verifier.ES256())
		})
	}
	if err != nil {
		return oob.Principal{}, unproven(err, where)
	}
	return t.rules.speaker(verifier, credential, iss)
}

// speaker is the holder of a credential when it speaks in the name of iss.
func (r Rules) speaker(verifier *trust.Verifier, credential *trust.Credential, iss string) (oob.Principal, error) {
	p := Holder(verifier, credential)
	switch isProvider := p.Scope.HasSPC(iss); {
	case isProvider && !r.anyScope && len(p.Scope.SPCs) != 1:
		// ATIS-1000080 §6.4.1: exactly one. With several, one provider would have the rates and shares of several.
		return oob.Principal{}, oob.Faultf(oob.OutOfScope, "the certificate names several SPCs")
	case isProvider:
		p.SPC = iss
	case !r.anyScope:
		return oob.Principal{}, oob.Faultf(oob.OutOfScope, "the certificate does not name the SPC in iss")
	case !hasNumber(p.Scope, iss):
		return oob.Principal{}, oob.Faultf(oob.OutOfScope, "the certificate names neither an SPC nor a number that is iss")
	}
	return p, nil
}

func hasNumber(scope stircert.TNAuthList, iss string) bool {
	number, err := tn.ParseNumber(iss)
	return err == nil && scope.HasNumber(number)
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
