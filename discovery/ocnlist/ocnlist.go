// Package ocnlist reads, signs and uses the list of CPSs that an STI-PA would sign for all providers: which provider code
// has which CPS. It is the one of the contribution of 2020 on out-of-band SHAKEN; no STI-PA is known to publish it.
//
// Knows: the list as a JWT ([Parse], [Sign]), keeping the newest that the STI-PA has signed (package stipa) and finding a CPS
// in it ([Source]). Never hears of: SIP, numbers (a provider code is all that it looks for), TLS.
//
// # Failures
//
// Every refusal wraps a stipa.Problem and comes with the zero value. A list that is refused leaves the one that is held
// where it is.
//
// # Limits
//
// [BytesMax], [EntriesMax].
package ocnlist

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// Limits of a list. There are some thousands of providers in the United States.
const (
	BytesMax   = 4 << 20
	EntriesMax = 100_000
)

const (
	version  = "1.0"
	depthMax = 2
)

// MediaType is asked for and served.
const MediaType = "application/jose"

// List is a list, read and not yet believed: see [Check].
type List struct {
	Sequence uint64
	Expires  time.Time
	CPSs     map[string]string // base URLs, by provider codes
	Skipped  int               // entries that are not used: what is wrong with one must not take all others down

	signed *stipa.Signed
}

// Parse reads a list: a JWT of the type JWT with ES256, and version 1.0, sequence, exp and cpsMapping in it. An entry that is
// not a provider code and the URL of a CPS is passed over, and counted; that none is left is refused. Nothing is believed yet.
func Parse(body []byte) (*List, error) {
	signed, err := stipa.ParseSigned(string(bytes.TrimSpace(body)), BytesMax)
	if err != nil {
		return nil, err
	}
	l := &List{signed: signed, CPSs: make(map[string]string)}
	var form string
	err = stipa.ReadMembers(signed.Payload(), map[string]func(jws.Value) bool{
		"version": stipa.Text(&form),
		"sequence": func(v jws.Value) bool {
			n, err := strconv.ParseUint(string(v), 10, 64)
			l.Sequence = n
			return err == nil
		},
		"exp":        stipa.Seconds(&l.Expires),
		"cpsMapping": func(v jws.Value) bool { return l.readMapping(v) == nil },
	}, "version", "sequence", "exp", "cpsMapping")
	switch {
	case err != nil:
		return nil, fmt.Errorf("payload: %w", err)
	case form != version:
		return nil, fmt.Errorf("%w: the version is not %s", stipa.Malformed, version)
	case len(l.CPSs) == 0:
		return nil, fmt.Errorf("%w: no entry that can be used", stipa.Malformed)
	}
	return l, nil
}

var errTooMany = errors.New("too many entries")

func (l *List) readMapping(v jws.Value) error {
	urls := map[string]string{} // as they are written: one CPS serves many providers
	return jws.Object(v, depthMax, func(ocn string, v jws.Value) error {
		if len(l.CPSs)+l.Skipped == EntriesMax {
			return errTooMany
		}
		text, ok := jws.String(v)
		url, known := urls[text]
		if ok && !known {
			url, _ = discovery.BaseURL(text)
			urls[text] = url
		}
		if _, err := stircert.ResourceOfSPC(ocn); err != nil || !ok || url == "" {
			l.Skipped++
			return nil
		}
		l.CPSs[ocn] = url
		return nil
	})
}

// content is the same for lists that say the same, whenever they were signed.
func (l *List) content() [sha256.Size]byte {
	h := sha256.New()
	for _, ocn := range slices.Sorted(maps.Keys(l.CPSs)) {
		fmt.Fprintf(h, "%s %s\n", ocn, l.CPSs[ocn])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Sign makes a list, as an STI-PA would: sequence grows from one to the next. x5u is where the signer's certificate is.
func Sign(key crypto.Signer, x5u string, sequence uint64, expires time.Time, cpss map[string]string) (string, error) {
	if len(cpss) == 0 || len(cpss) > EntriesMax {
		return "", fmt.Errorf("%w: %d entries, must be 1 to %d", stipa.Malformed, len(cpss), EntriesMax)
	}
	header := append(jws.AppendString([]byte(`{"alg":"ES256","typ":"JWT","x5u":`), x5u), '}')
	payload := fmt.Appendf(nil, `{"version":"%s","sequence":%d,"exp":%d,"cpsMapping":{`, version, sequence, expires.Unix())
	for i, ocn := range slices.Sorted(maps.Keys(cpss)) {
		url, err := discovery.BaseURL(cpss[ocn])
		if _, bad := stircert.ResourceOfSPC(ocn); bad != nil || err != nil {
			return "", fmt.Errorf("%w: an entry is not a provider code and the URL of a CPS", stipa.Malformed)
		}
		if i > 0 {
			payload = append(payload, ',')
		}
		payload = jws.AppendString(payload, ocn)
		payload = jws.AppendString(append(payload, ':'), url)
	}
	payload = append(payload, `}}`...)
	if jws.SignedLength(header, payload) > BytesMax {
		return "", fmt.Errorf("%w: more than %d bytes", stipa.Malformed, BytesMax)
	}
	return jws.Sign(key, header, payload)
}

// ParseMapping reads what is to be signed: lines of a provider code, a comma and the URL of its CPS. Blank lines and those
// that begin with # are passed over. The error tells the line and repeats nothing of it.
func ParseMapping(text []byte) (map[string]string, error) {
	cpss := make(map[string]string)
	n := 0
	for line := range bytes.Lines(text) {
		n++
		row := strings.TrimSpace(string(line))
		if row == "" || row[0] == '#' {
			continue
		}
		ocn, url, _ := strings.Cut(row, ",")
		base, err := discovery.BaseURL(strings.TrimSpace(url))
		if _, bad := stircert.ResourceOfSPC(ocn); bad != nil || err != nil {
			return nil, fmt.Errorf("line %d: not a provider code, a comma and the https URL of its CPS, such as 567B,https://cps.example.net", n)
		}
		if _, twice := cpss[ocn]; twice || len(cpss) == EntriesMax {
			return nil, fmt.Errorf("line %d: the provider code stands further up, too, or there are more than %d", n, EntriesMax)
		}
		cpss[ocn] = base
	}
	return cpss, nil
}
