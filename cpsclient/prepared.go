package cpsclient

import (
	"context"
	"net/http"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// Prepared is one request to one CPS, complete with its proof: for who measures CPSs and keeps his own time. It is sent once,
// for its token is good for one request; nothing is tried again, and no breaker is asked.
type Prepared struct {
	cps     *peer
	request request
	judge   func(response) ([]string, *failure)
}

// Answer is what came of a Prepared request.
type Answer struct {
	Status    int      // HTTP status; 0 where there was no answer
	Passports []string // of a retrieve that found any
	Fault     *oob.Fault
}

// PreparePublish prepares the publish of p to the CPS with that index in Config.CPSs. The error is a Fault.
func (c *Client) PreparePublish(cps int, p oob.Publication) (Prepared, error) {
	q, fault := c.publication(p)
	if fault != nil {
		return Prepared{}, fault
	}
	return c.prepare(cps, q, c.publishing(p), func(answer response) ([]string, *failure) { return nil, answer.stored() })
}

// PrepareRetrieve prepares the retrieval of what lies under k. In the form of RFC 9888 the PASSporTs themselves are asked
// for, and an answer with references to them is a failure. The error is a Fault.
func (c *Client) PrepareRetrieve(cps int, k oob.Key) (Prepared, error) {
	if fault := c.check(oob.ActionRetrieve, k); fault != nil {
		return Prepared{}, fault
	}
	return c.prepare(cps, c.dialects[k.Profile].retrieve(k), c.access(oob.ActionRetrieve, k), func(answer response) ([]string, *failure) {
		return answer.passports(atis.ReadRetrieved)
	})
}

func (c *Client) prepare(cps int, q request, access *oob.Access, judge func(response) ([]string, *failure)) (Prepared, error) {
	p := Prepared{cps: c.peers[cps], request: q, judge: judge}
	var failed *failure
	if p.request.token, failed = c.mint(p.cps, access); failed != nil {
		return Prepared{}, failed.fault
	}
	return p, nil
}

// Send sends the request over a transport of the caller's, which neither follows redirects nor keeps cookies, and judges the
// answer as the client itself would. No more of the answer is read than the client would read.
func (p Prepared) Send(ctx context.Context, transport http.RoundTripper) Answer {
	res, failed := p.cps.openOver(ctx, transport, p.request)
	if failed != nil {
		return Answer{Fault: failed.fault}
	}
	answer := p.cps.read(ctx, res, p.request.bytesMax)
	passports, failed := p.judge(answer)
	if failed != nil {
		return Answer{Status: answer.status, Fault: failed.fault}
	}
	return Answer{Status: answer.status, Passports: passports}
}
