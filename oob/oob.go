// Package oob holds the nouns of out-of-band PASSporT delivery: what every room of Viaduct talks about, and nothing
// of how it is carried, stored or proved.
//
// Knows: [Key], [Publication], [Record], [Principal], [Access], [Verdict]; the rows in which the published forms of a
// Call Placement Service (CPS) differ ([Profile]); every way to fail ([Kind], [Fault]); the small contracts between
// rooms ([Store], [Publisher], [Retriever]). Never hears of: HTTP, JSON, TLS, SIP, files.
//
// Read oob.go, profiles.go, faults.go, contracts.go, verdict.go, in this order.
package oob

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// Limits that hold on both sides of the wire, so that a client refuses what its CPS would refuse.
const (
	PassportsMax      = 16        // PASSporTs in one publication
	PassportBytesMax  = 8 << 10   // bytes of one PASSporT in compact form
	BodyBytesMax      = 64 << 10  // bytes of one request body; PASSporTs of a publication included
	TokenIDBytesMax   = 128       // bytes of a jti
	RetrievedBytesMax = 256 << 10 // bytes of an answer to a retrieve: all that one call can have, twice
)

// Key is the slot under which records of one call are found. Keys are comparable with ==. In the agreed form SPC is
// the upstream provider, the one who published; in the company form it is the terminating one, who reads; elsewhere it is
// empty.
type Key struct {
	Profile Profile
	SPC     string
	Dest    tn.Identity
	Orig    tn.Identity
}

// Publication is one act of publishing: the PASSporTs of one call, laid under one key.
type Publication struct {
	Key       Key
	Passports []string  // compact form, in the publisher's order; 1 to PassportsMax
	Publisher string    // SPC of who published, proven; empty on the client's side, whose credential says it
	Received  time.Time // by the clock of the CPS; zero on the client's side
	Expires   time.Time // the instant from which it must not be served; zero on the client's side means the CPS's default
	Use       TokenUse  // the access token that was spent on it; zero on the client's side

	// Token is the publisher's access token where the record is to be passed on to other CPSs with it (ATIS-1000096 §7,
	// republish); else empty. The shelf does not keep it.
	Token string
}

// Record is what one publication left under its key.
type Record struct {
	Passports []string
	Publisher string
	Received  time.Time
	Expires   time.Time
}

// Held is a record with the key that it lies under.
type Held struct {
	Key Key
	Record
}

// Consumption is one act of consuming: a reader has no more need of what holds a PASSporT, because its call has come.
type Consumption struct {
	Key      Key
	Passport string    // see PassportID
	By       [8]byte   // who consumes, and at which of his requests: a second with an equal By is his retry
	Until    time.Time // until when the PASSporT could be published again, and so must be kept away
}

// PassportID names a PASSporT where its text would be too long, in paths: the same everywhere, and of no use to whoever
// does not have the PASSporT already. 22 characters of base64url.
func PassportID(compact string) string {
	// Without the signature: whoever has one can make another that verifies as well, with n-s for s.
	if end := strings.LastIndexByte(compact, '.'); end >= 0 {
		compact = compact[:end]
	}
	hash := sha256.Sum256([]byte(compact))
	return base64.RawURLEncoding.EncodeToString(hash[:16])
}

// PassportHash gives the bytes that a PassportID is the text of; false when it is none.
func PassportHash(id string) (hash [16]byte, ok bool) {
	if len(id) != base64.RawURLEncoding.EncodedLen(len(hash)) {
		return hash, false
	}
	_, err := base64.RawURLEncoding.Strict().Decode(hash[:], []byte(id))
	return hash, err == nil
}

// TokenUse is one use of an access token, for the refusal of replays. ID says which token, over action, iss and jti;
// Body says what it was used for. A second use with an equal Body is a client's retry; with another it is a replay.
type TokenUse struct {
	ID    [16]byte
	Body  [8]byte
	Until time.Time // until when the token could be used again, and so must be remembered
}

// Action is what an access token permits (ATIS-1000096 §7, claim action).
type Action string

// The actions. The ATIS forms have the first two, and where CPSs relay (Row.Relayed) the third.
const (
	ActionPublish   Action = "publish"
	ActionRetrieve  Action = "retrieve"
	ActionRepublish Action = "republish" // of a CPS, which passes on what was published to it
	ActionSubscribe Action = "subscribe"
	ActionConsume   Action = "consume"
)

// Access is what a requester has put its signature under: the claims of an access token, as its dialect decoded
// them. Nothing in it is believed until a Principal has been proven with the same token.
type Access struct {
	Action   Action
	Issuer   string    // iss: the signer's SPC
	Subject  string    // sub: the requester's SPC, in the mesh form; empty when absent
	SPC      string    // spc: the publisher's SPC, in the agreed form; empty when absent
	Audience []string  // aud: one name, or the elements of an array
	IssuedAt time.Time // iat
	Deadline time.Time // exp: when the CPS must forget the record (agreed form); zero when absent
	ID       string    // jti
	Dest     tn.Identity
	Orig     tn.Identity
	Digest   string // passports: the digest over the published list; empty when absent
}

// Principal is who asks, once proven.
type Principal struct {
	SPC   string              // the SPC in whose name it asks; one of those in Scope. Empty when Scope has numbers alone, and when it did not say which of several
	Scope stircert.TNAuthList // what its certificate is authoritative for
	Cert  [32]byte            // SHA-256 of the certificate that proved it
	X5U   string              // where that certificate was fetched; empty when the requester showed it

	// Account is whom its requests and records are counted to: its SPC, or what stands for its certificate.
	Account string
}

// AccountOf is the account of whoever holds a certificate with this list: its SPC when it has exactly one, else what stands
// for the holder, see trust.Verifier.Holder.
func AccountOf(scope stircert.TNAuthList, holder [32]byte) string {
	if len(scope.SPCs) == 1 {
		return scope.SPCs[0]
	}
	return hex.EncodeToString(holder[:8])
}
