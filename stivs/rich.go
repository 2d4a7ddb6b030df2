package stivs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Limits of what rich call data refers to.
const (
	RichContentBytesMax = 256 << 10 // bytes of one icon or jCard
	RichLinksMax        = 8         // URIs that are fetched for one call
)

// rich is what may be shown of the caller: what the PASSporT that decided says, and what the verified rcd PASSporTs say
// beside it. Whatever is wrong with it takes it away and nothing else (RFC 9795 §8.2).
func (v *verification) rich(ctx context.Context, winner *candidate) *oob.Rich {
	var found oob.Rich
	for _, c := range v.judged {
		isSource := c == winner || c.role == enriches && c.passed
		if isSource && c.claims.Rich != nil {
			v.show(ctx, c, &found)
		}
	}
	if found.Name+found.Alternate+found.Icon+found.Card+found.Reason == "" && found.Unverified == nil {
		return nil
	}
	return &found
}

// show adds what one PASSporT says, where none before has.
func (v *verification) show(ctx context.Context, c *candidate, to *oob.Rich) {
	r := c.claims.Rich
	refuse := func(what string, why error) { to.Unverified = append(to.Unverified, what+": "+why.Error()) }
	set := func(what string, field *string, text string) {
		switch {
		case *field != "" || text == "":
		case !showable(text):
			refuse(what, errors.New("it holds characters that cannot be shown"))
		default:
			*field = text
		}
	}
	if r.ISS != "" && !isSubject(c.certificate, r.ISS) {
		refuse("iss", errors.New("the signer's certificate is another's"))
		return
	}
	set("crn", &to.Reason, r.CRN)
	set("iss", &to.ThirdParty, r.ISS)
	if !r.HasRCD {
		return
	}
	if err := r.CheckInline(); err != nil {
		refuse("rcd", err)
		return
	}
	set("nam", &to.Name, r.Nam)
	set("apn", &to.Alternate, r.APN)
	contents, err := v.contents(ctx, r)
	if err != nil {
		refuse("what rcd refers to", err)
		return
	}
	set("icn", &to.Icon, r.ICN)
	switch {
	case to.Card != "":
	case r.JCD != "":
		to.Card = r.JCD
	case r.JCL != "":
		to.Card = string(contents[r.JCL])
	}
}

// contents fetches all that the rich call data refers to, and makes sure that it is what was signed.
func (v *verification) contents(ctx context.Context, r *passport.RichCallData) (map[string][]byte, error) {
	links := r.Links()
	contents := make(map[string][]byte, len(links))
	for i := 0; i < len(links); i++ { // more links may come out of a jCard
		switch {
		case !v.fetchRich:
			return nil, errors.New("content is not fetched here")
		case i == RichLinksMax:
			return nil, errors.New("too many URIs")
		}
		body, err := any(v.verifier).(interface {
			Content(context.Context, string, int) ([]byte, error)
		}).Content(ctx, links[i].URI, RichContentBytesMax)
		if err != nil {
			return nil, err
		}
		if err := links[i].Check(body); err != nil {
			return nil, err
		}
		contents[links[i].URI] = body
		if links[i].Pointer == "/jcl" {
			within, err := r.LinksIn(body)
			if err != nil {
				return nil, err
			}
			links = slices.Concat(links, within)
		}
	}
	return contents, nil
}

// showable is true of text that shows what it says: no control characters, and none that turn the direction of what
// stands around them.
func showable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// isSubject tells whether a third party's iss is whom its certificate names (RFC 9795 §10).
func isSubject(certificate *stircert.Certificate, iss string) bool {
	subject := certificate.X509().Subject
	return iss == subject.CommonName || slices.Contains(subject.Organization, iss)
}
