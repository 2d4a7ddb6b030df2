package passport

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// mkyMax bounds the elements of mky; RFC 8225 states none. An SDP has one fingerprint, or one for each medium.
const mkyMax = 16

// KeyDigest is one element of the claim mky: the fingerprint of a media key (RFC 8225 §5.2.2).
type KeyDigest struct {
	Alg string // hash function as in SDP, such as sha-256
	Dig string // hexadecimal without colons, in upper or lower case as received
}

func readMKY(value jws.Value) ([]KeyDigest, error) {
	var keys []KeyDigest
	_, err := jws.Array(value, depthMax, func(i int, value jws.Value) error {
		if i == mkyMax {
			return problem(MKYForm, "")
		}
		key, err := readKeyDigest(value)
		keys = append(keys, key)
		return err
	})
	if err != nil {
		return nil, orForm(err, MKYForm)
	}
	if len(keys) == 0 {
		return nil, problem(MKYForm, "")
	}
	return keys, nil
}

func readKeyDigest(value jws.Value) (KeyDigest, error) {
	var key KeyDigest
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		var ok bool
		switch name {
		case "alg":
			key.Alg, ok = jws.String(value)
			ok = ok && isToken(key.Alg)
		case "dig":
			key.Dig, ok = jws.String(value)
			_, err := hex.DecodeString(key.Dig)
			ok = ok && err == nil && key.Dig != ""
		default:
			return nil
		}
		if !ok {
			return problem(MKYForm, "")
		}
		return nil
	})
	if err == nil && (key.Alg == "" || key.Dig == "") {
		err = problem(MKYForm, "")
	}
	return key, err
}

// byAlgAndDig is the order of mky (RFC 8225 §5.2.2): by alg and dig, put together.
func byAlgAndDig(a, b KeyDigest) int { return cmp.Compare(a.Alg+a.Dig, b.Alg+b.Dig) }

// mediaKeys writes mky in its order.
func mediaKeys(keys []KeyDigest) string {
	if len(keys) == 0 {
		return ""
	}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, byAlgAndDig)
	objects := make([]string, 0, len(keys))
	for _, key := range keys {
		objects = append(objects, string(canonical(member{"alg", quote(key.Alg)}, member{"dig", quote(key.Dig)})))
	}
	return "[" + strings.Join(objects, ",") + "]"
}
