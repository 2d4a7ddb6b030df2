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
// the upstream provider, the one who published; in the mesh form it is empty.
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
}

// Record is what one publication left under its key.
type Record struct {
	Passports []string
	Publisher string
	Received  time.Time
	Expires   time.Time
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

// The actions of the ATIS forms.
const (
	ActionPublish  Action = "publish"
	ActionRetrieve Action = "retrieve"
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
	SPC   string              // the SPC in whose name it asks; one of those in Scope
	Scope stircert.TNAuthList // what its certificate is authoritative for
	Cert  [32]byte            // SHA-256 of the certificate that proved it
	X5U   string              // where that certificate was fetched
}
