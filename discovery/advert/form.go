package advert

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

const (
	typ      = "cps-advertisement"
	depthMax = 3 // nesting of JSON; the payload needs two
	seqMax   = 1<<53 - 1
)

// Signer is who signs, and where its certificate is: one of X5U and X5C.
type Signer struct {
	Key crypto.Signer // on P-256
	X5U string
	X5C []*x509.Certificate // the chain, the leaf first
}

// Sign makes an advertisement.
func Sign(s Signer, a Advertisement) (string, error) {
	header, err := s.header()
	if err != nil {
		return "", err
	}
	payload, err := a.payload()
	if err != nil {
		return "", err
	}
	if jws.SignedLength(header, payload) > BytesMax {
		return "", fmt.Errorf("%w: more than %d bytes", TooLong, BytesMax)
	}
	return jws.Sign(s.Key, header, payload)
}

func (s Signer) header() ([]byte, error) {
	if s.Key == nil || (s.X5U == "") == (len(s.X5C) == 0) {
		return nil, errors.New("a signer has a key, and its certificate in one of x5u and x5c")
	}
	b := []byte(`{"alg":"ES256","typ":"` + typ + `",`)
	if s.X5U != "" {
		b = jws.AppendString(append(b, `"x5u":`...), s.X5U)
		return append(b, '}'), nil
	}
	b = append(b, `"x5c":[`...)
	for i, cert := range s.X5C {
		if i > 0 {
			b = append(b, ',')
		}
		b = jws.AppendString(b, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return append(b, `]}`...), nil
}

func (a Advertisement) payload() ([]byte, error) {
	switch {
	case len(a.Entries) == 0 || len(a.Entries) > EntriesMax:
		return nil, fmt.Errorf("%w: %d members, must be 1 to %d", TooLong, len(a.Entries), EntriesMax)
	case !a.Expires.After(a.Issued) || a.Issued.Unix() < 0:
		return nil, BadTimes
	case a.Seq > seqMax:
		return nil, fmt.Errorf("%w: seq is beyond 2^53", Malformed)
	}
	entries := slices.SortedFunc(slices.Values(a.Entries), byResource)
	b := fmt.Appendf(nil, `{"iat":%d,"exp":%d,"seq":%d,"cps":{`, a.Issued.Unix(), a.Expires.Unix(), a.Seq)
	for i, entry := range entries {
		if i > 0 {
			if entry.Resource == entries[i-1].Resource {
				return nil, fmt.Errorf("%w: a resource stands twice", Malformed)
			}
			b = append(b, ',')
		}
		url, err := discovery.BaseURL(entry.URL)
		if err != nil || entry.Resource.IsZero() {
			return nil, fmt.Errorf("%w: a member is not a resource and a URL", Malformed)
		}
		b = jws.AppendString(b, entry.Resource.String())
		b = jws.AppendString(append(b, ':'), url)
	}
	return append(b, `}}`...), nil
}

func byResource(a, b Entry) int { return cmp.Compare(a.Resource.String(), b.Resource.String()) }

// Signed is an advertisement that was read, and is not believed yet: see [Checker.Check].
type Signed struct {
	Advertisement

	compact string
	token   jws.Token
	x5u     string
	x5c     []string
}

// Parse reads one advertisement. It insists on ES256, on its type, on iat, exp and seq, on one to EntriesMax members in
// their one form, each once, and on URLs such as discovery.BaseURL has it. Members of header and payload that it does not
// know are passed over, but for crit.
func Parse(compact string) (*Signed, error) {
	if len(compact) > BytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", TooLong, BytesMax)
	}
	s := &Signed{compact: compact}
	var err error
	if s.token, err = jws.Split(compact, BytesMax); err != nil {
		return nil, malformed(err)
	}
	if err := s.readHeader(); err != nil {
		return nil, err
	}
	if err := s.readPayload(); err != nil {
		return nil, err
	}
	return s, nil
}

// malformed leaves an error that is typed as it is.
func malformed(err error) error {
	if _, typed := errors.AsType[Problem](err); typed {
		return err
	}
	return fmt.Errorf("%w: %w", Malformed, err)
}

func notAsItShouldBe(name string) error {
	return fmt.Errorf("%w: %s is not as it should be, or missing", Malformed, name)
}

func (s *Signed) readHeader() error {
	var alg, kind string
	err := jws.Object(s.token.Header, depthMax, func(name string, v jws.Value) error {
		ok := true
		switch name {
		case "alg":
			alg, ok = jws.String(v)
		case "typ":
			kind, ok = jws.String(v)
		case "x5u":
			s.x5u, ok = jws.String(v)
		case "x5c":
			s.x5c, ok = jws.Strings(v, stircert.ChainCertificatesMax)
		case "crit": // RFC 7515 §4.1.11: what must be understood is not
			ok = false
		}
		if !ok {
			return notAsItShouldBe(name)
		}
		return nil
	})
	switch {
	case err != nil:
		return malformed(err)
	case alg != "ES256":
		return notAsItShouldBe("alg")
	case !strings.EqualFold(kind, typ):
		return notAsItShouldBe("typ")
	case (s.x5u == "") == (len(s.x5c) == 0):
		return fmt.Errorf("%w: not one of x5u and x5c", Malformed)
	}
	return nil
}

func (s *Signed) readPayload() error {
	there := 0
	err := jws.Object(s.token.Payload, depthMax, func(name string, v jws.Value) error {
		ok, err := true, error(nil)
		there++
		switch name {
		case "iat":
			s.Issued, ok = instant(v)
		case "exp":
			s.Expires, ok = instant(v)
		case "seq":
			s.Seq, ok = sequence(v)
		case "cps":
			err = s.readEntries(v)
		default:
			there--
		}
		if !ok {
			return notAsItShouldBe(name)
		}
		return err
	})
	switch {
	case err != nil:
		return malformed(err)
	case there != 4: // no name stands twice
		return fmt.Errorf("%w: one of iat, exp, seq and cps is missing", Malformed)
	case len(s.Entries) == 0:
		return fmt.Errorf("%w: no members", Malformed)
	case !s.Expires.After(s.Issued):
		return BadTimes
	}
	return nil
}

func instant(v jws.Value) (time.Time, bool) {
	n, ok := jws.Seconds(v)
	return time.Unix(n, 0), ok
}

func sequence(v jws.Value) (uint64, bool) {
	n, err := strconv.ParseUint(string(v), 10, 64)
	return n, err == nil && n <= seqMax
}

func (s *Signed) readEntries(v jws.Value) error {
	urls := map[string]string{} // as they are written: most members have the same
	return jws.Object(v, depthMax, func(name string, v jws.Value) error {
		if len(s.Entries) == EntriesMax {
			return fmt.Errorf("%w: more than %d members", TooLong, EntriesMax)
		}
		resource, err := stircert.ParseResource(name)
		if err != nil {
			return err
		}
		text, ok := jws.String(v)
		if !ok {
			return fmt.Errorf("%w: a URL is not a string", Malformed)
		}
		url, known := urls[text]
		if !known {
			if url, err = discovery.BaseURL(text); err != nil {
				return err
			}
			urls[text] = url
		}
		s.Entries = append(s.Entries, Entry{resource, url})
		return nil
	})
}

// setID is a signer and a set of resources.
type setID [sha256.Size]byte

// set is the same for the advertisements of one signer of one set of resources.
func (s *Signed) set(signer string) (id setID) {
	entries := slices.SortedFunc(slices.Values(s.Entries), byResource)
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(signer), signer)
	for _, entry := range entries {
		fmt.Fprintf(h, "\n%s", entry.Resource)
	}
	h.Sum(id[:0])
	return id
}

// chain gives the certificates of x5c.
func (s *Signed) chain() (*trust.Chain, error) {
	certs := make([]*x509.Certificate, len(s.x5c))
	for i, entry := range s.x5c {
		der, err := base64.StdEncoding.Strict().DecodeString(entry)
		if err == nil {
			certs[i], err = stircert.ParseX509(der)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: x5c: entry %d is no certificate", Malformed, i+1)
		}
	}
	return trust.NewChain(certs), nil
}

// Lines cuts a document into advertisements. Blank lines are passed over.
func Lines(document []byte) ([]string, error) {
	if len(document) > DocumentBytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", TooLong, DocumentBytesMax)
	}
	var lines []string
	for line := range bytes.Lines(document) {
		text := string(bytes.TrimSpace(line))
		if text == "" {
			continue
		}
		if lines = append(lines, text); len(lines) > LinesMax {
			return nil, fmt.Errorf("%w: more than %d lines", TooLong, LinesMax)
		}
	}
	return lines, nil
}
