package passport

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/tn"
)

// RichCallData is what a PASSporT says about the caller beside the number (RFC 9795): the claims rcd, rcdi, crn and iss.
// An absent member is the empty string. All of it is the signer's text. None of it may be shown before
// [RichCallData.CheckInline] has passed, and nothing that a URI leads to before [RichLink.Check] has.
//
// A PASSporT of type rcd is refused when these claims are malformed. In other types they stand beside what the PASSporT is
// for: there CheckInline fails, and the call is not the worse for it.
type RichCallData struct {
	HasRCD  bool         // the claim rcd is there; it always has a nam, which may be empty
	Nam     string       // rcd: display name (RFC 9795 §5.1.1)
	APN     string       // rcd: number or URI to show instead of orig (RFC 9795 §5.1.2)
	ICN     string       // rcd: URI of an icon (RFC 9795 §5.1.3)
	JCD     string       // rcd: jCard, as JSON text as received (RFC 9795 §5.1.4); never beside JCL
	JCL     string       // rcd: URI of a jCard (RFC 9795 §5.1.5); never beside JCD
	Digests []RichDigest // rcdi, in the order of pointers (RFC 9795 §6); at most RichDigestsMax
	CRN     string       // crn: why the call is made (RFC 9795 §7)
	ISS     string       // iss: the third party that vouches, where it is not the provider of the caller (RFC 9795 §10)

	fault error // the first claim that is malformed; what that claim says is not kept
}

// read reads one of the four claims, or keeps what is wrong with it.
func (r *RichCallData) read(name string, value jws.Value) {
	var err error
	switch name {
	case "rcd":
		r.HasRCD = true
		err = r.readRCD(value)
	case "rcdi":
		r.Digests, err = readRCDI(value)
	case "crn":
		r.CRN, err = readReason(name, value)
	case "iss":
		r.ISS, err = readReason(name, value)
	}
	if r.fault == nil {
		r.fault = err
	}
}

// readReason reads crn or iss.
func readReason(name string, value jws.Value) (string, error) {
	text, ok := jws.String(value)
	if !ok || text == "" {
		return "", problem(RCDForm, name)
	}
	return text, nil
}

// readRCD reads the claim rcd. Keys that RFC 9795 does not know are passed over.
func (r *RichCallData) readRCD(value jws.Value) error {
	read := map[string]string{}
	err := jws.Object(value, depthMax, func(name string, value jws.Value) error {
		switch name {
		case "jcd":
			if value.Kind() != '[' {
				return problem(RCDForm, name)
			}
			read[name] = string(value)
		case "nam", "apn", "icn", "jcl":
			text, ok := jws.String(value)
			if !ok || text == "" && name != "nam" {
				return problem(RCDForm, name)
			}
			read[name] = text
		}
		return nil
	})
	if err != nil {
		return orForm(err, RCDForm)
	}
	_, hasNam := read["nam"]
	apn, icn, jcd, jcl := read["apn"], read["icn"], read["jcd"], read["jcl"]
	switch {
	case !hasNam:
		return problem(RCDForm, "nam") // RFC 9795 §5.1.1: nam must be there, if only empty.
	case jcd != "" && jcl != "":
		return problem(RCDForm, "jcd") // RFC 9795 §5.1.4: jcd and jcl exclude each other.
	case apn != "" && !isURI(apn) && !isNumber(apn):
		return problem(RCDForm, "apn")
	case icn != "" && !isURI(icn):
		return problem(RCDForm, "icn")
	case jcl != "" && !isURI(jcl):
		return problem(RCDForm, "jcl")
	}
	r.Nam, r.APN, r.ICN, r.JCD, r.JCL = read["nam"], apn, icn, jcd, jcl
	return nil
}

func isNumber(text string) bool {
	_, err := tn.ParseNumber(text)
	return err == nil
}

// isURI reports whether text is an absolute URI of any scheme, of the characters that RFC 3986 §2 allows.
func isURI(text string) bool {
	strange := func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", r) }
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && strings.IndexFunc(text, strange) < 0
}

// members gives the claims for signing, in canonical form; nil has none. Nobody may sign what CheckInline refuses.
func (r *RichCallData) members() ([]member, error) {
	if r == nil {
		return []member{{"crn", ""}, {"iss", ""}, {"rcd", ""}, {"rcdi", ""}}, nil
	}
	if err := r.CheckInline(); err != nil {
		return nil, err
	}
	for _, text := range []string{r.Nam, r.CRN, r.ISS} {
		if !utf8.ValidString(text) {
			return nil, problem(RCDForm, "rcd")
		}
	}
	members := []member{{"rcd", ""}, {"rcdi", ""}, {"crn", optional(r.CRN)}, {"iss", optional(r.ISS)}}
	if !r.HasRCD {
		if r.Nam != "" || r.APN != "" || r.ICN != "" || r.JCD != "" || r.JCL != "" || len(r.Digests) > 0 {
			return nil, problem(RCDForm, "rcd")
		}
		return members, nil
	}
	card := jws.Value(r.JCD)
	if len(card) > 0 && jws.Canonicalize(&card) != nil {
		return nil, problem(RCDForm, "jcd")
	}
	members[0].value = string(canonical(
		member{"apn", optional(r.APN)}, member{"icn", optional(r.ICN)}, member{"jcd", string(card)}, member{"jcl", optional(r.JCL)}, member{"nam", quote(r.Nam)}))
	var digests []member
	for _, d := range r.Digests {
		normal, ok := normalDigest(d.Value)
		twice := slices.ContainsFunc(digests, func(m member) bool { return m.name == d.Pointer })
		if !ok || twice {
			return nil, problem(RCDIForm, "rcdi")
		}
		digests = append(digests, member{d.Pointer, quote(normal)})
	}
	if len(digests) > 0 {
		members[1].value = string(canonical(digests...))
	}
	return members, nil
}

// digest gives what rcdi has under a pointer, or nothing.
func (r *RichCallData) digest(pointer string) string {
	if i := slices.IndexFunc(r.Digests, func(d RichDigest) bool { return d.Pointer == pointer }); i >= 0 {
		return r.Digests[i].Value
	}
	return ""
}
