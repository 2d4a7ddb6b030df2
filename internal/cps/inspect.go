package cps

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Depth is how closely PASSporTs are looked at before they are stored.
type Depth uint8

// The depths. The public sources do not say what a CPS must check; a CPS that others trust checks everything.
const (
	InspectVerify Depth = iota // form, key, freshness, certificate chain and signature
	InspectMatch               // form, key and freshness
	InspectOff                 // nothing: the CPS is a shelf
)

// Inspector looks at PASSporTs before they are stored.
type Inspector struct {
	Depth     Depth
	Verifier  *trust.Verifier // needed for InspectVerify
	Freshness oob.Freshness   // of a PASSporT; zero means 60 s to either side (ATIS-1000074, iat)

	// RefuseUnreachable refuses a PASSporT whose certificate cannot be fetched. The default accepts and counts it: the
	// publisher can do nothing about somebody else's web server, and the reader verifies again.
	RefuseUnreachable bool

	// FetchWait is how long a publisher is kept waiting for all certificates of its PASSporTs that have never been seen.
	// The fetches go on after that and the next PASSporT finds their result. Zero means 500 ms.
	FetchWait time.Duration

	verified, unreachable, refused, unlooked atomic.Int64
}

// Counts tells how many PASSporTs were verified, taken although the certificate was unreachable, refused together with
// those that came along with them, and taken without verification because Depth says so.
func (i *Inspector) Counts() map[string]int64 {
	return map[string]int64{
		"verified":    i.verified.Load(),
		"unreachable": i.unreachable.Load(),
		"refused":     i.refused.Load(),
		"unverified":  i.unlooked.Load(),
	}
}

// findings are what an inspector has found of PASSporTs that may be stored.
type findings struct {
	key    oob.Key
	oldest time.Time // the first iat; zero when nobody looked
	stale  time.Time // from when on they are not fresh any more; zero when nobody looked

	// Where the PASSporT says whose call it is, their names, and all of them as what is used once.
	ids []string
	use oob.TokenUse
}

// inspect looks at PASSporTs that are to be stored under the key, of which it reads what the path did not say (Row.CallerInside). complete
// wants every certificate to be at hand. allow, unless it is nil, is asked before anything costly is done, and again about
// each signer once he is proven.
func (i *Inspector) inspect(ctx context.Context, key oob.Key, compacts []string, now time.Time, allow *openGate) (findings, error) {
	all := int64(len(compacts))
	found, unreachable, err := i.look(ctx, key, compacts, now, allow)
	switch {
	case err != nil:
		i.refused.Add(all)
	case i.Depth == InspectVerify || allow != nil:
		i.unreachable.Add(unreachable)
		i.verified.Add(all - unreachable)
	default:
		i.unlooked.Add(all)
	}
	return found, err
}

// look also tells of how many PASSporTs the certificate was unreachable.
func (i *Inspector) look(ctx context.Context, key oob.Key, compacts []string, now time.Time, allow *openGate) (found findings, unreachable int64, err error) {
	inside, freshness := key.Profile.Row().CallerInside, i.Freshness.Or(oob.Freshness{Past: time.Minute, Future: time.Minute})
	if i.Depth == InspectOff && !inside {
		return findings{key: key}, 0, nil
	}
	sheets := make([]sheet, 0, len(compacts))
	for n, compact := range compacts {
		if inside {
			id := oob.PassportID(compact)
			if slices.Contains(found.ids, id) {
				return findings{}, 0, oob.Faultf(oob.Malformed, "PASSporT %d stands twice", n+1)
			}
			found.ids = append(found.ids, id)
		}
		s, err := readSheet(compact)
		if err != nil {
			return findings{}, 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: %v", n+1, err)
		}
		if err := freshness.Check(s.claims.IAT, now); err != nil {
			return findings{}, 0, oob.Faultf(oob.PassportStale, "PASSporT %d: iat is %v", n+1, err)
		}
		if found.oldest.IsZero() || s.claims.IAT.Before(found.oldest) {
			found.oldest = s.claims.IAT
		}
		sheets = append(sheets, s)
	}
	if inside {
		if key, err = readParties(key, sheets); err != nil {
			return findings{}, 0, err
		}
	}
	if err := matchKey(key, sheets); err != nil {
		return findings{}, 0, err
	}
	found.key, found.stale = key, found.oldest.Add(freshness.Past)
	if inside {
		found.use = useOf(key, found.ids)
	}
	// What is known already adds nothing, and is not counted to its signer: whoever has seen a PASSporT of his could use up
	// what he may publish.
	if allow != nil {
		allow.known = allow.service.known(found)
	}
	if i.Depth != InspectVerify && allow == nil {
		return found, 0, nil
	}
	unreachable, err = i.verify(ctx, sheets, allow)
	return found, unreachable, err
}

// span is the longest time in which one PASSporT can be published.
func (i *Inspector) span() time.Duration {
	f := i.Freshness.Or(oob.Freshness{Past: time.Minute, Future: time.Minute})
	return f.Past + f.Future + time.Second
}

// readParties fills in the parties that the path did not name: the caller, and in the company form the called party too.
func readParties(key oob.Key, sheets []sheet) (oob.Key, error) {
	if len(sheets) == 0 {
		return oob.Key{}, oob.Faultf(oob.Malformed, "the body holds no PASSporT")
	}
	key.Orig = sheets[0].claims.Orig
	if !key.Dest.IsZero() {
		return key, nil
	}
	// The called party is the one that all of them lead to, through div PASSporTs if there are any.
	for _, s := range sheets {
		if len(s.claims.Dest) != 1 {
			return oob.Key{}, oob.Faultf(oob.PassportInvalid, "a PASSporT names several called parties, and the path none of them")
		}
		if key.Dest = s.claims.Dest[0]; matchKey(key, sheets) == nil {
			return key, nil
		}
	}
	return oob.Key{}, oob.Faultf(oob.IdentityMismatch, "the PASSporTs are not of one call")
}

// sheet is one PASSporT as an inspector needs it.
type sheet struct {
	envelope *passport.Envelope
	claims   passport.Claims
}

// readSheet takes every PASSporT with the claims that all types have: what travels with a call travels together,
// also types that are judged elsewhere (rcd, rph), unchanged.
func readSheet(compact string) (sheet, error) {
	envelope, err := passport.Open(compact)
	if err != nil {
		return sheet{}, err
	}
	if err := envelope.CheckHeader(); err != nil && !errors.Is(err, passport.PPTUnsupported) {
		return sheet{}, err
	}
	claims, err := envelope.Claims()
	if errors.Is(err, passport.PPTUnsupported) {
		claims, err = envelope.CommonClaims()
	}
	return sheet{envelope, claims}, err
}

// matchKey wants every PASSporT to belong to the call of the key: its orig is the key's, and its dest is the key's or is
// led there by div PASSporTs of the same publication (RFC 8946 §4: each div leads from an earlier dest to a newer).
func matchKey(key oob.Key, sheets []sheet) error {
	if len(sheets) == 1 && sheets[0].claims.Orig == key.Orig && slices.Contains(sheets[0].claims.Dest, key.Dest) {
		return nil // nearly always
	}
	reached := map[tn.Identity]bool{key.Dest: true}
	for grown := true; grown; {
		grown = false
		for _, s := range sheets {
			if !s.claims.Div.IsZero() && !reached[s.claims.Div] && s.leadsTo(reached) {
				reached[s.claims.Div] = true
				grown = true
			}
		}
	}
	for n, s := range sheets {
		if s.claims.Orig != key.Orig {
			return oob.Faultf(oob.IdentityMismatch, "PASSporT %d: orig is not the calling number of the path", n+1)
		}
		if !s.leadsTo(reached) {
			return oob.Faultf(oob.IdentityMismatch, "PASSporT %d: dest is not the called number of the path, and no div leads there", n+1)
		}
	}
	return nil
}

func (s sheet) leadsTo(reached map[tn.Identity]bool) bool {
	for _, dest := range s.claims.Dest {
		if reached[dest] {
			return true
		}
	}
	return false
}

func (i *Inspector) allCached(sheets []sheet) bool {
	for _, s := range sheets {
		if !i.Verifier.Cached(s.envelope.Header.X5U) {
			return false
		}
	}
	return true
}

// verify checks signatures and certificates. All of them share one wait, so that ever new hosts that do not answer
// cannot add up to more than that; what is cached is verified also when the wait is over.
func (i *Inspector) verify(ctx context.Context, sheets []sheet, allow *openGate) (unreachable int64, err error) {
	wait := i.FetchWait
	if wait == 0 {
		wait = 500 * time.Millisecond
	}
	if !i.allCached(sheets) { // the timer would be a good part of what a warm publication costs
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	for n, s := range sheets {
		if err := allow.tries(s.envelope.Header.X5U); err != nil {
			return 0, err
		}
		credential, err := i.Verifier.Verify(ctx, s.envelope.Header.X5U, func(key *ecdsa.PublicKey) error {
			return s.envelope.VerifyWith(key, i.Verifier.ES256())
		})
		switch {
		case err == nil:
			if err := i.Verifier.Authorise(credential, s.envelope, &s.claims); err != nil {
				return 0, oob.Faultf(oob.OutOfScope, "PASSporT %d: its signer may not say so", n+1).Because(err)
			}
			if err := allow.proven(i.Verifier, credential); err != nil {
				return 0, err
			}
		case errors.Is(err, passport.SignatureInvalid):
			return 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: the signature does not verify", n+1).Because(err)
		case errors.Is(err, oob.CredentialUntrusted):
			return 0, oob.Faultf(oob.CredentialUntrusted, "PASSporT %d: its certificate is not trusted", n+1).Because(err)
		case errors.Is(err, trust.ErrX5U):
			return 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: its x5u is not a URL that certificates are fetched from", n+1).Because(err)
		case (errors.Is(err, oob.CredentialUnreachable) || errors.Is(err, trust.ErrBusy)) && !i.RefuseUnreachable && allow == nil:
			unreachable++
		case errors.Is(err, oob.CredentialUnreachable):
			return 0, oob.Faultf(oob.CredentialUnreachable, "PASSporT %d: its certificate cannot be fetched", n+1).Because(err)
		default:
			return 0, err
		}
	}
	return unreachable, nil
}
