package cps

import (
	"context"
	"errors"
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

// Inspect is nil when the PASSporTs may be stored under the key.
func (i *Inspector) Inspect(ctx context.Context, key oob.Key, compacts []string, now time.Time) error {
	all := int64(len(compacts))
	unreachable, err := i.inspect(ctx, key, compacts, now)
	switch {
	case err != nil:
		i.refused.Add(all)
	case i.Depth == InspectVerify:
		i.unreachable.Add(unreachable)
		i.verified.Add(all - unreachable)
	default:
		i.unlooked.Add(all)
	}
	return err
}

// inspect also tells of how many PASSporTs the certificate was unreachable.
func (i *Inspector) inspect(ctx context.Context, key oob.Key, compacts []string, now time.Time) (unreachable int64, err error) {
	if i.Depth == InspectOff {
		return 0, nil
	}
	sheets := make([]sheet, 0, len(compacts))
	for n, compact := range compacts {
		s, err := readSheet(compact)
		if err != nil {
			return 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: %v", n+1, err)
		}
		if err := i.Freshness.Or(oob.Freshness{Past: time.Minute, Future: time.Minute}).Check(s.claims.IAT, now); err != nil {
			return 0, oob.Faultf(oob.PassportStale, "PASSporT %d: iat is %v", n+1, err)
		}
		sheets = append(sheets, s)
	}
	if err := matchKey(key, sheets); err != nil || i.Depth == InspectMatch {
		return 0, err
	}
	return i.verify(ctx, sheets)
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
func (i *Inspector) verify(ctx context.Context, sheets []sheet) (unreachable int64, err error) {
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
		credential, err := i.Verifier.Verify(ctx, s.envelope.Header.X5U, s.envelope.Verify)
		switch {
		case err == nil:
			if err := i.Verifier.Authorise(credential, s.envelope, &s.claims); err != nil {
				return 0, oob.Faultf(oob.OutOfScope, "PASSporT %d: its signer may not say so", n+1).Because(err)
			}
		case errors.Is(err, passport.SignatureInvalid):
			return 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: the signature does not verify", n+1).Because(err)
		case errors.Is(err, oob.CredentialUntrusted):
			return 0, oob.Faultf(oob.CredentialUntrusted, "PASSporT %d: its certificate is not trusted", n+1).Because(err)
		case errors.Is(err, trust.ErrX5U):
			return 0, oob.Faultf(oob.PassportInvalid, "PASSporT %d: its x5u is not a URL that certificates are fetched from", n+1).Because(err)
		case (errors.Is(err, oob.CredentialUnreachable) || errors.Is(err, trust.ErrBusy)) && !i.RefuseUnreachable:
			unreachable++
		case errors.Is(err, oob.CredentialUnreachable):
			return 0, oob.Faultf(oob.CredentialUnreachable, "PASSporT %d: its certificate cannot be fetched", n+1).Because(err)
		default:
			return 0, err
		}
	}
	return unreachable, nil
}
