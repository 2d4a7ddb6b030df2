// Package wire is what the dialects of a CPS have in common: the two ways in which PASSporTs travel, as a JSON array and
// line by line, the name of one in a path, and what an HTTP status says where nothing else does.
//
// Knows: bytes and nouns. Never hears of: which form is spoken, who may do what, where records lie, sockets, signatures.
//
// # Failures
//
// Whatever cannot be read is an *oob.Fault of kind Malformed or TooLarge, whose detail names the part and never its value.
//
// # Limits
//
// Those of package oob hold for what is read and for what is written: an answer ends before it exceeds
// oob.RetrievedBytesMax, so that nobody can make it too large to be read by publishing more.
package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
)

// DepthMax is how deep the JSON of a dialect may nest. All of them need three levels.
const DepthMax = 8

// RetrievedMax bounds the PASSporTs in an answer; see oob.RetrievedBytesMax for its bytes.
const RetrievedMax = 1024

// ReadPassports reads {"passports":["…"]} with at most most PASSporTs, none among them. Other members are passed over.
func ReadPassports(body []byte, most int) ([]string, error) {
	var passports []string
	found := false
	err := jws.Object(body, DepthMax, func(name string, value jws.Value) error {
		if name != "passports" {
			return nil
		}
		found = true
		var err error
		passports, err = ReadArray(value, most)
		return err
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
	return passports, nil
}

// ReadArray reads the value of a member passports.
func ReadArray(value jws.Value, most int) ([]string, error) {
	passports, ok := jws.Strings(value, most)
	if !ok {
		if _, tooMany := jws.Strings(value, len(value)); tooMany {
			return nil, tooManyPassports(most)
		}
		return nil, oob.Faultf(oob.Malformed, "passports is not an array of strings")
	}
	if err := checkElements(passports); err != nil {
		return nil, err
	}
	return passports, nil
}

// WritePassports is the way back from [ReadPassports].
func WritePassports(passports []string) []byte {
	size := len(`{"passports":[]}`)
	for _, p := range passports {
		size += len(p) + len(`"",`)
	}
	return append(AppendArray(append(make([]byte, 0, size), `{"passports":`...), passports), '}')
}

// WriteRetrieved is the answer that holds the PASSporTs of records, in their order. Where they are more than an answer may
// hold it has the first of each record, then the second of each, and so on: one with many and long ones pushes out nobody
// else's.
func WriteRetrieved(records []oob.Record) []byte { return AppendRetrieved(nil, records) }

// AppendRetrieved appends what WriteRetrieved writes.
func AppendRetrieved(dst []byte, records []oob.Record) []byte {
	passports := make([]string, 0, len(records))
	size := len(`{"passports":[]}`)
	for _, r := range records {
		passports = append(passports, r.Passports...)
		for _, p := range r.Passports {
			size += len(p) + len(`"",`)
		}
	}
	if size > oob.RetrievedBytesMax || len(passports) > RetrievedMax {
		passports = inTurn(records)
	}
	return append(AppendArray(append(dst, `{"passports":`...), passports), '}')
}

// inTurn are as many PASSporTs as an answer may hold, one of each record in turn.
func inTurn(records []oob.Record) []string {
	var passports []string
	size := len(`{"passports":[]}`)
	for turn := range oob.PassportsMax {
		for _, r := range records {
			if turn >= len(r.Passports) || len(passports) == RetrievedMax {
				continue
			}
			if p := r.Passports[turn]; size+len(p)+len(`"",`) <= oob.RetrievedBytesMax {
				size += len(p) + len(`"",`)
				passports = append(passports, p)
			}
		}
	}
	return passports
}

// AppendArray appends the canonical JSON (RFC 8785) of an array of strings.
func AppendArray(dst []byte, texts []string) []byte {
	size := 2
	for _, s := range texts {
		size += len(s) + 3
	}
	dst = append(slices.Grow(dst, size), '[')
	for i, s := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jws.AppendString(dst, s)
	}
	return append(dst, ']')
}

// PassportMedia is the media type of a body of one PASSporT (RFC 8225 §10.1). The company form has several, one a line;
// that is taken everywhere, for a shaken and its div.
const PassportMedia = "application/passport"

// ReadLines reads a body of PASSporTs, 1 to oob.PassportsMax, one a line. Lines end with LF or CRLF, the last one need
// not; empty lines are passed over.
func ReadLines(body []byte) ([]string, error) {
	var passports []string
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		if len(passports) == oob.PassportsMax {
			return nil, tooManyPassports(oob.PassportsMax)
		}
		p := string(line)
		if err := checkPassport(p, "a line of the body"); err != nil {
			return nil, err
		}
		passports = append(passports, p)
	}
	if len(passports) == 0 {
		return nil, oob.Faultf(oob.Malformed, "the body has no PASSporT")
	}
	return passports, nil
}

// WriteLines is the way back from [ReadLines]. One PASSporT alone is the body, with nothing behind it.
func WriteLines(passports []string) []byte {
	var body []byte
	for i, p := range passports {
		if i > 0 {
			body = append(body, '\n')
		}
		body = append(body, p...)
	}
	return body
}

// CheckPublication refuses what no CPS would take: none or too many PASSporTs, or one that is none or too long.
func CheckPublication(passports []string) error {
	switch {
	case len(passports) == 0:
		return oob.Faultf(oob.Malformed, "passports is empty")
	case len(passports) > oob.PassportsMax:
		return tooManyPassports(oob.PassportsMax)
	}
	return checkElements(passports)
}

func checkElements(passports []string) error {
	for _, p := range passports {
		if err := checkPassport(p, "an element of passports"); err != nil {
			return err
		}
	}
	return nil
}

func tooManyPassports(most int) error {
	return oob.Faultf(oob.TooLarge, "more than %d PASSporTs", most)
}

func checkPassport(p, what string) error {
	if len(p) > oob.PassportBytesMax {
		return oob.Faultf(oob.TooLarge, "a PASSporT is longer than %d bytes", oob.PassportBytesMax)
	}
	if !isCompact(p) {
		return oob.Faultf(oob.Malformed, "%s is not a compact JWS", what)
	}
	return nil
}

// isCompact admits three segments of base64url characters and nothing else (RFC 7515 §7.1): what is stored or served
// cannot break out of a JSON string, a header or a log line.
func isCompact(s string) bool {
	dots := 0
	for i := range len(s) {
		switch compactBytes[s[i]] {
		case 0:
			return false
		case '.':
			dots++
		}
	}
	return dots == 2
}

// compactBytes has a byte that is not 0 where a compact JWS may have one: a dot, or anything else. Every PASSporT that is
// published is gone through, and comparisons cost twice as much.
var compactBytes = func() (bytes [256]byte) {
	for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_." {
		bytes[c] = byte(c)
	}
	return bytes
}()

// ReadID reads the name of a PASSporT in a path, see oob.PassportID.
func ReadID(segment string) (string, error) {
	if hash, err := base64.RawURLEncoding.Strict().DecodeString(segment); err != nil || len(hash) != 16 {
		return "", oob.Faultf(oob.Malformed, "the last segment of the path names no PASSporT")
	}
	return segment, nil
}

// spcLengthMax bounds an SPC in a path or a claim; all that are in use have 4 characters.
const spcLengthMax = 32

// IsSPC accepts a service provider code as it can stand in a path: letters and digits. All that are in use are such.
func IsSPC(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= spcLengthMax
}
