package stivs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
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

// rich is what may be shown of the caller, all of it said by one PASSporT: the one that decided, else an rcd PASSporT of
// the same provider or of the holder of the number, else one of a third party that is listened to. Whatever is wrong with
// it takes it away and nothing else (RFC 9795 §8.2).
func (v *verification) rich(ctx context.Context, decider *candidate) *oob.Rich {
	best, bestRank := (*candidate)(nil), 0
	for _, c := range v.judged {
		if c.passed && c.claims.Rich != nil {
			if rank := v.standing(c, decider); rank > bestRank {
				best, bestRank = c, rank
			}
		}
	}
	if best == nil {
		return nil
	}
	var found oob.Rich
	v.show(ctx, best.claims.Rich, &found)
	return &found
}

// standing tells how well the signer of rich call data stands for the caller; 0 is not at all.
func (v *verification) standing(c, decider *candidate) int {
	iss := c.claims.Rich.ISS
	switch {
	case iss != "":
		if slices.Contains(v.thirdParties, iss) && isSubject(c.certificate, iss) {
			return 1
		}
		return 0
	case c == decider:
		return 3
	case c.role == enriches && (c.signer() == decider.signer() || c.signerSPC() == ""): // who has numbers alone has this one
		return 2
	}
	return 0
}

// show says what one PASSporT says.
func (v *verification) show(ctx context.Context, r *passport.RichCallData, to *oob.Rich) {
	refuse := func(what string, why error) { to.Unverified = append(to.Unverified, what+": "+why.Error()) }
	set := func(what string, field *string, text string) {
		if Showable(text) {
			*field = text
		} else {
			refuse(what, errShowable)
		}
	}
	set("iss", &to.ThirdParty, r.ISS)
	set("crn", &to.Reason, r.CRN)
	if !r.HasRCD {
		return
	}
	if err := r.CheckInline(); err != nil {
		refuse("rcd", err)
		return
	}
	set("nam", &to.Name, r.Nam)
	if callable(r.APN) {
		set("apn", &to.Alternate, r.APN)
	} else {
		refuse("apn", errors.New("it is neither a number nor a URI that can be called"))
	}
	contents, err := v.contents(ctx, r)
	if err != nil {
		refuse("what rcd refers to", err)
		return
	}
	to.Icon = contents[r.ICN]
	card := r.JCD
	if r.JCL != "" {
		card = string(contents[r.JCL])
	}
	if err := showableCard(card, contents); err != nil {
		refuse("jCard", err)
		return
	}
	to.Card = card
}

// contents fetches all that the rich call data refers to, and makes sure that it is what was signed.
func (v *verification) contents(ctx context.Context, r *passport.RichCallData) (map[string][]byte, error) {
	links := r.Links()
	contents := make(map[string][]byte, len(links))
	for i := 0; i < len(links); i++ { // more links may come out of a jCard
		switch {
		case !v.fetchRich:
			return nil, errors.New("its content is not fetched, by configuration (FetchRich)")
		case i == RichLinksMax:
			return nil, errors.New("too many URIs")
		}
		body, err := v.verifier.Content(ctx, links[i].URI, RichContentBytesMax)
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

// textMax bounds a text that is shown, in bytes.
const textMax = 512

var errShowable = errors.New("it is too long, or holds characters that cannot be shown")

// Showable is true of text that shows what it says: no control characters, none that turn the direction of what stands
// around them, and not too much of it. No other is shown, so nobody should sign any.
func Showable(text string) bool {
	return len(text) <= textMax && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) })
}

// callable is true of what may stand in place of the number: another number, or the URI of one.
func callable(apn string) bool {
	scheme, _, isURI := strings.Cut(apn, ":")
	return !isURI || slices.Contains([]string{"tel", "sip", "sips"}, strings.ToLower(scheme))
}

// showableCard holds all text of a jCard to what is held of other text. Whoever shows a card may follow what looks like a
// URI in it: what could be fetched must have been, so that its digest is known to be right.
func showableCard(card string, contents map[string][]byte) error {
	if card == "" {
		return nil
	}
	decoder := json.NewDecoder(strings.NewReader(card))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errors.New("it is not JSON")
		}
		text, isText := token.(string)
		scheme, _, isURI := strings.Cut(strings.ToLower(text), ":")
		_, known := contents[text]
		switch {
		case !isText || known:
		case isURI && (scheme == "http" || scheme == "https" || scheme == "data" || scheme == "javascript"):
			return errors.New("it refers to content whose digest was not signed")
		case !Showable(text):
			return errShowable
		}
	}
}

// isSubject tells whether a third party's iss is whom its certificate names (RFC 9795 §10).
func isSubject(certificate *stircert.Certificate, iss string) bool {
	subject := certificate.X509().Subject
	return iss == subject.CommonName || slices.Contains(subject.Organization, iss)
}
