package cpsclient

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// Publish hands p to all CPSs and returns nil as soon as one has stored it. The others are tried for the rest of the
// budget, whether or not ctx has ended: the call may come out at any of them. Attempts at one CPS are made with one
// access token, so that a CPS that had stored it already answers as the first time. In the agreed form the key names
// the client's own SPC, and a p.Expires that is not zero is sent as the deadline (ATIS-1000105 §7).
func (c *Client) Publish(ctx context.Context, p oob.Publication) error {
	q, fault := c.publication(p)
	if fault != nil {
		return fault
	}
	access := c.publishing(p)
	return c.tell(ctx, oob.ActionPublish, func(cps *peer) try {
		token, minted := "", false
		return func(ctx context.Context, _ time.Duration) (_ []string, failed *failure) {
			if !minted {
				if token, failed = c.mint(cps, access); failed != nil {
					return nil, failed
				}
				minted = true
			}
			q := q
			q.token = token
			answer, failed := cps.exchange(ctx, q)
			if failed != nil {
				return nil, failed
			}
			return nil, answer.stored()
		}
	})
}

// publishing is what a token for a publish says, but for whom it is: nil where none is sent.
func (c *Client) publishing(p oob.Publication) *oob.Access {
	access := c.access(oob.ActionPublish, p.Key)
	if access != nil {
		access.Digest = atis.Digest(p.Passports)
		if p.Key.Profile.Row().PublisherSets {
			access.Deadline = p.Expires
		}
	}
	return access
}

// publication is the request of a publish, but for its proof. It refuses what a CPS would refuse.
func (c *Client) publication(p oob.Publication) (request, *oob.Fault) {
	if fault := c.check(oob.ActionPublish, p.Key); fault != nil {
		return request{}, fault
	}
	if p.Key.Profile.Row().KeyedBySPC && p.Key.SPC != c.config.SPC {
		return request{}, oob.Faultf(oob.OutOfScope, "a provider publishes under its own SPC")
	}
	q := c.dialects[p.Key.Profile].publish(p)
	if len(q.body) > oob.BodyBytesMax {
		return request{}, oob.Faultf(oob.TooLarge, "the publication is longer than %d bytes", oob.BodyBytesMax)
	}
	if err := wire.CheckPublication(p.Passports); err != nil {
		return request{}, oob.FaultOf(err)
	}
	return q, nil
}

// Retrieve asks all CPSs and gives the union of what they hold, of each in turn, without duplicates. It returns when
// all have answered, or Config.Grace after the first that had something. A CPS that has nothing is asked again for as long
// as a record may still be on its way (oob.Row, Patience) or, where its form lets it wait and the budget is long enough,
// asked to answer only when there is something. NotFound means that all CPSs answered and none has anything. In the form of
// RFC 9888, a key that names nobody who calls means all who do.
func (c *Client) Retrieve(ctx context.Context, k oob.Key) ([]string, error) {
	if fault := c.check(oob.ActionRetrieve, k); fault != nil {
		return nil, fault
	}
	d := c.dialects[k.Profile]
	var patience time.Time
	if !c.config.NotFoundFinal {
		patience = time.Now().Add(k.Profile.Row().Patience)
	}
	r, fault := c.begin(ctx, oob.ActionRetrieve, patience, d.patient, func(cps *peer) try {
		return func(ctx context.Context, hold time.Duration) ([]string, *failure) {
			q := d.retrieve(k)
			q.prefer.Wait = hold
			answer, failed := c.ask(ctx, cps, oob.ActionRetrieve, k, q)
			if failed != nil {
				return nil, failed
			}
			return d.found(ctx, c, cps, k, answer)
		}
	})
	if fault != nil {
		return nil, fault
	}
	defer r.leave()
	if lists := c.gather(r); len(lists) > 0 {
		return union(lists), nil
	}
	return nil, r.fault()
}

// Consume has all CPSs take away the records under k that hold the PASSporTs which ids name, see oob.PassportID: their call has
// come. It returns nil as soon as one has; the others are tried as by Publish. That there are none is no failure.
func (c *Client) Consume(ctx context.Context, k oob.Key, ids []string) error {
	if fault := c.check(oob.ActionConsume, k); fault != nil {
		return fault
	}
	if len(ids) > wire.RetrievedMax {
		return oob.Faultf(oob.TooLarge, "more than %d records", wire.RetrievedMax)
	}
	for _, id := range ids {
		if _, err := wire.ReadID(id); err != nil {
			return oob.Faultf(oob.Malformed, "an id is not that of a PASSporT")
		}
	}
	return c.tell(ctx, oob.ActionConsume, func(cps *peer) try {
		left := ids // of which this CPS has not been told
		return func(ctx context.Context, _ time.Duration) ([]string, *failure) {
			for ; len(left) > 0; left = left[1:] {
				answer, failed := c.ask(ctx, cps, oob.ActionConsume, k, c.dialects[k.Profile].consume(k, left[0]))
				if failed == nil {
					failed = answer.gone()
				}
				if failed != nil {
					return nil, failed
				}
			}
			return nil, nil
		}
	})
}

// ask makes one request with a proof of its own: a token is good for one.
func (c *Client) ask(ctx context.Context, cps *peer, action oob.Action, k oob.Key, q request) (response, *failure) {
	token, failed := c.mint(cps, c.access(action, k))
	if failed != nil {
		return response{}, failed
	}
	q.token = token
	return cps.exchange(ctx, q)
}

// tell is an operation that is done with the first CPS that has it, and goes on at the others.
func (c *Client) tell(ctx context.Context, action oob.Action, prepare func(cps *peer) try) error {
	r, fault := c.begin(ctx, action, time.Time{}, false, prepare)
	if fault != nil {
		return fault
	}
	defer r.leave()
	for !r.finished() {
		a, ok := r.hear(nil)
		if !ok {
			break
		}
		if a.fault == nil {
			return nil
		}
	}
	return r.fault()
}

// gather waits for as many answers as are worth waiting for, and gives those that hold PASSporTs.
func (c *Client) gather(r *round) (lists [][]string) {
	var grace <-chan time.Time
	for !r.finished() && (grace == nil || !r.allHeard()) {
		a, ok := r.hear(grace)
		if !ok {
			break
		}
		if a.fault == nil && grace == nil {
			timer := time.NewTimer(c.config.Grace)
			defer timer.Stop()
			grace = timer.C
		}
	}
	for _, a := range r.heard {
		if len(a.passports) > 0 {
			lists = append(lists, a.passports)
		}
	}
	return lists
}

// check refuses a key of no profile, one that a CPS would refuse, and what cannot be proven.
func (c *Client) check(action oob.Action, k oob.Key) *oob.Fault {
	d, known := c.dialects[k.Profile]
	if !known {
		return oob.Faultf(oob.Malformed, "the key is of no profile")
	}
	if fault := d.check(k); fault != nil {
		return fault
	}
	return c.checkProof(action, k)
}
