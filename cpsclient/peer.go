package cpsclient

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// answerBytesMax bounds an answer that holds no PASSporTs.
const answerBytesMax = 64 << 10

// peer is one CPS.
type peer struct {
	base     string // URL without slash at its end
	audience string
	breaker  breaker
	slots    chan struct{} // one in it for every operation under way
	tally    tally
	skew     atomic.Int64 // nanoseconds; see State

	transport http.RoundTripper
	now       func() time.Time
}

func newPeer(cps CPS, c *Client) (*peer, error) {
	u, err := url.Parse(cps.URL)
	if err != nil {
		return nil, errors.New("its URL is not one") // err would repeat it, userinfo included
	}
	switch {
	case u.Scheme != "https":
		return nil, errors.New("its URL does not begin with https") // ATIS-1000096 §7: TLS is mandatory
	case u.Hostname() == "":
		return nil, errors.New("its URL has no host")
	case u.User != nil, u.RawQuery != "", u.ForceQuery, strings.Contains(cps.URL, "#"):
		return nil, errors.New("its URL has userinfo, a query or a fragment")
	}
	p := &peer{
		base:      strings.TrimRight(u.String(), "/"),
		audience:  cps.Audience,
		breaker:   breaker{settings: c.config.Breaker},
		slots:     make(chan struct{}, c.config.OperationsMax),
		transport: c.transport,
		now:       c.config.Now,
	}
	if p.audience == "" {
		p.audience = u.Hostname()
	}
	return p, nil
}

// take gets a place for an operation, if there is one.
func (p *peer) take() bool {
	select {
	case p.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p *peer) release() { <-p.slots }

// publish makes one attempt.
func (p *peer) publish(ctx context.Context, path, token string, body []byte) *failure {
	res, failed := p.exchange(ctx, http.MethodPost, path, token, body, answerBytesMax)
	switch {
	case failed != nil:
		return failed
	case res.status == http.StatusCreated, res.status == http.StatusOK:
		return nil
	}
	failed = res.refusal()
	if failed.fault.Kind == oob.NotFound {
		failed.fault.Kind = oob.WrongPath // there is nothing to find in a publish: this CPS does not serve the form
	}
	return failed
}

// retrieve makes one attempt.
func (p *peer) retrieve(ctx context.Context, path, token string) ([]string, *failure) {
	res, failed := p.exchange(ctx, http.MethodGet, path, token, nil, oob.RetrievedBytesMax)
	if failed != nil {
		return nil, failed
	}
	if res.status != http.StatusOK {
		failed = res.refusal()
		// A token that is new to us is not to the CPS when something between has repeated the request.
		failed.again = failed.again || failed.fault.Kind == oob.Replayed
		return nil, failed
	}
	if res.cut != nil {
		return nil, res.cut
	}
	passports, err := atis.ReadRetrieved(res.body)
	if err != nil {
		return nil, nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer cannot be read").Because(err))
	}
	if len(passports) == 0 {
		return nil, &failure{fault: oob.Faultf(oob.NotFound, "the CPS answered with an empty list")}
	}
	return passports, nil
}

// response is an answer of any status.
type response struct {
	status     int
	body       []byte
	cut        *failure // why body is not all of it; of no matter where the status says enough
	retryAfter time.Duration
}

// exchange sends one request and reads the answer, with at most bytesMax bytes of body.
func (p *peer) exchange(ctx context.Context, method, path, token string, body []byte, bytesMax int) (response, *failure) {
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return response{}, &failure{ours: true, fault: oob.Faultf(oob.Internal, "").Because(blotted(err))}
	}
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {"viaduct"}}
	if token != "" {
		req.Header.Set("Authorization", token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := p.transport.RoundTrip(req) // a Transport follows no redirects and keeps no cookies
	if err != nil {
		return response{}, silence(ctx, err)
	}
	defer res.Body.Close() // an unread rest makes the transport drop the stream or the connection
	p.noteClock(res.Header.Get("Date"))
	answer := response{status: res.StatusCode, retryAfter: retryAfter(res.Header, p.now())}
	answer.body, err = io.ReadAll(io.LimitReader(res.Body, int64(bytesMax)+1))
	switch {
	case err != nil:
		answer.cut = silence(ctx, err)
	case len(answer.body) > bytesMax:
		answer.cut = nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer is longer than %d bytes", bytesMax))
	}
	return answer, nil
}

// noteClock compares a Date field with our clock. It counts whole seconds, so that half of one is added to it.
func (p *peer) noteClock(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	p.skew.Store(int64(at.Add(time.Second / 2).Sub(p.now()).Round(time.Second)))
}
