package passport

import (
	"cmp"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// RichDigestsMax bounds the digests of one PASSporT. RFC 9795 states no bound; its longest example has four.
const RichDigestsMax = 32

// RichDigest is one member of the claim rcdi (RFC 9795 §6): what the digest is of, and the digest.
type RichDigest struct {
	Pointer string // JSON pointer (RFC 6901) into rcd, such as /nam, or on into a fetched jCard: /jcl/1/3/3
	Value   string // sha256, sha384 or sha512, a hyphen, base64; as read, without padding
}

// RichLink is a URI whose content belongs to the rich call data, and the digest that the content must have.
type RichLink struct {
	Pointer string // where the URI stands, as in [RichDigest]
	URI     string // absolute, of any scheme: look at it before it is fetched
	Digest  string // empty only in what Links gives although CheckInline fails
}

// Check compares what the URI led to with the digest that was signed: over the bytes of the body, as they came
// (RFC 9795 §6.1). Problems: RCDIForm, where the link has no digest; DigestMismatch.
func (l RichLink) Check(content []byte) error {
	digest, ok := normalDigest(l.Digest)
	if !ok {
		return problem(RCDIForm, "rcdi")
	}
	if !isDigestOf(digest, content) {
		return problem(DigestMismatch, "rcdi")
	}
	return nil
}

// readRCDI reads the claim rcdi: pointers into rcd, with a digest each.
func readRCDI(value jws.Value) ([]RichDigest, error) {
	var digests []RichDigest
	err := jws.Object(value, depthMax, func(pointer string, value jws.Value) error {
		text, isText := jws.String(value)
		digest, ok := normalDigest(text)
		if !isText || !ok || !isPointer(pointer) || len(digests) == RichDigestsMax {
			return problem(RCDIForm, "rcdi")
		}
		digests = append(digests, RichDigest{pointer, digest})
		return nil
	})
	if err != nil || len(digests) == 0 {
		return nil, problem(RCDIForm, "rcdi")
	}
	slices.SortFunc(digests, func(a, b RichDigest) int { return cmp.Compare(a.Pointer, b.Pointer) })
	return digests, nil
}

// CheckInline judges the rich call data by what is in the PASSporT itself: the claims are well formed, the digests of nam,
// apn and jcd are right, the jCard in jcd is one, every URI has a digest (RFC 9795 §6), and no digest is of nothing. Until
// it has passed, nothing of rcd may be shown; the call itself is not the worse for it (RFC 9795 §8.2). Problems: RCDForm,
// RCDIForm, DigestMismatch.
func (r *RichCallData) CheckInline() error {
	if err := r.form(); err != nil {
		return err
	}
	for _, link := range r.ownLinks() {
		if link.Digest == "" {
			return problem(RCDIForm, strings.TrimPrefix(link.Pointer, "/"))
		}
	}
	if r.JCD != "" {
		if _, err := r.inside("/jcd", []byte(r.JCD)); err != nil {
			return err
		}
	}
	for _, d := range r.Digests {
		if err := r.checkDigest(d); err != nil {
			return err
		}
	}
	return nil
}

// form judges the claims by their form alone.
func (r *RichCallData) form() error {
	if r.fault == nil && len(r.Digests) > 0 && !r.HasRCD {
		return problem(RCDIForm, "rcd") // RFC 9795 §6: rcdi stands beside rcd.
	}
	return r.fault
}

// checkDigest judges one digest as far as it goes without a jCard.
func (r *RichCallData) checkDigest(d RichDigest) error {
	member, _, _ := strings.Cut(strings.TrimPrefix(d.Pointer, "/"), "/")
	switch {
	case d.Pointer == "/nam":
		return checkText(d, r.Nam)
	case d.Pointer == "/apn" && r.APN != "":
		return checkText(d, r.APN)
	case d.Pointer == "/icn" && r.ICN != "", member == "jcl" && r.JCL != "", member == "jcd" && r.JCD != "":
		return nil
	}
	return problem(RCDIForm, "rcdi")
}

// checkText compares a digest with that of a JSON string, its quotation marks included (RFC 9795 §6.1.1).
func checkText(d RichDigest, text string) error {
	if !isDigestOf(d.Value, []byte(quote(text))) {
		return problem(DigestMismatch, "rcdi")
	}
	return nil
}

// Links lists each URI of the PASSporT whose content must be fetched: the icon, the jCard, and what a jCard in the
// PASSporT refers to. It gives nothing inside a jCard that CheckInline refuses.
func (r *RichCallData) Links() []RichLink {
	links := r.ownLinks()
	if r.JCD != "" {
		within, _ := r.inside("/jcd", []byte(r.JCD))
		links = append(links, within...)
	}
	return links
}

func (r *RichCallData) ownLinks() []RichLink {
	var links []RichLink
	if r.ICN != "" {
		links = append(links, RichLink{"/icn", r.ICN, r.digest("/icn")})
	}
	if r.JCL != "" {
		links = append(links, RichLink{"/jcl", r.JCL, r.digest("/jcl")})
	}
	return links
}

// LinksIn lists the URIs in the jCard that JCL led to, once [RichLink.Check] has passed it; their content must be fetched
// in turn, and refer to nothing further. It checks the digests of values inside the jCard too. Problems: RCDForm, for what
// is no jCard or larger than our limits; RCDIForm, for a URI without digest and a digest of nothing; DigestMismatch.
func (r *RichCallData) LinksIn(jcl []byte) ([]RichLink, error) { return r.inside("/jcl", jcl) }

// inside judges a jCard by the digests whose pointers begin with root, and lists the URIs in it.
func (r *RichCallData) inside(root string, card []byte) ([]RichLink, error) {
	links, err := cardLinks(root, card)
	if err != nil {
		return nil, err
	}
	digestOfContent := map[string]bool{}
	for i := range links {
		links[i].Digest = r.digest(links[i].Pointer)
		if links[i].Digest == "" {
			return nil, problem(RCDIForm, "rcdi")
		}
		digestOfContent[links[i].Pointer] = true
	}
	for _, d := range r.Digests {
		pointer, found := strings.CutPrefix(d.Pointer, root)
		isWhole := pointer == ""
		if !found || !isWhole && pointer[0] != '/' || digestOfContent[d.Pointer] {
			continue
		}
		if isWhole && root == "/jcl" {
			continue // a digest of the body, whatever its white space
		}
		value, ok := at(card, pointer)
		if !ok {
			return nil, problem(RCDIForm, "rcdi")
		}
		if jws.Canonicalize(&value) != nil || !isDigestOf(d.Value, value) {
			return nil, problem(DigestMismatch, "rcdi")
		}
	}
	return links, nil
}
