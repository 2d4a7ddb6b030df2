package cps

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
)

// admit applies the rules that publish and retrieve have in common and gives the proven principal.
func (s *Service) admit(ctx context.Context, r Request, action oob.Action, rate *limiter) (oob.Principal, error) {
	return s.admitListed(ctx, r, action, rate, s.checkListed)
}

// admitListed is admit with another list of who may ask.
func (s *Service) admitListed(
	ctx context.Context, r Request, action oob.Action, rate *limiter, listed func(oob.Principal) error,
) (oob.Principal, error) {
	if err := s.checkClaims(&r, action); err != nil {
		return oob.Principal{}, err
	}
	principal, err := r.Prove(ctx, r.Access.Issuer)
	if err != nil {
		return oob.Principal{}, err
	}
	// Proving may have waited for a certificate. A token that has gone stale meanwhile would be forgotten too early.
	if !r.Bare {
		if err := s.checkTimes(&r, action); err != nil {
			return principal, err
		}
	}
	if err := listed(principal); err != nil {
		return principal, err
	}
	if wait, ok := rate.take(principal.Account, s.config.Now()); !ok {
		return principal, oob.Faultf(oob.RateLimited, "more %s requests than this SPC may make", action).After(wait)
	}
	return principal, nil
}

// checkListed asks the operator's lists. Only who has proven its SPC learns whether it is on one: the lists are the operator's
// business relations. A certificate of several SPCs is served when all of them are.
func (s *Service) checkListed(p oob.Principal) error {
	refused := len(s.allow) > 0 && len(p.Scope.SPCs) == 0
	for _, spc := range p.Scope.SPCs {
		refused = refused || s.deny[spc] || len(s.allow) > 0 && !s.allow[spc]
	}
	if refused {
		return oob.Faultf(oob.Refused, "this CPS does not serve this SPC")
	}
	return nil
}

// checkClaims judges the claims of an access token against the request. It costs nothing and believes nothing.
func (s *Service) checkClaims(r *Request, action oob.Action) error {
	if r.Bare {
		return nil
	}
	if err := s.checkStated(&r.Access, action); err != nil {
		return err
	}
	if !s.addressed(r.Access.Audience) {
		return oob.Faultf(oob.Unproven, "aud does not name this CPS")
	}
	if err := s.checkTimes(r, action); err != nil {
		return err
	}
	return checkMatches(r, action)
}

// checkStated wants the claims that every access token has.
func (s *Service) checkStated(a *oob.Access, action oob.Action) error {
	switch {
	case a.Action != action:
		return oob.Faultf(oob.Unproven, "action is not %s", action)
	case a.IssuedAt.IsZero():
		return oob.Faultf(oob.Unproven, "iat is missing")
	case a.Issuer == "":
		return oob.Faultf(oob.Unproven, "iss is missing")
	case !s.config.AnyTokenID && !uuid.IsVersion4(a.ID), a.ID == "", len(a.ID) > oob.TokenIDBytesMax:
		return oob.Faultf(oob.Unproven, "jti is not a version 4 UUID")
	}
	return nil
}

// checkMatches wants an access token to be for this request.
func checkMatches(r *Request, action oob.Action) error {
	if err := checkForm(r); err != nil {
		return err
	}
	a := &r.Access
	// Where the caller stands in the PASSporT alone, a token need not name him; see mayWrite.
	differs := a.Orig != r.Key.Orig
	if r.Key.Profile.Row().ByScope && (action == oob.ActionPublish || a.Orig.IsZero()) {
		differs = false
	}
	if differs || a.Dest != r.Key.Dest {
		return oob.Faultf(oob.IdentityMismatch, "dest or orig differs between path and access token")
	}
	if (action == oob.ActionPublish || action == oob.ActionRepublish) && a.Digest != r.Digest {
		return oob.Faultf(oob.DigestMismatch, "the passports claim is not the digest of the body's passports")
	}
	return nil
}

// checkTimes wants iat to be fresh and exp, where it is the expiry of the token, not to have passed.
//
// DIVERGES RFC 7519 §4.1.4: in a publication of the agreed form exp is not the expiry of the token but the deadline of
// the record (ATIS-1000105 §7), because a token that is still fresh may name a deadline only seconds away, and a retry
// after that deadline is answered as the first time. Everywhere else exp is an expiry.
func (s *Service) checkTimes(r *Request, action oob.Action) error {
	a, now, window := &r.Access, s.config.Now(), s.config.TokenFreshness
	if err := window.Check(a.IssuedAt, now); err != nil {
		return oob.Faultf(oob.TokenStale, "iat is %v", err)
	}
	isDeadline := action == oob.ActionPublish && r.Key.Profile.Row().PublisherSets
	if !isDeadline && !a.Deadline.IsZero() && !now.Before(a.Deadline.Add(window.Future)) {
		return oob.Faultf(oob.TokenStale, "exp has passed")
	}
	return nil
}

// checkForm holds the token to the form of its path: sub in the mesh, spc in the agreed form, never a mixture
// (ATIS-1000096 §7, ATIS-1000105 §7).
func checkForm(r *Request) error {
	a, row := &r.Access, r.Key.Profile.Row()
	switch {
	case row.ByScope && (a.Subject != "" || a.SPC != ""):
		return oob.Faultf(oob.OutOfScope, "sub and spc belong to other forms")
	case row.ByScope: // whoever it is, its certificate says what it may
		return nil
	case row.ForSPC && a.SPC != r.Key.SPC:
		return oob.Faultf(oob.OutOfScope, "spc differs from the OCN in the path")
	case row.ForSPC:
		return nil
	case row.KeyedBySPC:
		switch {
		case a.Subject != "":
			return oob.Faultf(oob.OutOfScope, "sub belongs to the path without SPC")
		case a.SPC != r.Key.SPC:
			return oob.Faultf(oob.OutOfScope, "spc differs from the SPC in the path")
		case a.Action == oob.ActionPublish && a.SPC != a.Issuer:
			return oob.Faultf(oob.OutOfScope, "a provider publishes under its own SPC; spc differs from iss")
		}
		return nil
	}
	switch {
	case a.SPC != "":
		return oob.Faultf(oob.OutOfScope, "spc belongs to the path with an SPC")
	case a.Subject != a.Issuer:
		return oob.Faultf(oob.OutOfScope, "sub differs from iss")
	}
	return nil
}

func (s *Service) addressed(audience []string) bool {
	for _, name := range audience {
		if s.audience[name] {
			return true
		}
	}
	return false
}

// tokenUse names the use of an access token. A token of one action cannot be replayed as another, so that action is part
// of the name; iss has been proven by the time it counts.
func (s *Service) tokenUse(a oob.Access, body [8]byte) oob.TokenUse {
	var text [256]byte // enough for most; saves an allocation
	hash := sha256.Sum256(appendParts(text[:0], string(a.Action), a.Issuer, a.ID))
	use := oob.TokenUse{Body: body, Until: a.IssuedAt.Add(s.remembered(a.Action) + time.Second)}
	copy(use.ID[:], hash[:])
	return use
}

// remembered is how long after its iat a token could come again. That of a publisher may come by a relay.
func (s *Service) remembered(action oob.Action) time.Duration {
	past := s.config.TokenFreshness.Past
	if action == oob.ActionPublish && s.config.Relay.Accepts != nil {
		past = max(past, s.relayedPast)
	}
	return past
}

// appendParts appends each part with a zero byte after it, so that no two lists of parts give the same text.
func appendParts(text []byte, parts ...string) []byte {
	for _, part := range parts {
		text = append(append(text, part...), 0)
	}
	return text
}
