package stipa

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/stircert"
)

// depthMax bounds the nesting of JSON; what an STI-PA signs needs two.
const depthMax = 4

// Signed is a JWT such as an STI-PA signs, read and not yet believed: see [Signers.Check] and [Signers.Believe].
type Signed struct {
	token jws.Token
	x5u   string
	x5c   []string
}

// ParseSigned reads a JWT of at most bytesMax bytes, up to its header. It insists on ES256 and on the type JWT, so that
// nothing else that the key has signed passes for it. Members that it does not know are passed over, but for crit.
func ParseSigned(compact string, bytesMax int) (*Signed, error) {
	s := &Signed{}
	var err error
	if s.token, err = jws.Split(compact, bytesMax); err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	var alg, typ string
	err = ReadMembers(s.token.Header, map[string]func(jws.Value) bool{
		"alg":  Text(&alg),
		"typ":  Text(&typ),
		"x5u":  Text(&s.x5u),
		"x5c":  func(v jws.Value) (ok bool) { s.x5c, ok = jws.Strings(v, stircert.ChainCertificatesMax); return ok },
		"crit": func(jws.Value) bool { return false }, // RFC 7515 §4.1.11: what must be understood is not
	}, "alg", "typ")
	switch {
	case err != nil:
		return nil, fmt.Errorf("header: %w", err)
	case alg != "ES256":
		return nil, fmt.Errorf("%w: alg is not ES256", Malformed)
	case !strings.EqualFold(typ, "JWT"): // RFC 7519 §5.1: a media type
		return nil, fmt.Errorf("%w: typ is not JWT", Malformed)
	}
	return s, nil
}

// Payload is what was signed, if it is believed.
func (s *Signed) Payload() []byte { return s.token.Payload }

// Believe makes sure that a document was signed by one of s, at any time: whether it is current is for the Keeper to say.
// parse reads what was offered. It gives what is to be kept of the document: the JWT with the chain of its signer behind
// it, so that it can be judged again without a fetch.
func (s *Signers) Believe(ctx context.Context, offer Offer, parse func(body []byte) (*Signed, error)) (kept []byte, err error) {
	body, chainPEM := offer.Body, []byte(nil)
	if offer.Kept {
		body, chainPEM, _ = bytes.Cut(offer.Body, []byte("\n"))
	}
	signed, err := parse(body)
	if err != nil {
		return nil, err
	}
	chain, err := s.judge(ctx, signed, chainPEM, offer.Now)
	if err != nil {
		return nil, err
	}
	b := bytes.NewBufferString(signed.token.SigningInput + "." + base64.RawURLEncoding.EncodeToString(signed.token.Signature) + "\n")
	for _, cert := range chain {
		pem.Encode(b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}) // a Buffer does not fail
	}
	return b.Bytes(), nil
}

// ReadMembers reads a JSON object: each member that is known must be as its reader wants it, each that is required must
// be there, and all others are passed over. Errors wrap [Malformed].
func ReadMembers(data []byte, read map[string]func(jws.Value) bool, required ...string) error {
	there := map[string]bool{}
	err := jws.Object(data, depthMax, func(name string, value jws.Value) error {
		if reader, known := read[name]; known {
			if there[name] = true; !reader(value) {
				return fmt.Errorf("%w: %s is not as it should be", Malformed, name)
			}
		}
		return nil
	})
	if err != nil {
		if _, typed := errors.AsType[Problem](err); !typed {
			err = fmt.Errorf("%w: %w", Malformed, err)
		}
		return err
	}
	for _, name := range required {
		if !there[name] {
			return fmt.Errorf("%w: %s is missing", Malformed, name)
		}
	}
	return nil
}

// Text reads a string for ReadMembers.
func Text(to *string) func(jws.Value) bool {
	return func(v jws.Value) (ok bool) { *to, ok = jws.String(v); return ok }
}

// Seconds reads a NumericDate for ReadMembers.
func Seconds(to *time.Time) func(jws.Value) bool {
	return func(v jws.Value) bool {
		n, ok := jws.Seconds(v)
		*to = time.Unix(n, 0)
		return ok
	}
}
