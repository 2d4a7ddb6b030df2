package sipgw

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

// call reads the request by the rules of its trunk.
func (a *asking) call() dip.Call {
	r := a.request
	call := dip.Call{ID: callID(r), Carried: r.Values("Identity"), Trace: a.trace}
	call.Parties = a.trunk.Numbering.FromSIP(Signalling(r))
	call.Date = a.date()
	if a.trunk.Mode.Signs() {
		call.Attest = a.attest()
		if a.trunk.Signing.TakeOrigID {
			call.OrigID = a.origID()
		}
	}
	// The media at the other end of a TDM trunk have keys of their own, if any.
	if a.trunk.Mode == trunk.Sign || a.trunk.Mode == trunk.Verify && len(call.Carried) > 0 {
		call.Fingerprints = a.fingerprints()
	}
	call.Priorities = a.priorities()
	return call
}

// callID tells the call from all others, as stivs.Call asks for: who sent it, the From tag, and the Call-ID. The former two have
// no spaces, so that no two calls have the same text. One that is too long is named by its digest.
func callID(r *siptx.Request) string {
	id := r.Source.Addr().String() + " " + r.FromTag() + " " + r.CallID()
	if len(id) <= stivs.IDBytesMax {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256 " + hex.EncodeToString(sum[:])
}

// dateLayout is that of a Date header field value (RFC 3261 §20.17).
const dateLayout = "Mon, 02 Jan 2006 15:04:05 GMT"

// date is that of the request; zero where it has none, two, or one that cannot be read.
func (a *asking) date() time.Time {
	values := a.request.Values("Date")
	if len(values) == 0 {
		return time.Time{}
	}
	date, err := time.Parse(dateLayout, values[0])
	if err != nil || len(values) > 1 {
		a.unread("Date")
		return time.Time{}
	}
	return date
}

// unread notes a header field that counts as absent.
func (a *asking) unread(field string) {
	a.tally.unread.Add(1)
	a.trace.Step("not read", field)
}

// asksAttest are the header fields in which switches ask for an attestation: 3GPP's, and those that were there
// before it.
var asksAttest = [...]string{"Attestation-Info", "P-Attestation-Info", "Attestation", "P-Attestation-Indicator"}

// attest is what the switch asks for; the least where it says several.
func (a *asking) attest() (asked passport.Attestation) {
	for _, name := range asksAttest {
		switch value := a.request.Value(name); value {
		case "":
		case "A", "B", "C", "a", "b", "c":
			asked = max(asked, passport.Attestation(strings.ToUpper(value)))
		default:
			a.unread(name)
		}
	}
	return asked
}

// asksOrigID are the header fields in which switches give an origid. Names compare without regard to case.
var asksOrigID = [...]string{"Origination-Id", "P-Origination-Id"}

// origID is what the switch asks for: a UUID (RFC 8588 §5).
func (a *asking) origID() string {
	for _, name := range asksOrigID {
		value := a.request.Value(name)
		if value == "" {
			continue
		}
		if uuid.Is(value) {
			return value
		}
		a.unread(name)
	}
	return ""
}

// priorities are the r-values of Resource-Priority, in lower case (RFC 4412 §3.1).
func (a *asking) priorities() []string {
	values := a.request.Values("Resource-Priority")
	if len(values) == 0 {
		return nil
	}
	list, whole := splitList(values)
	if !whole {
		a.unread("Resource-Priority")
	}
	var priorities []string
	for _, value := range list {
		value = strings.ToLower(strings.Trim(value, " \t"))
		if namespace, priority, found := strings.Cut(value, "."); found && isToken(namespace) && isToken(priority) {
			priorities = append(priorities, value)
		}
	}
	return priorities
}

// fingerprints are those of the keys of the media in the SDP (RFC 8122 §5), each once; nil where there are none, or where they
// are more than a PASSporT can hold.
func (a *asking) fingerprints() (keys []passport.KeyDigest) {
	kind := strings.ToLower(a.request.Value("Content-Type"))
	if !strings.HasPrefix(kind, "application/sdp") && !strings.HasPrefix(kind, "multipart/") {
		return nil
	}
	for line := range strings.Lines(a.request.Body()) {
		value, found := strings.CutPrefix(line, "a=fingerprint:")
		if !found {
			continue
		}
		key, ok := readFingerprint(value)
		if !ok || len(keys) == FingerprintsMax {
			a.unread("a=fingerprint")
			return nil
		}
		keys = appendOnce(keys, key)
	}
	return keys
}

func appendOnce(keys []passport.KeyDigest, key passport.KeyDigest) []passport.KeyDigest {
	for _, known := range keys {
		if known == key {
			return keys
		}
	}
	return append(keys, key)
}

// digestBytesMax bounds a fingerprint: SHA-512 has 64.
const digestBytesMax = 64

func readFingerprint(value string) (key passport.KeyDigest, ok bool) {
	algorithm, digest, _ := strings.Cut(strings.Trim(value, " \t\r\n"), " ")
	digest = strings.ReplaceAll(strings.Trim(digest, " \t"), ":", "")
	if _, err := hex.DecodeString(digest); err != nil || digest == "" || len(digest) > 2*digestBytesMax || !isToken(algorithm) {
		return passport.KeyDigest{}, false
	}
	return passport.KeyDigest{Alg: strings.ToLower(algorithm), Dig: strings.ToUpper(digest)}, true
}
