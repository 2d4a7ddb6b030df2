package stipa

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// Limits of a list. The United States list has about two dozen entries, and less than 64 KiB.
const (
	ListBytesMax = 4 << 20          // in the form in which it is served
	EntriesMax   = trust.AnchorsMax // usable or not
)

const (
	entryBytesMax   = 16 << 10 // of one entry; a longer one is passed over
	versionBytesMax = 32
	depthMax        = 4 // nesting of JSON; the list needs two
)

// List is a list of trusted STI-CAs, read and not yet believed: see [Signers.Check].
type List struct {
	Version  string // as written; judged by nobody, because only one is known
	Sequence uint64
	Issued   time.Time // zero when the list does not say
	Expires  time.Time

	Certificates []*x509.Certificate // of CAs alone, each once, in the order of the list; at least one
	Skipped      Skipped

	token jws.Token
	x5u   string
	x5c   []string
}

// Skipped counts the entries of a list that are not used. One entry that nobody can read must not take all other CAs
// down, and with them the calls of a country; the STI-PA has signed the others all the same.
type Skipped struct {
	Unreadable int // neither PEM nor base64 of a certificate
	NotCA      int // a certificate, but of no CA: it would vouch for nobody
	Repeated   int // a certificate that stands further up
}

// Total is how many entries are not used.
func (s Skipped) Total() int { return s.Unreadable + s.NotCA + s.Repeated }

// Parse reads a list in either of the forms in which an STI-PA serves it: a bare JWT (application/jose+json), and the
// answer {"status": "success", "caList": JWT} of its interface. Nothing is believed yet.
//
// It insists on ES256, on the type JWT (so that nothing else that the key has signed passes for a list), on sequence and
// exp, and on at least one certificate of a CA. Members that it does not know are passed over, but for crit.
func Parse(body []byte) (*List, error) {
	if len(body) > ListBytesMax {
		return nil, fmt.Errorf("%w: more than %d bytes", Malformed, ListBytesMax)
	}
	compact, err := unwrap(bytes.TrimSpace(body))
	if err != nil {
		return nil, err
	}
	l := &List{}
	if l.token, err = jws.Split(compact, ListBytesMax); err != nil {
		return nil, fmt.Errorf("%w: %w", Malformed, err)
	}
	if err := l.readHeader(); err != nil {
		return nil, err
	}
	entries, err := l.readPayload()
	if err != nil {
		return nil, err
	}
	if l.take(entries); len(l.Certificates) == 0 {
		return nil, fmt.Errorf("%w: %d entries", Empty, len(entries))
	}
	return l, nil
}

// unwrap gives the JWT of the answer of an STI-PA's interface; any other body is its own.
func unwrap(body []byte) (string, error) {
	if !bytes.HasPrefix(body, []byte("{")) {
		return string(body), nil
	}
	var status, compact string
	err := readMembers(body, map[string]func(jws.Value) bool{
		"status": text(&status),
		"caList": text(&compact),
	}, "status", "caList")
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if status != "success" {
		return "", fmt.Errorf("%w: the answer is no success", Malformed)
	}
	return compact, nil
}

func (l *List) readHeader() error {
	var alg, typ string
	err := readMembers(l.token.Header, map[string]func(jws.Value) bool{
		"alg":  text(&alg),
		"typ":  text(&typ),
		"x5u":  text(&l.x5u),
		"x5c":  func(v jws.Value) (ok bool) { l.x5c, ok = jws.Strings(v, stircert.ChainCertificatesMax); return ok },
		"crit": func(jws.Value) bool { return false }, // RFC 7515 §4.1.11: what must be understood is not
	}, "alg", "typ")
	switch {
	case err != nil:
		return fmt.Errorf("header: %w", err)
	case alg != "ES256":
		return fmt.Errorf("%w: alg is not ES256", Malformed)
	case !strings.EqualFold(typ, "JWT"): // RFC 7519 §5.1: a media type
		return fmt.Errorf("%w: typ is not JWT", Malformed)
	}
	return nil
}

func (l *List) readPayload() (entries []string, err error) {
	err = readMembers(l.token.Payload, map[string]func(jws.Value) bool{
		"version": func(v jws.Value) bool {
			l.Version = strings.Trim(string(v), `"`)
			return len(v) <= versionBytesMax
		},
		"sequence": func(v jws.Value) bool {
			n, err := strconv.ParseUint(string(v), 10, 64)
			l.Sequence = n
			return err == nil
		},
		"iat":       seconds(&l.Issued),
		"exp":       seconds(&l.Expires),
		"trustList": func(v jws.Value) (ok bool) { entries, ok = jws.Strings(v, EntriesMax); return ok },
	}, "version", "sequence", "exp", "trustList")
	if err != nil {
		return nil, fmt.Errorf("payload: %w", err)
	}
	return entries, nil
}

// take keeps the entries that are certificates of CAs and counts the others.
func (l *List) take(entries []string) {
	seen := make(map[[sha256.Size]byte]bool, len(entries))
	for _, entry := range entries {
		cert := parseEntry(entry)
		if cert == nil {
			l.Skipped.Unreadable++
			continue
		}
		hash := sha256.Sum256(cert.Raw)
		switch {
		case seen[hash]:
			l.Skipped.Repeated++
		case !cert.IsCA:
			l.Skipped.NotCA++
		default:
			l.Certificates = append(l.Certificates, cert)
		}
		seen[hash] = true
	}
}

var whiteSpace = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "")

// parseEntry reads an entry, base64 with or without PEM lines around it, or gives nil. PEM without line breaks is read
// too: whoever puts it into JSON may have lost them.
func parseEntry(entry string) *x509.Certificate {
	if len(entry) > entryBytesMax {
		return nil
	}
	entry = strings.TrimSpace(entry)
	if inner, armored := strings.CutPrefix(entry, "-----BEGIN CERTIFICATE-----"); armored {
		if entry, armored = strings.CutSuffix(inner, "-----END CERTIFICATE-----"); !armored {
			return nil
		}
	}
	der, err := base64.StdEncoding.Strict().DecodeString(whiteSpace.Replace(entry))
	if err != nil {
		return nil
	}
	cert, err := stircert.ParseX509(der)
	if err != nil {
		return nil
	}
	return cert
}

// Content is the same for two lists with the same certificates, however they are written and whenever they were signed:
// an STI-PA may sign anew for every request, and prolong a list without changing it.
func (l *List) Content() [sha256.Size]byte {
	hashes := make([][]byte, len(l.Certificates))
	for i, cert := range l.Certificates {
		hash := sha256.Sum256(cert.Raw)
		hashes[i] = hash[:]
	}
	slices.SortFunc(hashes, bytes.Compare)
	return sha256.Sum256(bytes.Join(hashes, nil))
}

// readMembers reads a JSON object: each member that is known must be as its reader wants it, each that is required must
// be there, and all others are passed over.
func readMembers(data []byte, read map[string]func(jws.Value) bool, required ...string) error {
	there := map[string]bool{}
	err := jws.Object(data, depthMax, func(name string, value jws.Value) error {
		if reader, known := read[name]; known {
			if there[name] = true; !reader(value) {
				return fmt.Errorf("%w: %s is not as it should be", Malformed, name)
			}
		}
		return nil
	})
	if err != nil {
		if _, typed := errors.AsType[Problem](err); !typed {
			err = fmt.Errorf("%w: %w", Malformed, err)
		}
		return err
	}
	for _, name := range required {
		if !there[name] {
			return fmt.Errorf("%w: %s is missing", Malformed, name)
		}
	}
	return nil
}

func text(to *string) func(jws.Value) bool {
	return func(v jws.Value) (ok bool) { *to, ok = jws.String(v); return ok }
}

func seconds(to *time.Time) func(jws.Value) bool {
	return func(v jws.Value) bool {
		n, ok := jws.Seconds(v)
		*to = time.Unix(n, 0)
		return ok
	}
}
