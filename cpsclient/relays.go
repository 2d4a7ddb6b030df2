package cpsclient

import (
	"context"
	"net/http"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// relaysBytesMax bounds the answer to several relays: so much for each.
const relaysBytesMax = 1 << 10

// RelaysMax is how many records the client's first CPS takes in one request: 0 where it has not said so with its last answer to a
// relay, as only CPSs of ours do.
func (c *Client) RelaysMax() int { return int(c.peers[0].relays.Load()) }

// RelayBytesMax is how many bytes the records of one RelayAll may have together, by their Size.
const RelayBytesMax = atis.RelaysBytesMax / 2

// RelayAll makes one attempt to pass several records on in one request, at most RelaysMax of them. What came of each is as [Client.Relay]
// would tell. When the CPS refuses them together, each of them may be tried again, alone: RelaysMax is 0 then.
func (c *Client) RelayAll(ctx context.Context, all []Relay) []Relayed {
	results := make([]Relayed, len(all))
	failed := c.relayAll(ctx, all, results)
	if failed == nil {
		return results
	}
	whole := c.outcome(failed)
	if !whole.Again { // it may be a CPS that knows no such requests, or has become one; what it thinks of each it tells of one alone
		c.peers[0].relays.Store(0)
		whole.Again, whole.Whole = true, false
	}
	for i := range results {
		results[i] = whole
	}
	return results
}

func (c *Client) relayAll(ctx context.Context, all []Relay, results []Relayed) (failed *failure) {
	if !c.enter() {
		return &failure{ours: true, fault: oob.Faultf(oob.Draining, "this client is closed")}
	}
	defer c.running.Done()
	size := 0
	for _, r := range all {
		size += r.Size() + 64
	}
	body := atis.BeginRelays(size)
	for _, r := range all {
		body = atis.AppendOneOfRelays(body, r.key, r.request.body)
	}
	q := request{
		method: http.MethodPost, path: atis.RelaysPath, media: jsonMedia, bytesMax: relaysBytesMax * len(all), body: atis.EndRelays(body),
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Budget)
	defer cancel()
	_, failed = c.attempt(ctx, &round{action: oob.ActionRepublish}, c.peers[0], func(ctx context.Context, _ time.Duration) ([]string, *failure) {
		answer, failed := c.sendRelay(ctx, q, oob.Key{Profile: oob.Mesh}, atis.RelaysDigest(q.body))
		if failed == nil {
			failed = c.eachOf(answer, results)
		}
		return nil, failed
	})
	return failed
}

// eachOf reads what each of several relays was answered.
func (c *Client) eachOf(answer response, results []Relayed) *failure {
	switch {
	case answer.status != http.StatusOK:
		return answer.refusal()
	case answer.cut != nil:
		return answer.cut
	}
	each, ok := atis.ReadRelaysAnswer(answer.body, len(results))
	if !ok {
		return nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer to several relays cannot be read"))
	}
	for i, one := range each {
		results[i] = c.outcome(response{status: one.Status, body: one.Body}.relayed())
		results[i].Whole = false // it has answered, and others may have gone well
	}
	return nil
}

// noteRelays notes how many relays a CPS takes in one request, from its answer to one that it has taken.
func (p *peer) noteRelays(h http.Header) {
	if value := h[atis.RelaysHeader]; len(value) == 1 {
		p.relays.Store(int32(atis.ReadRelaysHeader(value[0])))
	}
}
