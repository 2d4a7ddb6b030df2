package cpsclient

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// peer is one CPS.
type peer struct {
	base     string // URL without slash at its end
	audience string
	found    bool // see Attempt
	breaker  breaker
	slots    chan struct{} // one in it for every operation under way
	tally    tally
	skew     atomic.Int64 // nanoseconds; see State

	// multiplexed says that it last answered over HTTP/2: a request that waits there takes no connection from others.
	multiplexed atomic.Bool

	relays atomic.Int32 // that it takes in one request; see relays.go

	transport http.RoundTripper
	now       func() time.Time
}

func newPeer(cps CPS, c *Client) (*peer, error) {
	u, err := cps.parse()
	if err != nil {
		return nil, err
	}
	return &peer{
		base:      baseOf(u),
		audience:  cmp.Or(cps.Audience, u.Hostname()),
		found:     c.config.found,
		breaker:   breaker{settings: c.config.Breaker},
		slots:     make(chan struct{}, c.config.OperationsMax),
		transport: c.transport,
		now:       c.config.Now,
	}, nil
}

// parse refuses a URL that is none of a CPS.
func (cps CPS) parse() (*url.URL, error) {
	u, err := url.Parse(cps.URL)
	if err != nil {
		return nil, errors.New("its URL is not one") // err would repeat it, userinfo included
	}
	switch {
	case u.Scheme != "https":
		return nil, errors.New("its URL does not begin with https") // ATIS-1000096 §7, RFC 9888 §4: TLS is mandatory
	case u.Hostname() == "":
		return nil, errors.New("its URL has no host")
	case u.User != nil, u.RawQuery != "", u.ForceQuery, strings.Contains(cps.URL, "#"):
		return nil, errors.New("its URL has userinfo, a query or a fragment")
	}
	return u, nil
}

// baseOf is a URL without slash at its end.
func baseOf(u *url.URL) string { return strings.TrimRight(u.String(), "/") }

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

// request is one request to a CPS.
type request struct {
	method   string
	path     string // below the URL of the CPS
	accept   string // media type that is wanted; empty means JSON
	prefer   rfc9888.Preferences
	token    string // value of Authorization; empty for none
	media    string // media type of body
	body     []byte
	bytesMax int // of the answer's body
}

const jsonMedia = "application/json"

// open sends a request and gives the answer with its body unread, which the caller closes.
func (p *peer) open(ctx context.Context, q request) (*http.Response, *failure) {
	return p.openOver(ctx, p.transport, q)
}

// openOver is open over another transport.
func (p *peer) openOver(ctx context.Context, transport http.RoundTripper, q request) (*http.Response, *failure) {
	req, err := http.NewRequestWithContext(ctx, q.method, p.base+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, &failure{ours: true, fault: oob.Faultf(oob.Internal, "").Because(blotted(err))}
	}
	req.Header = q.header()
	res, err := transport.RoundTrip(req) // a Transport follows no redirects and keeps no cookies
	if err != nil {
		return nil, silence(ctx, err)
	}
	p.noteClock(res.Header.Get("Date"))
	p.noteRelays(res.Header)
	p.multiplexed.Store(res.ProtoMajor >= 2)
	return res, nil
}

func (q request) header() http.Header {
	h := http.Header{"Accept": {cmp.Or(q.accept, jsonMedia)}, "User-Agent": {"viaduct"}}
	if q.token != "" {
		h.Set("Authorization", q.token)
	}
	if q.body != nil {
		h.Set("Content-Type", q.media)
	}
	q.prefer.SetPrefer(h)
	return h
}

// exchange sends one request and reads the answer.
func (p *peer) exchange(ctx context.Context, q request) (response, *failure) {
	res, failed := p.open(ctx, q)
	if failed != nil {
		return response{}, failed
	}
	return p.read(ctx, res, q.bytesMax), nil
}

// read reads an answer, with at most bytesMax bytes of body.
func (p *peer) read(ctx context.Context, res *http.Response, bytesMax int) response {
	defer res.Body.Close() // an unread rest makes the transport drop the stream or the connection
	answer := response{
		status: res.StatusCode, retryAfter: retryAfter(res.Header, p.now()), media: mediaOf(res.Header),
	}
	var err error
	answer.body, err = io.ReadAll(io.LimitReader(res.Body, int64(bytesMax)+1))
	switch {
	case err != nil:
		answer.cut = silence(ctx, err)
	case len(answer.body) > bytesMax:
		answer.cut = nonsense(oob.Faultf(oob.PeerFailed, "the CPS's answer is longer than %d bytes", bytesMax))
	}
	return answer
}

// mediaOf is the media type of an answer, without parameters.
func mediaOf(h http.Header) string {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// noteClock compares a Date field with our clock. It counts whole seconds, so that half of one is added to it.
func (p *peer) noteClock(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	p.skew.Store(int64(at.Add(time.Second / 2).Sub(p.now()).Round(time.Second)))
}
