package numbering

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Limits of an exchange with a server.
const (
	answerBytesMax = 16 << 10 // body of an answer
	headerBytesMax = 16 << 10 // header of an answer
	tokenBytesMax  = 4 << 10  // file with a token
	depthMax       = 8        // nesting of what is in an answer beside the codes
)

// placeholder stands for the number in the URL of an HTTPConfig.
const placeholder = "{tn}"

// HTTPConfig says which server tells whose numbers are whose. The server is the operator's or one that he trusts with the
// numbers that are called, and may have any address.
type HTTPConfig struct {
	// URL is https://host[:port]/path, with {tn} in the path or the query where the number goes, in canonical form. What is
	// known is answered with 200 and a JSON object with the member spc, a provider code or a list of them; 404 and an empty list
	// say that nothing is known. Cache-Control says how long that may be believed.
	URL       string
	TokenFile string         // holds a bearer token (RFC 6750 §2.1) and is read for each question, so that it can change; empty for none
	Roots     *x509.CertPool // for TLS; nil for the system's
	Cache     CacheConfig
}

// HTTP asks a server and remembers what it says. It uses no proxy, follows no redirect and keeps no cookie.
type HTTP struct {
	cache     *cache
	before    string // of the URL, before the number
	after     string // and after it
	tokenFile string
	transport *http.Transport
}

// NewHTTP makes a client. Nothing is asked yet. Close it.
func NewHTTP(cfg HTTPConfig) (*HTTP, error) {
	before, after, found := strings.Cut(cfg.URL, placeholder)
	u, err := url.Parse(before + "0" + after)
	if err != nil || !found || strings.Contains(after, placeholder) || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Contains(cfg.URL, "#") {
		return nil, errors.New("the URL is https://host[:port]/path with {tn} once in its path or query, without user and fragment")
	}
	if place, err := url.Parse(before); err != nil || place.Host != u.Host || !strings.HasPrefix(place.Path, "/") {
		return nil, errors.New("the URL has {tn} before its path")
	}
	h := &HTTP{before: before, after: after, tokenFile: cfg.TokenFile}
	h.cache = newCache(cfg.Cache, h.ask)
	limits := h.cache.config
	h.transport = &http.Transport{
		Proxy:                  nil, // the operator names the server, not the environment
		DialContext:            (&net.Dialer{Timeout: limits.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Roots},
		TLSHandshakeTimeout:    limits.Timeout,
		ResponseHeaderTimeout:  limits.Timeout,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the limit on size is one on what is sent
		MaxConnsPerHost:        limits.AskingMax,
		MaxIdleConnsPerHost:    limits.AskingMax,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: headerBytesMax,
		// A connection whose host died silently would swallow every question until TCP gives up.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}
	return h, nil
}

// Close ends all questions and connections. What is remembered is still given.
func (h *HTTP) Close() {
	h.cache.close()
	h.transport.CloseIdleConnections()
}

// SPCs implements oob.Numbering. The slice is shared and not to be changed.
func (h *HTTP) SPCs(ctx context.Context, n tn.Number) ([]string, error) { return h.cache.SPCs(ctx, n) }

// Stats tells what the cache has done.
func (h *HTTP) Stats() CacheStats { return h.cache.Stats() }

// ask is one exchange.
func (h *HTTP) ask(ctx context.Context, n tn.Number) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.before+url.PathEscape(n.String())+h.after, nil)
	if err != nil {
		return answer{}, oob.Faultf(oob.Internal, "") // err has the number
	}
	req.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {"viaduct"}}
	if h.tokenFile != "" {
		token, err := readToken(h.tokenFile)
		if err != nil {
			return answer{}, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := h.transport.RoundTrip(req) // a Transport follows no redirects and keeps no cookies
	if err != nil {
		return answer{}, withoutAnswer(err)
	}
	defer res.Body.Close() // an unread rest makes the transport drop the stream or the connection
	body, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax+1))
	switch {
	case err != nil:
		return answer{}, withoutAnswer(err)
	case len(body) > answerBytesMax:
		return answer{}, nonsensical("an answer of more than %d bytes", answerBytesMax)
	case res.StatusCode == http.StatusNotFound:
		return answer{lifetime: lifetimeOf(res.Header)}, nil
	case res.StatusCode != http.StatusOK:
		return answer{}, oob.Faultf(oob.PeerFailed, "an answer with status %d", res.StatusCode)
	}
	spcs, err := readSPCs(body)
	return answer{spcs, lifetimeOf(res.Header)}, err
}

// withoutAnswer keeps of an error what cannot repeat the number: a server may send anything in place of HTTP, and errors of
// the transport quote it.
func withoutAnswer(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return oob.Faultf(oob.PeerFailed, "the TLS certificate of the server is not trusted")
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() || errors.Is(err, context.Canceled) {
		return oob.Faultf(oob.PeerTimeout, "the server does not answer in time")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("the server cannot be reached: %w", op)
	}
	return errors.New("the server cannot be reached, or does not speak HTTP")
}

func readSPCs(body []byte) ([]string, error) {
	var spcs []string
	found := false
	err := jws.Object(body, depthMax, func(name string, value jws.Value) error {
		if name != "spc" {
			return nil
		}
		found = true
		if one, ok := jws.String(value); ok {
			spcs = []string{one}
			return nil
		}
		several, ok := jws.Strings(value, SPCsMax)
		if !ok {
			return errors.New("spc is neither a text nor a list of few texts")
		}
		spcs = several
		return nil
	})
	switch {
	case err != nil:
		return nil, nonsense{oob.Faultf(oob.PeerFailed, "an answer that cannot be read").Because(err)}
	case !found:
		return nil, nonsensical("an answer without spc")
	}
	return spcs, nil
}

func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", oob.Faultf(oob.Internal, "").Because(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, tokenBytesMax+1))
	token := string(bytes.TrimSpace(text))
	if err != nil || len(text) > tokenBytesMax || !isLine(token) {
		return "", oob.Faultf(oob.Internal, "").Because(errors.New("the file with the token does not hold one line of text"))
	}
	return token, nil
}

// isLine reports whether a text can stand in a header field.
func isLine(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// lifetimeOf is how long an answer may be believed (RFC 9111 §5.2.2): its max-age, less the Age that it has; nothing if it
// must not be kept; -1 if it does not say.
func lifetimeOf(h http.Header) time.Duration {
	lifetime := time.Duration(-1)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			lifetime = seconds(strings.Trim(value, `"`))
		}
	}
	if lifetime <= 0 {
		return lifetime
	}
	return max(0, lifetime-seconds(h.Get("Age")))
}

// seconds reads a number of seconds, as many as make sense here; 0 for what is none.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(n, 1<<31)) * time.Second
}
