package passport

import (
	"reflect"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// Rebuild makes the full form of a base PASSporT in compact form from what signalling says: header and claims in canonical
// form (RFC 8225 §7, RFC 8224 §4.1), as the signer must have had them; whether that is so, Verify shows. header names the
// x5u; an empty alg or typ stands for ES256 and passport. Only iat, orig, dest and mky can be rebuilt: a type of its own
// and all other claims ask for the full form and are refused with CompactForm, as is a text that is not in compact form.
// Other problems: those of [Parse].
func Rebuild(compact string, header Header, claims Claims) (*Envelope, error) {
	signature, found := strings.CutPrefix(compact, "..")
	rebuilt := Claims{IAT: claims.IAT, Orig: claims.Orig, Dest: claims.Dest, MKY: claims.MKY}
	if !found || header.PPT != Base || !reflect.DeepEqual(claims, rebuilt) {
		return nil, problem(CompactForm, "")
	}
	if header.Alg != "" && header.Alg != "ES256" {
		return nil, problem(AlgInvalid, "")
	}
	if header.Typ != "" && header.Typ != "passport" {
		return nil, problem(TypInvalid, "")
	}
	draft, err := draft(Base, header.X5U, claims)
	if err != nil {
		return nil, err
	}
	return Open(jws.SigningInput(draft.parts.Header, draft.parts.Payload) + "." + signature)
}
