package cps

import (
	"context"
	"errors"
	"slices"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Retrieve gives the records under a key that the principal may read, newest first, of each publisher in turn. There being none is the Fault
// NotFound; an expired record and one that never was are the same answer. Reading deletes nothing: a retried retrieval
// must succeed, and a transit provider retrieves before it publishes onward. The principal is given as by Publish.
//
// Where Row.ByScope, a key without a caller means all who call the number.
func (s *Service) Retrieve(ctx context.Context, r Request) (oob.Principal, []oob.Record, error) {
	principal, err := s.admit(ctx, r, oob.ActionRetrieve, s.retrieves)
	if err != nil {
		return principal, nil, err
	}
	if err := s.mayRead(ctx, principal, r.Key); err != nil {
		return principal, nil, err
	}
	if !r.Bare {
		if err := s.config.Store.Spend(ctx, s.tokenUse(r.Access, [8]byte{})); err != nil {
			return principal, nil, err
		}
	}
	readable, err := s.look(ctx, principal, r)
	if err == nil && len(readable) == 0 && r.Wait > 0 {
		readable, err = s.await(ctx, principal, r)
	}
	switch {
	case err != nil:
		return principal, nil, err
	case len(readable) == 0:
		s.misses.add(principal.SPC)
		return principal, nil, oob.Faultf(oob.NotFound, "nothing is held for these numbers")
	}
	if len(readable) == 1 {
		return principal, readable, nil
	}
	return principal, store.InTurn(readable, func(r *oob.Record) string { return r.Publisher }), nil
}

// CalledMax bounds how many records of one called number are given at a time.
const CalledMax = 1000

// look gives what is there now for the principal.
func (s *Service) look(ctx context.Context, principal oob.Principal, r Request) ([]oob.Record, error) {
	var all []oob.Record
	if dest, ok := r.Key.Dest.Number(); ok && r.Key.Orig.IsZero() && r.Key.Profile.Row().ByScope {
		held, err := s.called(ctx, r, dest)
		if err != nil {
			return nil, err
		}
		for _, h := range held {
			all = append(all, h.Record)
		}
	} else {
		var err error
		if all, err = s.config.Store.Retrieve(ctx, r.Key); err != nil {
			return nil, err
		}
	}
	if r.Key.Profile.Row().CallerInside {
		return all, nil
	}
	return slices.DeleteFunc(all, func(record oob.Record) bool { return !s.lets(record.Publisher, principal) }), nil
}

func (s *Service) called(ctx context.Context, r Request, dest tn.Number) ([]oob.Held, error) {
	if r.item != "" {
		return s.config.Store.FindCalled(ctx, r.Key.Profile, dest, r.item)
	}
	return s.config.Store.RetrieveCalled(ctx, r.Key.Profile, dest, CalledMax)
}

// Item gives the record of a called number that holds the PASSporT of this name (RFC 8816 §9). All else is as with Retrieve.
func (s *Service) Item(ctx context.Context, r Request, id string) (oob.Principal, oob.Record, error) {
	r.item = id
	principal, records, err := s.Retrieve(ctx, r)
	for _, record := range records {
		if slices.ContainsFunc(record.Passports, func(compact string) bool { return oob.PassportID(compact) == id }) {
			return principal, record, nil
		}
	}
	if err == nil {
		err = oob.Faultf(oob.NotFound, "there is no such item")
	}
	return principal, oob.Record{}, err
}

// Consume takes away the record with the PASSporT of this name: its call has come (Row.Consumed). Once it answers nobody
// is given it any more. It may be repeated, and that there is nothing is no fault. It tells whether this request, or the one
// that it repeats with the same token, was the first to consume it: of all elements of a provider that ask, one has the call.
func (s *Service) Consume(ctx context.Context, r Request, id string) (principal oob.Principal, first bool, err error) {
	if principal, err = s.admit(ctx, r, oob.ActionConsume, s.retrieves); err != nil {
		return principal, false, err
	}
	if err := s.mayRead(ctx, principal, r.Key); err != nil {
		return principal, false, err
	}
	r.Digest = id // what the token is spent on
	if err := s.spendOnce(ctx, r); err != nil {
		return principal, false, err
	}
	by := bodyOf(r.Key, principal.Account+"\x00"+r.Access.ID)
	// Longer than it could be published again.
	until := s.config.Now().Add(s.config.Inspector.span())
	turnstile.Leave(ctx) // what is left is to wait for the log
	_, err = s.config.Store.Consume(ctx, oob.Consumption{Key: r.Key, Passport: id, By: by, Until: until})
	if errors.Is(err, oob.Replayed) {
		return principal, false, nil
	}
	return principal, err == nil, err
}

// lets asks the publisher's list, where who may read is the publisher's decision: in the forms in which it follows from the
// certificate, that decides alone.
func (s *Service) lets(publisher string, reader oob.Principal) bool {
	readers, listed := s.readers[publisher]
	return !listed || slices.ContainsFunc(reader.Scope.SPCs, func(spc string) bool { return readers[spc] })
}
