package passport

import "github.com/viaduct-oob/viaduct/internal/jws"

// ClaimTexts gives all claims as the constraints of a certificate compare them (RFC 8226 §8, RFC 9118 §4): what a JSON
// string says, and of any other value its canonical JSON text. There are none where the payload is not strict JSON.
func (e *Envelope) ClaimTexts() map[string]string {
	texts := make(map[string]string)
	err := jws.Object(e.parts.Payload, depthMax, func(name string, value jws.Value) error {
		text, ok := jws.String(value)
		if !ok {
			canonical := jws.Value(string(value)) // a copy: value is part of the payload
			if err := jws.Canonicalize(&canonical); err != nil {
				return err
			}
			text = string(canonical)
		}
		texts[name] = text
		return nil
	})
	if err != nil {
		return nil
	}
	return texts
}
