package atis

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// depthMax is how deep a body or an access token may nest.
const depthMax = wire.DepthMax

// ReadPublish reads the body of a publish. Members other than passports are passed over.
func ReadPublish(body []byte) ([]string, error) {
	passports, err := wire.ReadPassports(body, oob.PassportsMax)
	if err != nil {
		return nil, err
	}
	if len(passports) == 0 {
		return nil, oob.Faultf(oob.Malformed, "passports is empty")
	}
	return passports, nil
}

// WritePublish is the body of a publish.
func WritePublish(passports []string) []byte { return wire.WritePassports(passports) }

// ReadRetrieved reads the answer to a retrieve. Members other than passports, such as tokens, are passed over.
func ReadRetrieved(body []byte) ([]string, error) {
	return wire.ReadPassports(body, wire.RetrievedMax)
}

// WriteRetrieved is the answer to a retrieve: the PASSporTs of the records, in their order, as many as an answer may
// hold.
func WriteRetrieved(records []oob.Record) []byte { return wire.WriteRetrieved(records) }

// AppendRetrieved appends what WriteRetrieved writes.
func AppendRetrieved(dst []byte, records []oob.Record) []byte {
	return wire.AppendRetrieved(dst, records)
}

// Digest is the value of the claim passports: SHA-256 over the canonical JSON (RFC 8785) of the array as parsed, so
// that white space in the body does not matter, in standard Base64 with padding (ATIS-1000096 §7).
func Digest(passports []string) string {
	var room [2 << 10]byte // enough for most; saves an allocation
	sum := sha256.Sum256(wire.AppendArray(room[:0], passports))
	text := append(make([]byte, 0, 64), "sha256-"...)
	return string(base64.StdEncoding.AppendEncode(text, sum[:]))
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
	return wire.FaultOf(status, slug, message)
}
