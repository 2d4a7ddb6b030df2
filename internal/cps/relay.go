package cps

import (
	"context"
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// RelayConfig is how a CPS takes part in a mesh, in the forms that have one (Row.Relayed). The zero value takes no part: what
// is published stays here, and nobody may relay.
type RelayConfig struct {
	// Sends has the access token of a publisher go with his publication into the log, where package relay finds both.
	Sends bool

	// Own is the SPC as which this CPS relays; empty when it does not. A relay of its own that comes back is refused.
	Own string

	// Accepts tells whether an SPC, proven by then, may relay to us; nil means nobody may.
	Accepts func(spc string) bool

	// TokenOptional takes relays without the token of who has published. Their records count as published by who relays.
	TokenOptional bool

	Rate Rate // of relays, per SPC that relays
}

// Original is the access token with which a provider has published what is relayed.
type Original struct {
	Access oob.Access
	Prove  func(ctx context.Context, issuer string) (oob.Principal, error) // as in Request
}

// Relay stores what another CPS passes on to us (ATIS-1000096 §7, republish): r.Access is of that CPS, and proves that it may,
// r.Original of the provider, and proves that it has published. A record belongs to the provider: it counts to its share of the
// shelf and to nobody's rate, so that no CPS that relays can use up more of that share than the provider has signed for; the
// rate is that of who relays. The same record is one record, whoever brings it and however often. It is never passed on again.
//
// The principal is who relays, given as soon as it is proven, also beside an error.
func (s *Service) Relay(ctx context.Context, r Request) (oob.Principal, error) {
	if err := s.checkRelay(r); err != nil {
		return oob.Principal{}, err
	}
	principal, err := s.admitListed(ctx, r, oob.ActionRepublish, s.relays, s.checkRelays)
	if err != nil {
		return principal, err
	}
	spent := r.relayUse(s)
	if used, same := s.config.Store.Used(spent); used && !same {
		return principal, usedBefore()
	}
	p, err := s.judgeRelay(ctx, r, principal, spent)
	if err != nil || p.Expires.IsZero() {
		return principal, err
	}
	if r.Original != nil {
		if err := s.spendRepeatable(ctx, spent); err != nil {
			return principal, err
		}
	}
	return principal, s.store(ctx, p)
}

// judgeRelay gives what a relay that is proven has to store: nothing, with the zero Expires, where it is here already. spent is the use
// of the token of who relays, which counts where there is none of the provider's.
func (s *Service) judgeRelay(ctx context.Context, r Request, by oob.Principal, spent oob.TokenUse) (oob.Publication, error) {
	p := oob.Publication{Key: r.Key, Passports: r.Passports, Publisher: by.Account, Use: spent}
	signed := r.Access
	if r.Original != nil {
		signed, p.Use = r.Original.Access, s.tokenUse(r.Original.Access, bodyOf(r.Key, r.Digest))
	}
	// What is here already adds nothing. Whoever brings it knows it: the use names the token and all that it is for.
	if used, same := s.config.Store.Used(p.Use); used && same {
		return oob.Publication{}, nil
	}
	var err error
	if r.Original != nil {
		if p.Publisher, err = s.proveOriginal(ctx, r.Original); err != nil {
			return oob.Publication{}, err
		}
	}
	p.Received = s.config.Now()
	p.Expires = earliest(p.Received.Add(s.retention(r.Key.Profile)), signed.IssuedAt.Add(r.Key.Profile.Row().RetentionMax))
	if !p.Expires.After(p.Received) {
		return oob.Publication{}, oob.Faultf(oob.DeadlinePassed, "what is relayed was published too long ago")
	}
	if _, err := s.config.Inspector.inspect(ctx, r.Key, r.Passports, p.Received, nil); err != nil {
		return oob.Publication{}, err
	}
	return p, nil
}

func usedBefore() error { return oob.Faultf(oob.Replayed, "this access token has been used before") }

func takesNone() error { return oob.Faultf(oob.Refused, "this CPS takes no relays") }

func cameBack() error { return oob.Faultf(oob.Refused, "this is a relay of our own, which came back") }

// checkRelays asks whose relays are taken. Allow is for those who publish and retrieve.
func (s *Service) checkRelays(p oob.Principal) error {
	if s.denied(p) || !s.config.Relay.Accepts(p.SPC) {
		return oob.Faultf(oob.Refused, "this CPS takes no relays from this SPC")
	}
	return nil
}

// checkRelay judges all that a relay says of itself. It costs nothing and believes nothing.
func (s *Service) checkRelay(r Request) error {
	c := s.config.Relay
	switch {
	case c.Accepts == nil:
		return takesNone()
	case c.Own != "" && r.Access.Issuer == c.Own:
		return cameBack()
	case r.Original == nil && !c.TokenOptional:
		return oob.Faultf(oob.Malformed, "token is missing: the access token of who has published")
	case r.Original == nil:
		return nil
	}
	return ofOriginal(s.checkOriginal(r))
}

// checkOriginal judges the claims of the publisher's token against the request. It may be as old as a record can be.
//
// DIVERGES RFC 7519 §4.1.3: its aud is not compared, because it was made for the CPS that the provider has published to; what
// proves that it may be shown here is the token of that CPS.
func (s *Service) checkOriginal(r Request) error {
	r.Access = r.Original.Access
	if err := s.checkStated(&r.Access, oob.ActionPublish); err != nil {
		return err
	}
	if err := s.checkOriginalTimes(r.Access, r.Key.Profile.Row().RetentionMax); err != nil {
		return err
	}
	return checkMatches(&r, oob.ActionPublish)
}

func (s *Service) checkOriginalTimes(a oob.Access, past time.Duration) error {
	now := s.config.Now()
	window := oob.Freshness{Past: past, Future: s.config.TokenFreshness.Future}
	if err := window.Check(a.IssuedAt, now); err != nil {
		return oob.Faultf(oob.TokenStale, "iat is %v", err)
	}
	if !a.Deadline.IsZero() && !now.Before(a.Deadline.Add(window.Future)) {
		return oob.Faultf(oob.TokenStale, "exp has passed")
	}
	return nil
}

// proveOriginal gives the account of who has published.
func (s *Service) proveOriginal(ctx context.Context, o *Original) (string, error) {
	publisher, err := o.Prove(ctx, o.Access.Issuer)
	switch {
	case errors.Is(err, oob.CredentialUnreachable):
		// No fault of who relays, who may try again; and nothing that says anything about other records.
		return "", oob.Faultf(oob.CredentialUnreachable, "token: the certificate at its x5u cannot be fetched now").Because(err)
	case err != nil:
		return "", ofOriginal(err)
	case s.denied(publisher):
		return "", oob.Faultf(oob.Refused, "this CPS does not serve the SPC that has published")
	}
	return publisher.Account, nil
}

// denied asks the list of those who are not served. That of those who are is for those who ask, which a publisher elsewhere
// does not.
func (s *Service) denied(p oob.Principal) bool {
	for _, spc := range p.Scope.SPCs {
		if s.deny[spc] {
			return true
		}
	}
	return false
}

// relayUse names the use of the token of who relays: for this list, under this key, with this token of the publisher.
func (r *Request) relayUse(s *Service) oob.TokenUse {
	what := r.Digest
	if r.Original != nil {
		what += "\x00" + r.Original.Access.Issuer + "\x00" + r.Original.Access.ID
	}
	return s.tokenUse(r.Access, bodyOf(r.Key, what))
}

// spendRepeatable spends a token for a use that its holder may repeat.
func (s *Service) spendRepeatable(ctx context.Context, use oob.TokenUse) error {
	if used, same := s.config.Store.Used(use); used && same {
		return nil
	}
	err := s.config.Store.Spend(ctx, use)
	if used, same := s.config.Store.Used(use); err != nil && used && same {
		return nil // by the same request, which came twice at once
	}
	return err
}

// ofOriginal says in a fault that it is about the publisher's token.
func ofOriginal(err error) error {
	if err == nil {
		return nil
	}
	fault := *oob.FaultOf(err)
	if fault.Detail != "" {
		fault.Detail = "token: " + fault.Detail
	}
	return &fault
}
