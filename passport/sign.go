package passport

import (
	"crypto"
	"slices"
	"strconv"
	"strings"
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
	payload, err := claims.canonical(ppt)
	if err != nil {
		return Envelope{}, err
	}
	draft := Envelope{parts: jws.Token{Payload: payload}}
	if err := draft.draftHeader(ppt, x5u); err != nil {
		return Envelope{}, err
	}
	if jws.SignedLength(draft.parts.Header, payload) > TokenBytesMax {
		return Envelope{}, problem(TooLong, "")
	}
	if _, err := draft.Claims(); err != nil {
		return Envelope{}, err
	}
	return draft, nil
}

// drafted are the headers that were sound, by type and x5u: a signer has one of each type.
var drafted jws.Memo[Envelope]

// draftHeader writes the header, and reads it as Parse would.
func (e *Envelope) draftHeader(ppt Type, x5u string) error {
	name := string(ppt) + "\x00" + x5u
	known, ok := drafted.Get(name)
	if !ok {
		known.parts.Header = canonical(
			member{"alg", `"ES256"`}, member{"ppt", optional(string(ppt))}, member{"typ", `"passport"`}, member{"x5u", quote(x5u)})
		if err := known.readHeader(); err != nil {
			return err
		}
		if err := known.CheckHeader(); err != nil {
			return err
		}
		drafted.Put(name, known)
	}
	e.parts.Header, e.Header, e.crit = known.parts.Header, known.Header, known.crit
	return nil
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
		taken := slices.ContainsFunc(members, func(m member) bool { return m.name == extra.Name })
		if taken || !isASCII(extra.Name) || jws.Canonicalize(&value) != nil {
			return nil, problem(Unsignable, "")
		}
		members = append(members, member{extra.Name, string(value)})
	}
	return canonical(members...), nil
}

// members gives every claim that this package knows, in canonical form, and nothing for those that are absent. It refuses
// what Parse would not see or would let pass.
func (c *Claims) members(ppt Type) ([]member, error) {
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
	rich, err := c.Rich.members()
	if err != nil {
		return nil, err
	}
	return append([]member{
		{"attest", optional(string(c.Attest))},
		{"dest", destination(c.Dest)},
		{"div", party(c.Div, c.DivHI)},
		{"iat", strconv.FormatInt(c.IAT.Unix(), 10)},
		{"mky", mediaKeys(c.MKY)},
		{"msgi", optional(c.MSGI)},
		{"opt", optional(c.Opt)},
		{"orig", party(c.Orig, "")},
		{"origid", optional(c.OrigID)},
		{"rph", auth(c.RPH)},
		{"sph", optional(c.SPH)},
	}, rich...), nil
}

// member is a member of a JSON object, its value in canonical form; one without a value is absent.
type member struct{ name, value string }

// canonical writes the members that have a value, in the order of their names.
func canonical(members ...member) []byte {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	size := len("{}")
	for _, m := range members {
		size += len(m.name) + len(m.value) + len(`"":,`)
	}
	text := append(make([]byte, 0, size), '{')
	for _, m := range members {
		if m.value == "" {
			continue
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(jws.AppendString(text, m.name), ':'), m.value...)
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
		return string(canonical(member{"hi", optional(hi)}, member{"uri", quote(id.String())}))
	}
	return string(canonical(member{"hi", optional(hi)}, member{"tn", quote(id.String())}))
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
	return string(canonical(member{"tn", sorted(numbers)}, member{"uri", sorted(uris)}))
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
