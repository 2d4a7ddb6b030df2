package stipa

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
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
)

// List is a list of trusted STI-CAs, read and not yet believed: see [Signers.Check].
type List struct {
	Version  string // as written; judged by nobody, because only one is known
	Sequence uint64
	Issued   time.Time // zero when the list does not say
	Expires  time.Time

	Certificates []*x509.Certificate // of CAs alone, each once, in the order of the list; at least one
	Skipped      Skipped

	signed *Signed
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
	signed, err := ParseSigned(compact, ListBytesMax)
	if err != nil {
		return nil, err
	}
	l := &List{signed: signed}
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
	err := ReadMembers(body, map[string]func(jws.Value) bool{
		"status": Text(&status),
		"caList": Text(&compact),
	}, "status", "caList")
	if err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if status != "success" {
		return "", fmt.Errorf("%w: the answer is no success", Malformed)
	}
	return compact, nil
}

func (l *List) readPayload() (entries []string, err error) {
	err = ReadMembers(l.signed.Payload(), map[string]func(jws.Value) bool{
		"version": func(v jws.Value) bool {
			l.Version = strings.Trim(string(v), `"`)
			return len(v) <= versionBytesMax
		},
		"sequence": func(v jws.Value) bool {
			n, err := strconv.ParseUint(string(v), 10, 64)
			l.Sequence = n
			return err == nil
		},
		"iat":       Seconds(&l.Issued),
		"exp":       Seconds(&l.Expires),
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
