package cps

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Publish stores the PASSporTs of one call. Once it answers, they can be retrieved until their deadline. A repeated
// request, with the same token and the same body, is answered as the first time and changes nothing. The principal is
// given as soon as it is proven, also beside an error.
func (s *Service) Publish(ctx context.Context, r Request) (oob.Principal, error) {
	principal, err := s.admit(ctx, r, oob.ActionPublish, s.publishes)
	if err != nil {
		return principal, err
	}
	use := s.tokenUse(r.Access, bodyOf(r))
	// A retry is answered before the PASSporTs are looked at again: they may have grown stale since the first time.
	if used, same := s.config.Store.Used(use); used && same {
		return principal, nil
	}
	now := s.config.Now()
	expires := s.deadline(r, now)
	if !expires.After(now) {
		return principal, oob.Faultf(oob.DeadlinePassed, "exp has passed; is the publisher's clock right?")
	}
	if err := s.config.Inspector.Inspect(ctx, r.Key, r.Passports, now); err != nil {
		return principal, err
	}
	_, err = s.config.Store.Publish(ctx, oob.Publication{
		Key: r.Key, Passports: r.Passports, Publisher: principal.SPC, Received: now, Expires: expires, Use: use,
	})
	return principal, err
}

// deadline is the instant from which the record must not be served. In the agreed form the publisher sets it with exp,
// at most a minute after iat (ATIS-1000105 §7), and no more than a minute from now though iat be ahead of our clock.
// Elsewhere it is local policy, typically 5 to 15 seconds (ATIS-1000096 §7).
func (s *Service) deadline(r Request, now time.Time) time.Time {
	row, a := r.Key.Profile.Row(), r.Access
	if row.PublisherSets && !a.Deadline.IsZero() {
		return earliest(a.Deadline, a.IssuedAt.Add(row.RetentionMax), now.Add(row.RetentionMax))
	}
	if kept, ok := s.config.Retention[r.Key.Profile]; ok {
		return now.Add(kept)
	}
	return now.Add(row.Retention)
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
func bodyOf(r Request) (body [8]byte) {
	var text [256]byte // enough for most; saves an allocation
	hash := sha256.Sum256(appendParts(text[:0],
		r.Key.Profile.String(), r.Key.SPC, r.Key.Dest.String(), r.Key.Orig.String(), r.Digest))
	copy(body[:], hash[:])
	return body
}
