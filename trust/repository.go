package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// headerBytesMax bounds the header of a repository's answer.
const headerBytesMax = 16 << 10

// RepositoryConfig says how certificates are fetched. The zero value keeps all rules.
type RepositoryConfig struct {
	Deadline         time.Duration // for one fetch from waiting for its turn to the last byte; default 2 s
	RefuseIPLiterals bool          // refuse an x5u whose host is an IP address; the network has a few that are public
	Laboratory       Laboratory
}

// Repository is the client of certificate repositories: one fetch, under all rules, without any memory. It uses no
// proxy, follows no redirect and sends no cookie.
type Repository struct {
	deadline         time.Duration
	refuseIPLiterals bool
	laboratory       Laboratory

	public  *http.Transport // refuses all but public addresses
	private *http.Transport // for laboratory hosts alone
}

// NewRepository makes a client.
func NewRepository(cfg RepositoryConfig) *Repository {
	r := &Repository{deadline: cfg.Deadline, refuseIPLiterals: cfg.RefuseIPLiterals, laboratory: cfg.Laboratory}
	if r.deadline <= 0 {
		r.deadline = 2 * time.Second
	}
	r.public = r.newTransport(RefusePrivate, nil)
	r.private = r.newTransport(nil, cfg.Laboratory.Roots)
	return r
}

// newTransport bounds each stage of a connection by the deadline of a fetch: a Transport goes on with a dial when its
// request has ended, so that a host that takes connections and says nothing would hold each for as long as it likes.
func (r *Repository) newTransport(control func(network, address string, c syscall.RawConn) error, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Control: control, Timeout: r.deadline}
	return &http.Transport{
		Proxy:                  nil, // one from the environment would connect to addresses that we refuse
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    r.deadline,
		ResponseHeaderTimeout:  r.deadline,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the limit on size is one on what is sent
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: headerBytesMax,
		// A connection whose host died silently would swallow every fetch until TCP gives up.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
}

// Fetch gets the certificates that x5u serves, leaf first, whoever issued them, and says how long the repository lets
// them be cached (zero if it does not say). It keeps the rules of ATIS-1000074 and our own on addresses, size and
// time. Errors wrap [ErrX5U], [ErrAddress], [ErrAnswer], or come from the network.
func (r *Repository) Fetch(ctx context.Context, x5u string) ([]*x509.Certificate, time.Duration, error) {
	s, err := r.parseX5U(x5u)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	return r.fetch(ctx, s)
}

func (r *Repository) fetch(ctx context.Context, s source) ([]*x509.Certificate, time.Duration, error) {
	const accept = "application/pem-certificate-chain, */*;q=0.5" // the network serves them as anything
	body, header, err := r.request(ctx, s, accept, stircert.ChainBytesMax+1, ErrAnswer)
	if err != nil {
		return nil, 0, err
	}
	chain, err := stircert.ParseChainPEM(body)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return chain, maxAge(header), nil
}

// request gets what a source serves. Of a body that is longer than bytesMax it gives so much. A status other than 200 is
// refused.
func (r *Repository) request(ctx context.Context, s source, accept string, bytesMax int64, refused error) ([]byte, http.Header, error) {
	res, err := r.roundTrip(ctx, s, http.Header{"Accept": {accept}})
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close() // unread rest or not: the transport drops the connection then
	if res.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%w: status %d", refused, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, bytesMax))
	if err != nil {
		return nil, nil, err
	}
	return body, res.Header, nil
}

func (r *Repository) roundTrip(ctx context.Context, s source, header http.Header) (*http.Response, error) {
	transport := r.public
	if s.laboratory {
		transport = r.private
	}
	header.Set("User-Agent", "viaduct")
	req := (&http.Request{Method: http.MethodGet, URL: s.url, Header: header}).WithContext(ctx)
	return transport.RoundTrip(req) // a Transport follows no redirects
}

// maxAge is the max-age of Cache-Control (RFC 9111 §5.2.2.1), or zero. Nothing else of RFC 9111 matters where the
// lifetime is never less than a day.
func maxAge(h http.Header) time.Duration {
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 64)
		if errors.Is(err, strconv.ErrRange) || seconds > uint64(CacheLifetimeMax/time.Second) {
			return CacheLifetimeMax
		}
		return time.Duration(seconds) * time.Second // zero when it is not a number
	}
	return 0
}

// closeIdle drops the connections that are kept for the next fetch.
func (r *Repository) closeIdle() {
	r.public.CloseIdleConnections()
	r.private.CloseIdleConnections()
}
