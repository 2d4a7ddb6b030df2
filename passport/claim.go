package passport

import "github.com/viaduct-oob/viaduct/internal/jws"

// Claim gives a claim as the constraints of a certificate compare it (RFC 8226 §8, RFC 9118 §4): what a JSON string says,
// and of any other value its canonical JSON text. It is false where the payload has no such claim or is not strict JSON.
// It reads the whole payload anew.
func (e *Envelope) Claim(name string) (value string, present bool) {
	var found jws.Value
	err := jws.Object(e.parts.Payload, depthMax, func(member string, value jws.Value) error {
		if member == name {
			found = value
		}
		return nil
	})
	if err != nil || found == nil {
		return "", false
	}
	if text, ok := jws.String(found); ok {
		return text, true
	}
	canonical := jws.Value(string(found)) // a copy: found is part of the payload
	if jws.Canonicalize(&canonical) != nil {
		return "", false
	}
	return string(canonical), true
}
