package cps

import (
	"context"

	"github.com/viaduct-oob/viaduct/oob"
)

// Courier is who has been admitted with several relays.
type Courier struct {
	service   *Service
	principal oob.Principal
}

// Relays admits who brings several relays in one request: r has no parties, and its Digest is that of all of them. The token of who
// relays is spent once, for all; each of them counts to his rate. The principal is given as soon as it is proven, also beside an
// error.
func (s *Service) Relays(ctx context.Context, r Request, count int) (Courier, oob.Principal, error) {
	if s.config.Relay.Accepts == nil {
		return Courier{}, oob.Principal{}, takesNone()
	}
	if own := s.config.Relay.Own; own != "" && r.Access.Issuer == own {
		return Courier{}, oob.Principal{}, cameBack()
	}
	principal, err := s.admitListed(ctx, r, oob.ActionRepublish, s.relays, s.checkRelays)
	if err != nil {
		return Courier{}, principal, err
	}
	for range count - 1 { // one has been counted
		if wait, ok := s.relays.take(principal.Account, s.config.Now()); !ok {
			return Courier{}, principal, oob.Faultf(oob.RateLimited, "more relays than this SPC may make").After(wait)
		}
	}
	spent := s.tokenUse(r.Access, bodyOf(r.Key, r.Digest))
	if used, same := s.config.Store.Used(spent); used && !same {
		return Courier{}, principal, usedBefore()
	}
	if err := s.spendRepeatable(ctx, spent); err != nil {
		return Courier{}, principal, err
	}
	return Courier{service: s, principal: principal}, principal, nil
}

// Judge gives what one of them has to store, as [Service.Relay] does: nothing, with the zero Expires, where it is here already.
func (c Courier) Judge(ctx context.Context, r Request) (oob.Publication, error) {
	if r.Original == nil {
		return oob.Publication{}, oob.Faultf(oob.Malformed, "token is missing: the access token of who has published")
	}
	if err := ofOriginal(c.service.checkOriginal(r)); err != nil {
		return oob.Publication{}, err
	}
	return c.service.judgeRelay(ctx, r, c.principal, oob.TokenUse{})
}

// Store stores what Judge gave.
func (c Courier) Store(ctx context.Context, p oob.Publication) error {
	if p.Expires.IsZero() {
		return nil
	}
	return c.service.store(ctx, p)
}
