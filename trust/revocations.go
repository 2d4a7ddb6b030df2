package trust

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

// RevocationSourcesMax bounds the issuers of revocation lists that are listened to. The United States have one.
const RevocationSourcesMax = 16

// RevocationSource is an issuer of revocation lists that is listened to. Whatever its list has is revoked, and be it a
// certificate that expects to be on another list, or on none: who may say so is the operator's decision, not that of the
// certificate.
type RevocationSource struct {
	// List is the newest of the issuer's lists, nil while there is none. Its signature must have been checked, with a
	// certificate that the operator named: see crl.List.CheckSignature.
	List *crl.List

	Issuer string   // who issues the lists, as stircert.NameKey has it; empty for the issuer of List
	URLs   []string // distribution points at which certificates expect these lists, letter for letter; never fetched
}

// RevocationPolicy says which certificates are refused, with a stircert.RevocationUnknown, though no list has them. With
// the zero value these are none, for a revocation list that is late must not stop the calls of a country: they are
// believed and counted, see [Stats]. Each field is about one reason why nothing is known of a certificate.
type RevocationPolicy struct {
	RefuseNoList       bool // the issuer of its list is listened to, but there is no list yet
	RefuseListExpired  bool // the list says that there should be a newer one
	RefuseNoPoint      bool // the certificate does not say who would tell of its revocation: 70 of 19,306 in the network
	RefuseForeignPoint bool // it names somebody who is not listened to, or it cannot be read whom
}

// doubt is why it is not known whether a certificate is revoked.
type doubt uint8

const (
	noDoubt doubt = iota
	noList
	listExpired
	noPoint
	foreignPoint
	doubtEnd // keep last
)

var doubtTexts = [doubtEnd]string{
	noList:       "there is no revocation list yet",
	listExpired:  "the revocation list has expired",
	noPoint:      "it names no distribution point",
	foreignPoint: "it names a distribution point of somebody who is not listened to",
}

func (p RevocationPolicy) refuses(d doubt) bool {
	return [doubtEnd]bool{
		noList: p.RefuseNoList, listExpired: p.RefuseListExpired, noPoint: p.RefuseNoPoint, foreignPoint: p.RefuseForeignPoint,
	}[d]
}

// Revocations are what is known of revoked certificates: lists, of whom, and what to do where they say nothing. They do
// not change once made; a new list makes new ones.
type Revocations struct {
	policy  RevocationPolicy
	sources []RevocationSource
}

// NewRevocations makes Revocations of sources, whose lists must be those of their issuers. There may be none: then nothing
// is revoked, and everything is in doubt.
func NewRevocations(policy RevocationPolicy, sources ...RevocationSource) (*Revocations, error) {
	if len(sources) > RevocationSourcesMax {
		return nil, fmt.Errorf("more than %d sources of revocation lists", RevocationSourcesMax)
	}
	r := &Revocations{policy: policy, sources: slices.Clone(sources)}
	for i := range r.sources {
		s := &r.sources[i]
		s.URLs = slices.Clone(s.URLs)
		switch {
		case s.List == nil && s.Issuer == "" && len(s.URLs) == 0:
			return nil, fmt.Errorf("source %d of revocation lists is nobody's", i+1)
		case s.List != nil && s.Issuer == "":
			s.Issuer = s.List.Issuer()
		case s.List != nil && s.Issuer != s.List.Issuer():
			return nil, fmt.Errorf("the list of source %d of revocation lists is that of another issuer", i+1)
		}
	}
	return r, nil
}

// sameSources tells whether other listens to the same issuers, and so finds the same one for each certificate.
func (r *Revocations) sameSources(other *Revocations) bool {
	if r == nil || other == nil {
		return r == other
	}
	return slices.EqualFunc(r.sources, other.sources, func(a, b RevocationSource) bool {
		return a.Issuer == b.Issuer && slices.Equal(a.URLs, b.URLs)
	})
}

// revocable is what revocation needs of a certificate: so much of it stays true when lists come and go.
type revocable struct {
	id     crl.ID
	source int8  // index of whose list is to tell of it, or noSource
	own    bool  // the source is the one that issued the certificate
	doubt  doubt // if there is no source
}

const noSource = -1

// revocablesOf finds the sources for a path but its last certificate, which is the anchor: that is believed as long as it
// is one.
func (r *Revocations) revocablesOf(path []*x509.Certificate) []revocable {
	if r == nil {
		return nil
	}
	all := make([]revocable, 0, len(path)-1)
	for _, cert := range path[:len(path)-1] {
		all = append(all, r.revocableOf(cert))
	}
	return all
}

func (r *Revocations) revocableOf(cert *x509.Certificate) revocable {
	c := revocable{source: noSource, doubt: foreignPoint}
	var err error
	if c.id, err = crl.IDOf(cert); err != nil {
		return c
	}
	issuer, err := stircert.NameKey(cert.RawIssuer)
	if err != nil {
		return c
	}
	points, err := stircert.CRLPoints(cert)
	if err != nil {
		return c
	}
	if len(points) == 0 { // lists need not be announced to be listened to
		points, c.doubt = []stircert.CRLPoint{{}}, noPoint
	}
	for _, point := range points {
		if at := r.sourceFor(point, issuer); at >= 0 {
			c.source, c.own, c.doubt = int8(at), r.sources[at].Issuer == issuer, noDoubt
			break
		}
	}
	return c
}

// sourceFor finds whose list a distribution point announces: that of the issuer which it names, or else of the
// certificate's own (RFC 5280 §4.2.1.13), or the one at a URL that the operator has named.
func (r *Revocations) sourceFor(point stircert.CRLPoint, issuer string) int {
	if point.Partial {
		return noSource
	}
	if point.Issuer != "" {
		issuer = point.Issuer
	}
	return slices.IndexFunc(r.sources, func(s RevocationSource) bool {
		return s.Issuer == issuer || slices.ContainsFunc(point.URLs, func(url string) bool { return slices.Contains(s.URLs, url) })
	})
}

// standing is what Revocations say of a path.
type standing struct {
	generation uint64 // of the Revocations that were asked: a pointer would keep lists alive that nobody needs
	err        error  // wraps Revoked or RevocationUnknown; nil if it is believed
	doubt      doubt  // why it is not known whether all of it is not revoked
	until      time.Time
}

// ask says how a path stands.
func (r *Revocations) ask(path []revocable, now time.Time) standing {
	s := standing{until: now.Add(TrustedLifetimeMax)}
	for i, cert := range path {
		if r.lists(cert.id) {
			s.err = fmt.Errorf("%w: %s", stircert.Revoked, placeOf(i))
			s.doubt = noDoubt
			return s
		}
		d, until := r.doubtOf(cert, now)
		if d == noDoubt && until.Before(s.until) {
			s.until = until
		}
		if s.doubt == noDoubt {
			s.doubt = d
		}
		if s.err == nil && r.policy.refuses(d) {
			s.err = fmt.Errorf("%w: %s: %s", stircert.RevocationUnknown, placeOf(i), doubtTexts[d])
		}
	}
	return s
}

func placeOf(i int) string {
	if i == 0 {
		return "that of the signer"
	}
	return "that of a CA"
}

// lists tells whether any list has a certificate. Direct lists have those of their own issuers alone.
func (r *Revocations) lists(id crl.ID) bool {
	return id != crl.ID{} && slices.ContainsFunc(r.sources, func(s RevocationSource) bool {
		if s.List == nil {
			return false
		}
		_, _, revoked := s.List.Revoked(id)
		return revoked
	})
}

// doubtOf says whether it means anything that a certificate is on no list, and until when.
func (r *Revocations) doubtOf(cert revocable, now time.Time) (doubt, time.Time) {
	if cert.source == noSource {
		return cert.doubt, time.Time{}
	}
	list := r.sources[cert.source].List
	switch {
	case list == nil:
		return noList, time.Time{}
	case !list.Indirect() && !cert.own:
		return foreignPoint, time.Time{}
	case now.After(list.NextUpdate()):
		return listExpired, time.Time{}
	}
	return noDoubt, list.NextUpdate()
}
