package stipa

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wholefile"
)

// Limits of what comes from a source beside the document itself.
const (
	headerBytesMax = 16 << 10 // header of an answer
	secretBytesMax = 4 << 10  // file with a password or an Authorization field, and the token that a login gives
	loginBytesMax  = 64 << 10 // answer to a login
)

// Source says where a document comes from: a URL or a file.
type Source struct {
	File string // read instead of a URL

	URL    string // https alone. It is the operator's, so that its host may have any address and port
	Accept string // media type to ask for

	// AuthorizationFile holds the value of the Authorization field. It is read for every request, so that what is in it can
	// change at any time. Empty for none.
	AuthorizationFile string
	Login             *Login // instead of AuthorizationFile

	Roots *x509.CertPool // for TLS; nil for the system's
}

// Login is how the interface of the STI-PA gives out what its Authorization field wants: POST of userId and password,
// answered by an accessToken.
type Login struct {
	URL          string // https alone
	User         string
	PasswordFile string // read for every login
}

// Check says what is wrong with a source, as far as its text says.
func (s Source) Check() error {
	switch {
	case (s.URL == "") == (s.File == ""):
		return errors.New("a document comes from a URL or from a file, one of the two")
	case s.File != "":
		if s.AuthorizationFile != "" || s.Login != nil {
			return errors.New("a file needs no authorization")
		}
		return nil
	case s.AuthorizationFile != "" && s.Login != nil:
		return errors.New("an authorization file and a login exclude each other")
	}
	if s.Login != nil {
		if err := checkURL(s.Login.URL); err != nil || s.Login.User == "" || s.Login.PasswordFile == "" {
			return errors.Join(errors.New("a login needs a URL, a user and a password file"), err)
		}
	}
	return checkURL(s.URL)
}

func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return errors.New("a URL is https://host[:port]/path, without user and fragment")
	}
	return nil
}

// reader reads a source, again and again. It uses no proxy, follows no redirect and keeps no cookie.
type reader struct {
	source    Source
	bytesMax  int64
	timeout   time.Duration // of all requests for one document together
	transport *http.Transport
}

func newReader(s Source, bytesMax int64, timeout time.Duration) *reader {
	return &reader{source: s, bytesMax: bytesMax, timeout: timeout, transport: &http.Transport{
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots},
		TLSHandshakeTimeout:    timeout,
		ForceAttemptHTTP2:      true,
		DisableKeepAlives:      true, // a request an hour
		DisableCompression:     true, // the limit on size is one on what is sent
		MaxResponseHeaderBytes: headerBytesMax,
	}}
}

// read gets the document as it is now.
func (r *reader) read(ctx context.Context) ([]byte, error) {
	if r.source.File != "" {
		body, err := wholefile.Read(r.source.File, r.bytesMax)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", Unreachable, err)
		}
		return body, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	header := http.Header{"User-Agent": {"viaduct"}, "Accept": {r.source.Accept}}
	authorization, err := r.authorization(ctx)
	if err != nil {
		return nil, err
	}
	if authorization != "" {
		header.Set("Authorization", authorization)
	}
	return r.ask(ctx, http.MethodGet, r.source.URL, header, nil, r.bytesMax)
}

func (r *reader) authorization(ctx context.Context) (string, error) {
	switch {
	case r.source.Login != nil:
		return r.login(ctx, r.source.Login)
	case r.source.AuthorizationFile != "":
		return readSecret(r.source.AuthorizationFile)
	}
	return "", nil
}

func (r *reader) login(ctx context.Context, l *Login) (string, error) {
	password, err := readSecret(l.PasswordFile)
	if err != nil {
		return "", err
	}
	request, err := json.Marshal(map[string]string{"userId": l.User, "password": password})
	if err != nil {
		return "", fmt.Errorf("%w: login: %w", Unreachable, err)
	}
	header := http.Header{"User-Agent": {"viaduct"}, "Accept": {"application/json"}, "Content-Type": {"application/json"}}
	answer, err := r.ask(ctx, http.MethodPost, l.URL, header, request, loginBytesMax)
	if err != nil {
		return "", fmt.Errorf("login: %w", err)
	}
	var status, token string
	err = ReadMembers(answer, map[string]func(jws.Value) bool{"status": Text(&status), "accessToken": Text(&token)}, "status", "accessToken")
	if err != nil || status != "success" || !isSecret(token) {
		return "", fmt.Errorf("%w: no token for the login", WrongAnswer) // err may say what stands in the answer
	}
	return token, nil
}

// ask makes one request. A Transport follows no redirects.
func (r *reader) ask(ctx context.Context, method, to string, header http.Header, request []byte, bytesMax int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(request))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Unreachable, err)
	}
	req.Header = header
	res, err := r.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", Unreachable, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", WrongAnswer, res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, bytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("%w: the answer broke off: %w", Unreachable, err)
	}
	if int64(len(body)) > bytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", WrongAnswer, bytesMax)
	}
	return body, nil
}

// readSecret reads a file with a secret in one line.
func readSecret(name string) (string, error) {
	text, err := wholefile.Read(name, secretBytesMax)
	if err != nil {
		return "", fmt.Errorf("%w: %w", Unreachable, err)
	}
	secret := string(bytes.TrimSpace(text))
	if !isSecret(secret) {
		return "", fmt.Errorf("%w: %s: not one line of text", Unreachable, name)
	}
	return secret, nil
}

// isSecret tells whether a text can be the value of a header field.
func isSecret(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] == 0x7f {
			return false
		}
	}
	return text != "" && len(text) <= secretBytesMax
}
