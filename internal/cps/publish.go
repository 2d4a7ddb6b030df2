package cps

import (
	"context"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/turnstile"
	"github.com/viaduct-oob/viaduct/oob"
)

// Publish stores the PASSporTs of one call. Once it answers, they can be retrieved until their deadline. A repeated
// request, with the same token and the same body, is answered as the first time and changes nothing. The principal is
// given as soon as it is proven, also beside an error.
func (s *Service) Publish(ctx context.Context, r Request) (oob.Principal, error) {
	if r.Key.Profile.Row().CallerInside {
		return s.publishInside(ctx, r)
	}
	principal, err := s.admit(ctx, r, oob.ActionPublish, s.publishes)
	if err != nil {
		return principal, err
	}
	use := s.tokenUse(r.Access, bodyOf(r.Key, r.Digest))
	// A retry is answered before the PASSporTs are looked at again: they may have grown stale since the first time.
	if used, same := s.config.Store.Used(use); used && same {
		return principal, nil
	}
	now := s.config.Now()
	expires := s.deadline(r, now)
	if !expires.After(now) {
		return principal, oob.Faultf(oob.DeadlinePassed, "exp has passed; is the publisher's clock right?")
	}
	if _, err := s.config.Inspector.inspect(ctx, r.Key, r.Passports, now, nil); err != nil {
		return principal, err
	}
	p := oob.Publication{
		Key: r.Key, Passports: r.Passports, Publisher: principal.Account, Received: now, Expires: expires, Use: use,
	}
	if s.config.Relay.Sends && r.Key.Profile.Row().Relayed {
		p.Token = r.Token
	}
	return principal, s.store(ctx, p)
}

// publishInside is Publish in the forms in which the PASSporT says itself whose call it is. There it is also what is used
// once: whoever sends it again, for whatever reason, is answered as the first was, and a record that was consumed does
// not come back.
func (s *Service) publishInside(ctx context.Context, r Request) (oob.Principal, error) {
	row, now := r.Key.Profile.Row(), s.config.Now()
	var principal oob.Principal
	var gate *openGate
	var err error
	if row.Open {
		gate = &openGate{service: s, origin: r.Origin, now: now}
		err = gate.enter()
	} else if principal, err = s.admit(ctx, r, oob.ActionPublish, s.publishes); err == nil {
		err = s.spendOnce(ctx, r)
	}
	if err == nil {
		err = s.checkServed(ctx, r.Key) // which may cost a look-up
	}
	if err != nil {
		return principal, err
	}
	found, err := s.config.Inspector.inspect(ctx, r.Key, r.Passports, now, gate)
	if gate != nil {
		principal = gate.signer
	}
	if err != nil {
		return principal, err
	}
	if gate == nil && !mayWrite(principal, r.Access, found.key) {
		return principal, oob.Faultf(oob.OutOfScope, "the certificate does not cover the calling number")
	}
	// RFC 9888 §5: no longer than the PASSporT is fresh, and 60 seconds at most.
	expires := earliest(now.Add(s.retention(r.Key.Profile)), found.stale, found.oldest.Add(row.RetentionMax))
	if !expires.After(now) {
		return principal, oob.Faultf(oob.PassportStale, "the PASSporT is stale")
	}
	if row.Consumed && s.consumed(found) {
		return principal, nil
	}
	use := found.use
	use.Until = latest(expires, found.stale).Add(time.Second)
	return principal, s.store(ctx, oob.Publication{
		Key: found.key, Passports: r.Passports, Publisher: principal.Account, Received: now, Expires: expires, Use: use,
	})
}

// store lays a publication on the shelf. What is left to do is to wait for the log.
func (s *Service) store(ctx context.Context, p oob.Publication) error {
	turnstile.Leave(ctx)
	_, err := s.config.Store.Publish(ctx, p)
	return err
}

// spendOnce wants an access token not to have been used for anything else.
func (s *Service) spendOnce(ctx context.Context, r Request) error {
	if r.Bare {
		return nil
	}
	return s.spendRepeatable(ctx, s.tokenUse(r.Access, bodyOf(r.Key, r.Digest)))
}

// useOf names PASSporTs of a key as what is used.
func useOf(key oob.Key, ids []string) oob.TokenUse {
	var room [256]byte // enough for most; saves an allocation
	text := appendParts(room[:0], "passport", key.Profile.String(), key.SPC, key.Dest.String(), key.Orig.String())
	hash := sha256.Sum256(appendParts(text, ids...))
	var use oob.TokenUse
	copy(use.ID[:], hash[:])
	copy(use.Body[:], hash[len(use.ID):])
	return use
}

// known tells whether these have been published already, or one of them was consumed.
func (s *Service) known(found findings) bool {
	used, _ := s.config.Store.Used(found.use)
	return used || s.consumed(found)
}

// consumed tells whether one of these was.
func (s *Service) consumed(found findings) bool {
	return slices.ContainsFunc(found.ids, func(id string) bool {
		return s.config.Store.Consumed(found.key, id)
	})
}

// mayWrite: a provider may carry PASSporTs of others, as transit does; who has numbers alone publishes for calls from these
// (RFC 9888 §5 leaves it to policy). What a token says of the caller has to be so.
func mayWrite(p oob.Principal, a oob.Access, key oob.Key) bool {
	if !a.Orig.IsZero() && a.Orig != key.Orig {
		return false
	}
	if len(p.Scope.SPCs) > 0 {
		return true
	}
	n, ok := key.Orig.Number()
	return ok && p.Scope.HasNumber(n)
}

// deadline is the instant from which the record must not be served. In the agreed form the publisher sets it with exp,
// at most a minute after iat (ATIS-1000105 §7), and no more than a minute from now though iat be ahead of our clock.
// Elsewhere it is local policy, typically 5 to 15 seconds (ATIS-1000096 §7).
func (s *Service) deadline(r Request, now time.Time) time.Time {
	row, a := r.Key.Profile.Row(), r.Access
	if row.PublisherSets && !a.Deadline.IsZero() {
		return earliest(a.Deadline, a.IssuedAt.Add(row.RetentionMax), now.Add(row.RetentionMax))
	}
	return now.Add(s.retention(r.Key.Profile))
}

func (s *Service) retention(profile oob.Profile) time.Duration {
	if kept, ok := s.config.Retention[profile]; ok {
		return kept
	}
	return profile.Row().Retention
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// bodyOf names what a token was used for: the key and the PASSporTs, of which the digest is that of the list.
func bodyOf(key oob.Key, digest string) (body [8]byte) {
	var text [256]byte // enough for most; saves an allocation
	hash := sha256.Sum256(appendParts(text[:0], key.Profile.String(), key.SPC, key.Dest.String(), key.Orig.String(), digest))
	copy(body[:], hash[:])
	return body
}
