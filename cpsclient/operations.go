package cpsclient

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// Publish hands p to all CPSs and returns nil as soon as one has stored it. The others are tried for the rest of the
// budget, whether or not ctx has ended: the call may come out at any of them. Attempts at one CPS are made with one
// access token, so that a CPS that had stored it already answers as the first time. In the agreed form the key names
// the client's own SPC, and a p.Expires that is not zero is sent as the deadline (ATIS-1000105 §7).
func (c *Client) Publish(ctx context.Context, p oob.Publication) error {
	body, fault := c.publishBody(p)
	if fault != nil {
		return fault
	}
	path := atis.Path(p.Key)
	access := c.access(oob.ActionPublish, p.Key)
	access.Digest = atis.Digest(p.Passports)
	if p.Key.Profile.Row().PublisherSets {
		access.Deadline = p.Expires
	}
	r, fault := c.begin(ctx, oob.ActionPublish, func(cps *peer) try {
		token := ""
		return func(ctx context.Context) (_ []string, failed *failure) {
			if token == "" {
				if token, failed = c.mint(cps, access); failed != nil {
					return nil, failed
				}
			}
			return nil, cps.publish(ctx, path, token, body)
		}
	})
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

// publishBody refuses what a CPS would refuse.
func (c *Client) publishBody(p oob.Publication) ([]byte, *oob.Fault) {
	if fault := checkKey(p.Key); fault != nil {
		return nil, fault
	}
	if p.Key.Profile.Row().KeyedBySPC && p.Key.SPC != c.config.SPC {
		return nil, oob.Faultf(oob.OutOfScope, "a provider publishes under its own SPC")
	}
	body := atis.WritePublish(p.Passports)
	if len(body) > oob.BodyBytesMax {
		return nil, oob.Faultf(oob.TooLarge, "the publication is longer than %d bytes", oob.BodyBytesMax)
	}
	if _, err := atis.ReadPublish(body); err != nil {
		return nil, oob.FaultOf(err)
	}
	return body, nil
}

// Retrieve asks all CPSs and gives the union of what they hold, of each in turn, without duplicates. It returns when
// all have answered, or Config.Grace after the first that had something. A CPS that has nothing is asked again for as long
// as a record may still be on its way (oob.Row, Patience). NotFound means that all CPSs answered and none has anything.
func (c *Client) Retrieve(ctx context.Context, k oob.Key) ([]string, error) {
	if fault := checkKey(k); fault != nil {
		return nil, fault
	}
	path := atis.Path(k)
	patience := time.Now().Add(k.Profile.Row().Patience)
	r, fault := c.begin(ctx, oob.ActionRetrieve, func(cps *peer) try {
		return func(ctx context.Context) ([]string, *failure) {
			token, failed := c.mint(cps, c.access(oob.ActionRetrieve, k)) // each is good for one attempt
			if failed != nil {
				return nil, failed
			}
			passports, failed := cps.retrieve(ctx, path, token)
			if failed != nil && failed.fault.Kind == oob.NotFound {
				failed.again, failed.until = !c.config.NotFoundFinal, patience
			}
			return passports, failed
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

// checkKey reads the key as a CPS will read it from the path.
func checkKey(k oob.Key) *oob.Fault {
	if k.Profile.Row() == (oob.Row{}) {
		return oob.Faultf(oob.Malformed, "the key is of no profile")
	}
	read, err := atis.ReadKey(k.Profile, func(name string) string {
		return map[string]string{"spc": k.SPC, "dest": k.Dest.String(), "orig": k.Orig.String()}[name]
	})
	if err != nil {
		return oob.FaultOf(err)
	}
	if read != k {
		return oob.Faultf(oob.Malformed, "the key has an SPC that its profile does not know")
	}
	return nil
}

// access is what both operations put into a token: sub in the mesh form, spc in the agreed (ATIS-1000096 §7,
// ATIS-1000105 §7).
func (c *Client) access(action oob.Action, k oob.Key) oob.Access {
	a := oob.Access{Action: action, Issuer: c.config.SPC, IssuedAt: c.config.Now(), Dest: k.Dest, Orig: k.Orig}
	if k.Profile.Row().KeyedBySPC {
		a.SPC = k.SPC
	} else {
		a.Subject = c.config.SPC
	}
	return a
}

// mint makes a token for one CPS. What it costs is the signature.
func (c *Client) mint(cps *peer, a oob.Access) (string, *failure) {
	a.Audience = []string{cps.audience}
	a.ID = uuid.New()
	token, err := proof.Sign(c.config.Key, c.config.X5U, atis.WriteAccess(a))
	if err != nil {
		return "", &failure{ours: true, fault: oob.Faultf(oob.Internal, "").Because(err)}
	}
	return token, nil
}
