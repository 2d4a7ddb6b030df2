package cpsclient

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// Relay is what a provider has published to a CPS of ours, ready to be passed on to others (ATIS-1000096 §7, republish).
type Relay struct {
	key     oob.Key
	digest  string
	request request
}

// NewRelay writes the body that all CPSs are sent, with p.Token in it. The error is a Fault; it is Malformed in a form in which
// nothing is relayed, or without a token.
func NewRelay(p oob.Publication) (Relay, error) {
	if !p.Key.Profile.Row().Relayed || p.Token == "" {
		return Relay{}, oob.Faultf(oob.Malformed, "this is not to be relayed")
	}
	return Relay{key: p.Key, digest: atis.Digest(p.Passports), request: request{
		method: http.MethodPost, path: atis.Path(p.Key), media: jsonMedia, bytesMax: answerBytesMax,
		body: atis.WriteRelay(p.Passports, p.Token),
	}}, nil
}

// Size is how many bytes it takes.
func (r Relay) Size() int { return len(r.request.body) + len(r.request.path) + len(r.digest) }

// Relayed is what came of an attempt to relay.
type Relayed struct {
	Fault *oob.Fault    // nil when the CPS has the record
	Again bool          // another attempt may succeed
	Wait  time.Duration // for which the CPS is best left alone; zero where it has not said
	Whole bool          // Wait is for all that is relayed to it, not for this record alone
}

// Relay makes one attempt to pass a record on to the client's first CPS, with an access token of its own. That the CPS had the
// record already is success, in whatever words: our attempt before may have arrived, or another CPS's.
//
// A refusal that is about who has published, or about the whole, may pass: of the first kind are QuotaExceeded and
// CredentialUnreachable, which say nothing about others.
func (c *Client) Relay(ctx context.Context, r Relay) Relayed {
	if !c.enter() {
		return Relayed{Fault: oob.Faultf(oob.Draining, "this client is closed")}
	}
	defer c.running.Done()
	cps := c.peers[0]
	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()
	_, failed := c.attempt(ctx, &round{action: oob.ActionRepublish}, cps, func(ctx context.Context, _ time.Duration) ([]string, *failure) {
		answer, failed := c.sendRelay(ctx, r.request, r.key, r.digest)
		if failed != nil {
			return nil, failed
		}
		return nil, answer.relayed()
	})
	return c.outcome(failed)
}

// sendRelay sends one request to the first CPS, with a token of our own.
func (c *Client) sendRelay(ctx context.Context, q request, k oob.Key, digest string) (response, *failure) {
	access := &oob.Access{Action: c.config.Republish, Issuer: c.config.issuer(), IssuedAt: c.config.Now(), Digest: digest}
	claimMesh(access, c.config.SPC, k)
	var failed *failure
	if q.token, failed = c.mint(c.peers[0], access); failed != nil {
		return response{}, failed
	}
	return c.peers[0].exchange(ctx, q)
}

// enter counts an operation, which Close waits for; false when the client is closed.
func (c *Client) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.running.Add(1)
	}
	return !c.closed
}

// outcome says what to do after an attempt.
func (c *Client) outcome(failed *failure) Relayed {
	if failed == nil {
		return Relayed{}
	}
	result := Relayed{Fault: failed.fault, Again: failed.again, Wait: failed.fault.RetryAfter, Whole: true}
	switch failed.fault.Kind {
	case oob.QuotaExceeded, oob.CredentialUnreachable:
		result.Again, result.Whole = true, false
	case oob.RateLimited, oob.TooSlow:
		result.Again = true
	}
	if errors.Is(failed.fault, errOpen) {
		_, _, until := c.peers[0].breaker.state(c.config.Now())
		result.Again, result.Wait = true, max(until.Sub(c.config.Now()), c.config.Retry)
	}
	return result
}

// relayed judges the answer to a relay.
func (r response) relayed() *failure {
	if r.status == http.StatusConflict {
		return nil
	}
	if failed := r.stored(); failed != nil && failed.fault.Kind != oob.Replayed {
		return failed
	}
	return nil
}
