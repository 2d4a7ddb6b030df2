package cps

import (
	"context"
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// await waits until there is something for the principal, or the time is over.
func (s *Service) await(ctx context.Context, principal oob.Principal, r Request) ([]oob.Record, error) {
	if s.config.Hub == nil || !r.Key.Profile.Row().Pushed {
		return nil, nil
	}
	watch, err := s.config.Hub.Watch(principal.Account, r.Key)
	if err != nil {
		return nil, err
	}
	defer watch.Close()
	if r.Waiting != nil {
		if err := r.Waiting(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, r.Wait)
	defer cancel()
	for {
		// What came between the first look and the watch is found now; what comes after it wakes us up.
		found, err := s.look(ctx, principal, r)
		if err != nil || len(found) > 0 {
			return found, err
		}
		if !watch.Wait(ctx) {
			return nil, nil
		}
	}
}

// Subscription tells somebody of what he may read, as it comes. It is used by one goroutine.
type Subscription struct {
	*push.Subscription
	service   *Service
	request   Request
	principal oob.Principal
	pending   *push.Event // of which it is not known yet whether it may be told
	told      string      // the cursor before it
}

// Subscribe has a principal told of what is published for the numbers and providers of interest, all of which its certificate
// has to cover (RFC 9888 §6). cursor is the last that it has seen, or empty. What is covered can change: each record is
// looked at again before it is told of.
func (s *Service) Subscribe(ctx context.Context, r Request, interest push.Interest, cursor string) (oob.Principal, *Subscription, error) {
	if s.config.Hub == nil {
		return oob.Principal{}, nil, oob.Faultf(oob.WrongPath, "nobody can subscribe to this CPS")
	}
	principal, err := s.admit(ctx, r, oob.ActionSubscribe, s.retrieves)
	if err != nil {
		return principal, nil, err
	}
	if interest, err = s.mayFollow(ctx, principal, interest); err != nil {
		return principal, nil, err
	}
	if !r.Bare {
		if err := s.config.Store.Spend(ctx, s.tokenUse(r.Access, [8]byte{})); err != nil {
			return principal, nil, err
		}
	}
	subscription, err := s.config.Hub.Subscribe(principal.Account, interest, cursor)
	if err != nil {
		return principal, nil, err
	}
	return principal, &Subscription{Subscription: subscription, service: s, request: r, principal: principal, told: subscription.Cursor()}, nil
}

// mayFollow refuses an interest in what is not the principal's. Of a range that the certificate does not list, one end has to
// be; who reads everything by its SPC is told of everything.
func (s *Service) mayFollow(ctx context.Context, p oob.Principal, interest push.Interest) (push.Interest, error) {
	row := interest.Profile.Row()
	asked := interest
	asked.SPCs = nil
	for _, spc := range interest.SPCs {
		if !p.Scope.HasSPC(spc) {
			return asked, oob.Faultf(oob.OutOfScope, "the certificate does not name a provider that is subscribed to")
		}
		if row.ByScope && s.everything[spc] {
			asked.All = true
			continue
		}
		if row.ByScope && s.config.Numbering == nil {
			return asked, oob.Faultf(oob.OutOfScope, "this CPS does not know which numbers belong to a provider; subscribe to numbers that the certificate lists")
		}
		asked.SPCs = append(asked.SPCs, spc)
	}
	if !row.ByScope {
		if len(asked.Numbers) > 0 {
			return asked, oob.Faultf(oob.OutOfScope, "in this form one subscribes to providers")
		}
		return asked, nil
	}
	for _, r := range interest.Numbers {
		if err := s.mayFollowRange(ctx, p, r); err != nil {
			return asked, err
		}
	}
	return asked, nil
}

// rangeMax bounds a range of which a certificate lists the provider alone: numbers of others are in it, of which nothing is told.
const rangeMax = 1_000_000

func (s *Service) mayFollowRange(ctx context.Context, p oob.Principal, r tn.Range) error {
	switch {
	case p.Scope.CoversResource(stircert.ResourceOf(r), nil):
		return nil
	case len(p.Scope.SPCs) == 0, r.Count() > rangeMax:
		return oob.Faultf(oob.OutOfScope, "the certificate does not list these numbers; of a provider's, a range has at most %d", rangeMax)
	}
	err := s.entitled(ctx, p, r.Start())
	if err == nil || r.Count() == 1 {
		return err
	}
	return s.entitled(ctx, p, r.Last())
}

// Next gives what comes next that the principal may read. While it cannot be found out whether that is so of a record, it is
// asked again, for as long as the record is live.
func (s *Subscription) Next(ctx context.Context) (push.Event, error) {
	for {
		if err := ctx.Err(); err != nil {
			return push.Event{}, err
		}
		if s.pending == nil {
			event, err := s.Subscription.Next(ctx)
			if err != nil || event.Gap {
				return event, err
			}
			s.pending = &event
		}
		event := *s.pending
		may, err := s.may(ctx, event.Held)
		if err != nil {
			return push.Event{}, err
		}
		s.pending, s.told = nil, event.Cursor
		if may {
			return event, nil
		}
	}
}

// Cursor is up to where everything has been told of.
func (s *Subscription) Cursor() string {
	if s.pending != nil {
		return s.told
	}
	return s.Subscription.Cursor()
}

// entitlementPause is how long to wait before it is asked again whose number it is.
const entitlementPause = 250 * time.Millisecond

// may does not take the end of ctx, which may be a heartbeat, for an answer.
func (s *Subscription) may(ctx context.Context, held oob.Held) (bool, error) {
	for held.Expires.After(s.service.config.Now()) {
		err := s.service.mayRead(context.WithoutCancel(ctx), s.principal, held.Key)
		if err == nil || oob.FaultOf(err).Kind != oob.Overloaded {
			return err == nil, nil
		}
		timer := time.NewTimer(entitlementPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		}
	}
	return false, nil
}

// Renew proves again who subscribes: a stream outlives certificates, lists of the revoked, and the operator's patience. Its
// certificate may list less by now. That it cannot be found out now is no answer.
func (s *Subscription) Renew(ctx context.Context) error {
	principal, err := s.request.Prove(ctx, s.request.Access.Issuer)
	if errors.Is(err, oob.Overloaded) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.service.checkListed(principal); err != nil {
		return err
	}
	s.principal = principal
	return nil
}
