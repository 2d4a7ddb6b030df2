package atis

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
)

// depthMax is how deep a body or an access token may nest. Both forms need three levels.
const depthMax = 8

// ReadPublish reads the body of a publish. Members other than passports are passed over.
func ReadPublish(body []byte) ([]string, error) {
	passports, err := readPassports(body, oob.PassportsMax)
	if err != nil {
		return nil, err
	}
	if len(passports) == 0 {
		return nil, oob.Faultf(oob.Malformed, "passports is empty")
	}
	return passports, nil
}

// WritePublish is the body of a publish.
func WritePublish(passports []string) []byte {
	return append(append([]byte(`{"passports":`), list(passports)...), '}')
}

// ReadRetrieved reads the answer to a retrieve. Members other than passports, such as tokens, are passed over.
func ReadRetrieved(body []byte) ([]string, error) {
	return readPassports(body, retrievedMax)
}

// retrievedMax bounds the PASSporTs in an answer; see oob.RetrievedBytesMax for its bytes.
const retrievedMax = 1024

// WriteRetrieved is the answer to a retrieve: the PASSporTs of the records, in their order, as many as an answer may
// hold.
func WriteRetrieved(records []oob.Record) []byte {
	var passports []string
	size := len(`{"passports":[]}`)
	for _, r := range records {
		for _, p := range r.Passports {
			if size += len(p) + len(`"",`); size > oob.RetrievedBytesMax || len(passports) == retrievedMax {
				return WritePublish(passports)
			}
			passports = append(passports, p)
		}
	}
	return WritePublish(passports)
}

func readPassports(body []byte, most int) ([]string, error) {
	var passports []string
	found := false
	err := jws.Object(body, depthMax, func(name string, value jws.Value) error {
		if name != "passports" {
			return nil
		}
		found = true
		var ok bool
		if passports, ok = jws.Strings(value, most); ok {
			return nil
		}
		if _, tooMany := jws.Strings(value, len(value)); tooMany {
			return oob.Faultf(oob.TooLarge, "more than %d PASSporTs", most)
		}
		return oob.Faultf(oob.Malformed, "passports is not an array of strings")
	})
	if errors.Is(err, jws.ErrJSON) {
		return nil, oob.Faultf(oob.Malformed, "the body is not a JSON object, or has a member twice").Because(err)
	}
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, oob.Faultf(oob.Malformed, "passports is missing")
	}
	for _, p := range passports {
		if len(p) > oob.PassportBytesMax {
			return nil, oob.Faultf(oob.TooLarge, "a PASSporT is longer than %d bytes", oob.PassportBytesMax)
		}
		if !isCompact(p) {
			return nil, oob.Faultf(oob.Malformed, "an element of passports is not a compact JWS")
		}
	}
	return passports, nil
}

// isCompact admits three segments of base64url characters and nothing else (RFC 7515 §7.1): what is stored or served
// cannot break out of a JSON string, a header or a log line.
func isCompact(s string) bool {
	dots := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c == '.':
			dots++
		case (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_':
			return false
		}
	}
	return dots == 2
}

// Digest is the value of the claim passports: SHA-256 over the canonical JSON (RFC 8785) of the array as parsed, so
// that white space in the body does not matter, in standard Base64 with padding (ATIS-1000096 §7).
func Digest(passports []string) string {
	sum := sha256.Sum256(list(passports))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// list is the canonical JSON of an array of strings.
func list(texts []string) []byte {
	size := 2
	for _, s := range texts {
		size += len(s) + 3
	}
	out := append(make([]byte, 0, size), '[')
	for i, s := range texts {
		if i > 0 {
			out = append(out, ',')
		}
		out = jws.AppendString(out, s)
	}
	return append(out, ']')
}

// WriteStatus is the body of every answer that carries no PASSporTs. The member fault is ours: it lets a client of ours
// know the exact kind; other clients print the body and never read it.
func WriteStatus(status int, message, fault string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"status":` + strconv.Itoa(status) + `,"message":`)
	b.Write(jws.AppendString(nil, strings.ToValidUTF8(message, "?")))
	if fault != "" {
		b.WriteString(`,"fault":`)
		b.Write(jws.AppendString(nil, fault))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// ReadFault makes the Fault that an answer with an error status stands for. The kind is that of the member fault where
// its row has this status, else the one that the status suggests. The peer's message becomes the cause, for the log.
func ReadFault(status int, body []byte) *oob.Fault {
	var message, slug string
	// A body that cannot be read leaves both empty: the status alone decides.
	_ = jws.Object(body, depthMax, func(name string, value jws.Value) error {
		switch name {
		case "message":
			message, _ = jws.String(value)
		case "fault":
			slug, _ = jws.String(value)
		}
		return nil
	})
	kind, ok := oob.KindOfSlug(slug)
	if !ok || kind.Row().HTTP != status {
		kind = kindOfStatus(status)
	}
	f := oob.Faultf(kind, "the CPS answered %d", status)
	if message != "" {
		_ = f.Because(errors.New(printable(message)))
	}
	return f
}

// kindOfStatus is for CPSs that are not ours (ATIS-1000096 §7 and its sources name these statuses).
func kindOfStatus(status int) oob.Kind {
	switch status {
	case 400:
		return oob.Malformed
	case 401:
		return oob.Unproven
	case 403:
		return oob.Refused
	case 404:
		return oob.NotFound
	case 408:
		return oob.TooSlow
	case 413:
		return oob.TooLarge
	case 415:
		return oob.WrongMedia
	case 429:
		return oob.RateLimited
	case 503:
		return oob.Overloaded
	case 504:
		return oob.PeerTimeout
	}
	return oob.PeerFailed
}

// printable keeps what a peer says from breaking a log line, and short.
func printable(s string) string {
	const lengthMax = 200
	if len(s) > lengthMax {
		s = s[:lengthMax]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}
