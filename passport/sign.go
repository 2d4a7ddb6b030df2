package passport

import (
	"crypto"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/tn"
)

// Sign makes a PASSporT of the given type: canonical JSON (RFC 8225 §9), ES256. What it makes, Parse accepts; claims
// of which that is not true are refused with the problem that Parse would find, or Unsignable. A key that is not on
// P-256 is refused with SignatureForm; an error of the key itself is returned wrapped.
func Sign(key crypto.Signer, ppt Type, x5u string, claims Claims) (string, error) {
	draft, err := draft(ppt, x5u, claims)
	if err != nil {
		return "", err
	}
	compact, err := jws.Sign(key, draft.parts.Header, draft.parts.Payload)
	return compact, fromJWS(err)
}

// draft is the token without its signature. Form first, signature last: a token that Parse would refuse must not exist
// with our signature under it.
func draft(ppt Type, x5u string, claims Claims) (Envelope, error) {
	if !isASCII(x5u) {
		return Envelope{}, problem(HeaderForm, "x5u") // RFC 3986 §2: a URI is made of ASCII characters.
	}
	header := canonical(map[string]string{
		"alg": `"ES256"`, "typ": `"passport"`, "x5u": quote(x5u), "ppt": optional(string(ppt)),
	})
	payload, err := claims.canonical(ppt)
	if err != nil {
		return Envelope{}, err
	}
	if jws.SignedLength(header, payload) > TokenBytesMax {
		return Envelope{}, problem(TooLong, "")
	}
	draft := Envelope{parts: jws.Token{Header: header, Payload: payload}}
	if err := draft.readHeader(); err != nil {
		return Envelope{}, err
	}
	if err := draft.CheckHeader(); err != nil {
		return Envelope{}, err
	}
	if _, err := draft.Claims(); err != nil {
		return Envelope{}, err
	}
	return draft, nil
}

// canonical gives the payload with its members in order (RFC 8225 §9), dest sorted (RFC 8225 §5.2.1).
func (c *Claims) canonical(ppt Type) ([]byte, error) {
	members, err := c.members(ppt)
	if err != nil {
		return nil, err
	}
	for _, extra := range c.Extra {
		if p, refused := claimRules[ppt].mustNot[extra.Name]; refused {
			return nil, problem(p, extra.Name)
		}
		value := jws.Value(extra.Value)
		if _, taken := members[extra.Name]; taken || !isASCII(extra.Name) || jws.Canonicalize(&value) != nil {
			return nil, problem(Unsignable, "")
		}
		members[extra.Name] = string(value)
	}
	return canonical(members), nil
}

// members gives every claim that this package knows, in canonical form, and nothing for those that are absent. It refuses
// what Parse would not see or would let pass.
func (c *Claims) members(ppt Type) (map[string]string, error) {
	switch {
	// RFC 8588 §5: origid is a UUID. When verifying, any string is taken and reported by Diagnose.
	case ppt == Shaken && !uuid.Is(c.OrigID) || !utf8.ValidString(c.OrigID):
		return nil, problem(OrigIDForm, "origid")
	case c.DivHI != "" && c.Div.IsZero() || !utf8.ValidString(c.DivHI):
		return nil, problem(DivForm, "hi")
	case (ppt == Div || ppt == DivO) && c.Names(c.Div):
		return nil, problem(DivUnchanged, "dest") // RFC 8946 §3: a call that was not retargeted gets no div.
	case c.Opt != "" && ppt == Div:
		return nil, problem(OptInDiv, "opt")
	case c.Opt != "" && ppt != DivO:
		return nil, problem(OptForm, "opt")
	case c.MSGI != "" && ppt != Msg:
		return nil, problem(MSGIForm, "msgi") // RFC 9475 §3.2: msgi stands in msg only.
	}
	members, err := c.Rich.members()
	if err != nil {
		return nil, err
	}
	maps.Copy(members, map[string]string{
		"iat":    strconv.FormatInt(c.IAT.Unix(), 10),
		"orig":   party(c.Orig, ""),
		"dest":   destination(c.Dest),
		"mky":    mediaKeys(c.MKY),
		"attest": optional(string(c.Attest)),
		"origid": optional(c.OrigID),
		"div":    party(c.Div, c.DivHI),
		"opt":    optional(c.Opt),
		"rph":    auth(c.RPH),
		"sph":    optional(c.SPH),
		"msgi":   optional(c.MSGI),
	})
	return members, nil
}

// canonical writes the members that have a value, in the order of their names.
func canonical(members map[string]string) []byte {
	names := make([]string, 0, len(members))
	for name, value := range members {
		if value != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	text := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(jws.AppendString(text, name), ':'), members[name]...)
	}
	return append(text, '}')
}

func quote(s string) string { return string(jws.AppendString(nil, s)) }

// optional is the JSON string, or nothing for nothing: an absent member.
func optional(s string) string {
	if s == "" {
		return ""
	}
	return quote(s)
}

func party(id tn.Identity, hi string) string {
	switch {
	case id.IsZero():
		return ""
	case id.IsURI():
		return string(canonical(map[string]string{"hi": optional(hi), "uri": quote(id.String())}))
	}
	return string(canonical(map[string]string{"hi": optional(hi), "tn": quote(id.String())}))
}

func destination(dest []tn.Identity) string {
	var numbers, uris []string
	for _, id := range dest {
		if id.IsURI() {
			uris = append(uris, id.String())
		} else {
			numbers = append(numbers, id.String())
		}
	}
	return string(canonical(map[string]string{"tn": sorted(numbers), "uri": sorted(uris)}))
}

func sorted(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	slices.Sort(texts)
	return list(texts)
}

func list(texts []string) string {
	text := []byte{'['}
	for i, s := range texts {
		if i > 0 {
			text = append(text, ',')
		}
		text = jws.AppendString(text, s)
	}
	return string(append(text, ']'))
}

// isASCII is false of the empty text too.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return s != ""
}
