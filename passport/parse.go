package passport

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/tn"
)

// Parse reads a PASSporT in full form: [Open], [Envelope.CheckHeader], [Envelope.Claims].
func Parse(compact string) (*Token, error) {
	e, err := Open(compact)
	if err != nil {
		return nil, err
	}
	if err := e.CheckHeader(); err != nil {
		return nil, err
	}
	claims, err := e.Claims()
	if err != nil {
		return nil, err
	}
	return &Token{Envelope: *e, Claims: claims}, nil
}

// Open takes a token apart and reads its header. It refuses only what cannot be represented, so that the rest can be
// judged in the order that a verification service needs. Problems: TooLong, SegmentCount, CompactForm, Base64Form,
// HeaderForm, SignatureForm.
func Open(compact string) (*Envelope, error) {
	if strings.HasPrefix(compact, "..") {
		return nil, problem(CompactForm, "")
	}
	parts, known, found, err := headers.Split(compact, TokenBytesMax)
	if err != nil {
		return nil, fromJWS(err)
	}
	if len(parts.Signature) != jws.SignatureBytes {
		return nil, problem(SignatureForm, "")
	}
	e := &Envelope{text: compact, parts: parts}
	if found {
		e.Header, e.crit = known.header, known.crit
		return e, nil
	}
	if err := e.readHeader(); err != nil {
		return nil, err
	}
	headers.Put(parts.HeaderText(), knownHeader{e.Header, e.crit})
	return e, nil
}

// headers are those that were sound: all tokens of one signer have the same.
var headers jws.Memo[knownHeader]

type knownHeader struct {
	header Header
	crit   bool
}

func (e *Envelope) readHeader() error {
	err := jws.Object(e.parts.Header, depthMax, func(name string, value jws.Value) error {
		var to *string
		switch name {
		case "alg":
			to = &e.Header.Alg
		case "ppt":
			to = (*string)(&e.Header.PPT)
		case "typ":
			to = &e.Header.Typ
		case "x5u":
			to = &e.Header.X5U
		case "crit":
			e.crit = true
			return nil
		default:
			return nil // RFC 7515 §4: members that are not understood are ignored.
		}
		text, ok := jws.String(value)
		if !ok || text == "" {
			return problem(HeaderForm, name)
		}
		*to = text
		return nil
	})
	return orForm(err, HeaderForm)
}

// orForm turns a refusal of the JSON into the given problem and lets the package's own errors through.
func orForm(err error, p Problem) error {
	if errors.Is(err, jws.ErrJSON) {
		return problem(p, "")
	}
	return err
}

// CheckHeader judges the header. Problems: HeaderIncomplete, TypInvalid, AlgInvalid, CritUnknown, PPTUnsupported.
func (e *Envelope) CheckHeader() error {
	switch {
	case e.Header.Alg == "":
		return problem(HeaderIncomplete, "alg")
	case e.Header.Typ == "":
		return problem(HeaderIncomplete, "typ")
	case e.Header.X5U == "":
		return problem(HeaderIncomplete, "x5u")
	case e.Header.Typ != "passport":
		return problem(TypInvalid, "")
	case e.Header.Alg != "ES256":
		return problem(AlgInvalid, "")
	case e.crit:
		return problem(CritUnknown, "")
	}
	if _, ok := claimRules[e.Header.PPT]; !ok {
		return problem(PPTUnsupported, "")
	}
	return nil
}

// claimRules say, for each type, which claims it must and must not have.
var claimRules = map[Type]struct {
	must    []string
	mustNot map[string]Problem
}{
	Base:   {must: []string{"iat", "orig", "dest"}},
	Shaken: {must: []string{"iat", "orig", "dest", "attest", "origid"}},
	Div:    {must: []string{"iat", "orig", "dest", "div"}, mustNot: map[string]Problem{"opt": OptInDiv}},
	DivO:   {must: []string{"iat", "orig", "dest", "div", "opt"}},
	RPH:    {must: []string{"iat", "orig", "dest", "rph"}},
	RCD:    {must: []string{"iat", "orig", "dest", "rcd"}},
	Msg:    {must: []string{"iat", "orig", "dest"}},
	RSP:    {must: []string{"iat", "orig", "dest"}}, // draft-ietf-stir-rfc4916-update-07 §9: those of a base PASSporT
}

// Claims reads and judges the payload by the type that the header names. A claim that another type defines is judged
// too where it is present, but for opt and msgi, which mean nothing elsewhere, and for rich call data, of which
// [RichCallData.CheckInline] tells. Digests are not compared: see there and [CheckMessage]. Problems: PayloadForm, ClaimMissing, IATForm, OrigForm, DestForm,
// NumberForm, AttestInvalid, OrigIDForm, DivForm, OptInDiv, OptForm, RPHForm, SPHForm, MKYForm, RCDForm, RCDIForm,
// MSGIForm, PPTUnsupported.
func (e *Envelope) Claims() (Claims, error) { return e.claimsOf(e.Header.PPT) }

// CommonClaims reads the payload of a PASSporT of whatever type as that of a base PASSporT: the claims that all types
// have. It is for those who pass a token on and do not judge it (package internal/cps).
func (e *Envelope) CommonClaims() (Claims, error) { return e.claimsOf(Base) }

func (e *Envelope) claimsOf(ppt Type) (Claims, error) {
	rules, ok := claimRules[ppt]
	if !ok {
		return Claims{}, problem(PPTUnsupported, "")
	}
	var c Claims
	err := jws.Object(e.parts.Payload, depthMax, func(name string, value jws.Value) error {
		if p, refused := rules.mustNot[name]; refused {
			return problem(p, name)
		}
		return c.read(ppt, name, value)
	})
	if err != nil {
		return Claims{}, orForm(err, PayloadForm)
	}
	for _, name := range rules.must {
		if !c.has(name) {
			return Claims{}, problem(ClaimMissing, name)
		}
	}
	if c.SPH != "" && !slices.ContainsFunc(c.RPH, isEmergency) {
		return Claims{}, problem(SPHForm, "rph")
	}
	if ppt == RCD {
		if err := c.Rich.form(); err != nil {
			return Claims{}, err
		}
	}
	return c, nil
}

// has reports whether a claim was read: none of them can be read as its zero value.
func (c *Claims) has(name string) bool {
	switch name {
	case "iat":
		return !c.IAT.IsZero()
	case "orig":
		return !c.Orig.IsZero()
	case "dest":
		return len(c.Dest) > 0
	case "attest":
		return c.Attest != ""
	case "origid":
		return c.OrigID != ""
	case "div":
		return !c.Div.IsZero()
	case "opt":
		return c.Opt != ""
	case "rph":
		return len(c.RPH) > 0
	case "rcd":
		return c.Rich != nil && (c.Rich.HasRCD || c.Rich.CRN != "" || c.Rich.fault != nil) // RFC 9795 §8: rcd or crn, or both
	}
	return false
}

func (c *Claims) read(ppt Type, name string, value jws.Value) error {
	var err error
	switch name {
	case "iat":
		seconds, ok := jws.Seconds(value)
		if !ok {
			return problem(IATForm, "")
		}
		c.IAT = time.Unix(seconds, 0).UTC()
	case "orig":
		c.Orig, err = readParty(value, "orig", OrigForm, nil)
	case "div":
		c.Div, err = readParty(value, "div", DivForm, &c.DivHI)
	case "dest":
		c.Dest, err = readDest(value)
	case "attest":
		text, ok := jws.String(value)
		if c.Attest = Attestation(text); !ok || !c.Attest.Valid() {
			return problem(AttestInvalid, "")
		}
	case "origid":
		text, ok := jws.String(value)
		if c.OrigID = text; !ok || text == "" {
			return problem(OrigIDForm, "")
		}
	default:
		return c.readRare(ppt, name, value)
	}
	return err
}

// readRare reads the claims that most tokens do not have.
func (c *Claims) readRare(ppt Type, name string, value jws.Value) error {
	var err error
	switch {
	case name == "opt" && ppt == DivO:
		c.Opt, err = readOpt(value)
	case name == "rph":
		c.RPH, err = readRPH(value)
	case name == "sph":
		c.SPH, err = readSPH(value)
	case name == "mky":
		c.MKY, err = readMKY(value)
	case name == "msgi" && ppt == Msg:
		c.MSGI, err = readMSGI(value)
	case name == "rcd", name == "rcdi", name == "crn", name == "iss":
		if c.Rich == nil {
			c.Rich = new(RichCallData)
		}
		c.Rich.read(name, value)
	default:
		c.Extra = append(c.Extra, Member{Name: name, Value: string(value)})
	}
	return err
}

// readParty reads {"tn":"…"} or {"uri":"…"}: exactly one identity (RFC 8225 §5.2.1). In div a hi may stand beside it
// (RFC 8946 §8). Members that are none of these are passed over.
func readParty(value jws.Value, where string, form Problem, hi *string) (tn.Identity, error) {
	var party tn.Identity
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		isHI := name == "hi" && hi != nil
		if name != "tn" && name != "uri" && !isHI {
			return nil
		}
		text, ok := jws.String(value)
		switch {
		case !ok:
			return problem(form, "")
		case isHI:
			*hi = text
			return nil
		case !party.IsZero():
			return problem(form, "")
		}
		var err error
		party, err = readIdentity(name, text, where)
		return err
	})
	if err != nil {
		return tn.Identity{}, orForm(err, form)
	}
	if party.IsZero() {
		return tn.Identity{}, problem(form, "")
	}
	return party, nil
}

// readDest reads {"tn":["…"],"uri":["…"]}: arrays always, at least one identity in all (RFC 8225 §5.2.1).
func readDest(value jws.Value) ([]tn.Identity, error) {
	var dest []tn.Identity
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		if name != "tn" && name != "uri" {
			return nil
		}
		texts, ok := jws.Strings(value, DestMax-len(dest))
		if !ok || len(texts) == 0 {
			return problem(DestForm, "")
		}
		for _, text := range texts {
			id, err := readIdentity(name, text, "dest")
			if err != nil {
				return err
			}
			dest = append(dest, id)
		}
		return nil
	})
	if err != nil {
		return nil, orForm(err, DestForm)
	}
	if len(dest) == 0 {
		return nil, problem(DestForm, "")
	}
	return dest, nil
}

func readIdentity(name, text, where string) (tn.Identity, error) {
	if name == "uri" {
		id, err := tn.ParseURI(text)
		if err != nil {
			return tn.Identity{}, problem(NumberForm, where)
		}
		return id, nil
	}
	n, err := tn.ParseNumber(text)
	if err != nil {
		return tn.Identity{}, problem(NumberForm, where)
	}
	return tn.Of(n), nil
}
