package trace

import (
	"net/netip"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Bounds of one record. What is beyond is left out and counted in Stats.Cut; text is cut at its bound.
const (
	StepsMax        = 48               // steps
	AttemptsMax     = 32               // requests to CPSs, of publishing and of retrieving each
	ChecksMax       = 160              // checks of a verdict
	MessagesMax     = 32               // raw messages
	MessagesBytes   = 192 << 10        // bytes of all raw messages together
	PassportsMax    = oob.PassportsMax // PASSporTs
	TextBytesMax    = 1 << 10          // bytes of one text, such as a Call-ID or the detail of a step
	passportBytes   = oob.PassportBytesMax
	withdrawalsHeld = 1024 // withdrawals that wait for the record they concern
)

// Record is what happened to one leg of a call. All durations named At and Began count from the record's Began.
type Record struct {
	ID    string        // UUID of this record
	Began time.Time     // when the request came
	Took  time.Duration // until it was answered: what the call was delayed by
	Door  string        // how the request came: udp, tcp, tls or http
	Peer  netip.AddrPort
	Local netip.AddrPort

	CallID  string // Call-ID of the request, as it came
	CallKey string // by which the verification service knows the call, for Withdraw; shown to nobody
	Trunk   string // row of the trunk table
	Mode    string // what the trunk table has asked for: sign, publish, retrieve, verify, …

	Orig, Dest       tn.Identity // the parties as they came
	KeyOrig, KeyDest tn.Identity // the parties as both ends of the trunk compute them
	KeySPC           string      // provider in the key; empty in the mesh form
	Profile          string      // form of the CPS interface
	RedirectedFrom   tn.Identity // who was called first; zero unless the call was diverted
	Restricted       bool        // the caller wishes not to be shown
	Emergency        bool
	Unusable         string // why the numbers make no key; empty when they do

	Attest string // of the PASSporT that was signed, or of that which decided
	OrigID string
	X5U    string
	IAT    time.Time
	Row    string // row of the signing policy that decided
	Reason string // why that row gives what it gives

	Publish, Retrieve []Attempt
	Tries             int // rounds of retrieving

	Passports  []string // in compact form: signed, carried or retrieved
	Verstat    string
	SignerSPC  string
	ReasonCode int    // cause in the Reason header field; 0 for none
	Case       string // row of the error table of package stivs
	Doubt      string // why a call with a good PASSporT is marked all the same
	Checks     []oob.Check

	SIPCode   int    // status of the answer, SIP or HTTP
	FailOpen  string // slug of why the call went on without; empty when all went well
	Repeated  bool   // a second dip of a call that has been answered before
	Cancelled bool   // the switch gave up

	Steps    []Step
	Messages []Message

	Withdrawn       time.Time // when the verdict was withdrawn; zero when it stands
	WithdrawnReason string
}

// Attempt is one request to one CPS.
type Attempt struct {
	CPS    string
	Status string // "ok", or the slug of the fault
	Count  int    // PASSporTs found
	Began  time.Duration
	Took   time.Duration
}

// Step is one point on the time line of a call.
type Step struct {
	At     time.Duration
	Name   string // matched, key, signed, published, answered, …
	Detail string // for the operator; may hold numbers
}

// Message is one message as it came or went.
type Message struct {
	At        time.Duration
	In        bool   // it came
	Transport string // udp, tcp, tls or http
	From, To  netip.AddrPort
	Bytes     []byte
}
