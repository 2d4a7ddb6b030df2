// Package trunk holds the trunk table: what is to be done with the calls of each trunk, and how the numbers in their
// signalling are read, so that both ends of a TDM trunk look for a PASSporT in the same slot.
//
// Knows: the rows of the table and which of them a request belongs to ([Table]), where the caller and the called party
// stand in SIP and in ISUP and what their digits mean on a trunk ([Numbering], [Parties]), the slot of a call
// ([Row.Keys]). Never hears of: sockets, SIP stacks, configuration files, CPSs, signatures.
//
// Read trunk.go and table.go, then numbering.go, numbers.go and parties.go.
//
// # One number, whatever its spelling
//
// A party that this package gives is a complete international number, or a URI in normal form, or nobody. A national
// number gets the country code of the trunk because the signalling says that it is national, never because of its
// length. What could be two numbers is none: a call without PASSporT is a smaller harm than the PASSporT of another.
//
// # Failures
//
// [New] gives all [Faults] of a table at once. A call whose numbers cannot be used is no failure: [Parties] says why in
// one of a closed set of words.
//
// # Limits
//
// [RowsMax] rows, [ValuesMax] values of one header, and those of packages tn and isup. What is beyond is not read.
package trunk

import (
	"net/netip"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// Mode is what is done when a switch asks about a call of a trunk.
type Mode uint8

// The modes.
const (
	Off         Mode = iota // nothing
	Sign                    // the call leaves over SIP: it is signed
	SignPublish             // it leaves over TDM, where it began: it is signed and published; what carries a PASSporT that fits is published as it is
	Publish                 // it leaves over TDM, in transit: the PASSporTs that it carries are published as they are
	Retrieve                // it came over TDM and goes on: its PASSporTs are retrieved and passed on
	Verify                  // it came over TDM or SIP and ends here: its PASSporTs are retrieved where it carries none, and judged
	modesEnd                // keep last
)

var modeNames = [modesEnd]string{"off", "sign", "sign_publish", "publish", "retrieve", "verify"}

// String is the mode's name in configuration, metrics and traces.
func (m Mode) String() string {
	if m >= modesEnd {
		return ""
	}
	return modeNames[m]
}

// ModeNamed finds a mode by its name.
func ModeNamed(name string) (Mode, bool) {
	for m := range modesEnd {
		if modeNames[m] == name {
			return m, true
		}
	}
	return Off, false
}

// Signs reports whether calls are signed.
func (m Mode) Signs() bool { return m == Sign || m == SignPublish }

// Publishes reports whether PASSporTs are published.
func (m Mode) Publishes() bool { return m == SignPublish || m == Publish }

// Retrieves reports whether PASSporTs are retrieved.
func (m Mode) Retrieves() bool { return m == Retrieve || m == Verify }

// Row is one trunk: which requests belong to it, and what is done with them.
type Row struct {
	Name       string // in metrics, traces and, as the trunk of a call, in the signing policy; unique in its table
	Match      Match
	Mode       Mode
	Numbering  Numbering
	Signing    Signing       // for modes that sign
	PeerSPC    string        // the provider at the other end, where it is in the slot: see [Row.Keys]
	CPS        []string      // names of the CPSs, the preferred one first; at most CPSMax
	Profile    oob.Profile   // the form of these CPSs
	UnlessHeld bool          // before publishing, the CPS is asked whether it has a PASSporT for the call, and keeps that one (RFC 8816 §5.4)
	Budget     time.Duration // for everything that is done about one call; zero for that of the mode
	Nothing    int           // SIP status when there is nothing to add: 404 (default), 503 or 302
	Answer     AnswerStyle
	NextHop    string // SIP URI to which requests are passed on with what was added; empty: the switch is redirected
}

// Signing is what the signing policy is told of the calls of a trunk.
type Signing struct {
	Customer string               // who sends them; empty when that is not known
	Gateway  bool                 // they come in from another network, so that no more than C is given
	Attest   passport.Attestation // the most that is given; empty for what the policy gives

	TakeOrigID bool // an INVITE's Origination-Id is the switch's own, and not one that its customers have written
}

// Bounds and defaults of a row.
const (
	RowsMax               = 4096
	CPSMax                = 4
	BudgetMin             = 10 * time.Millisecond
	BudgetMax             = 5 * time.Second
	SignBudgetDefault     = 300 * time.Millisecond // to sign and to publish: the IAM is not released before
	RetrieveBudgetDefault = time.Second            // to retrieve and to verify: the PASSporT may still be on its way
	NothingDefault        = 404
)

// Place is where a redirection carries Identity header fields.
type Place uint8

// The places.
const (
	InHeader  Place = iota // as header fields of the response
	InContact              // embedded in the Contact URI (RFC 3261 §19.1.1)
	InBoth
)

// ReasonStyle is the protocol of the Reason header field that tells why a call was not verified.
type ReasonStyle uint8

// The protocols.
const (
	ReasonSTIR ReasonStyle = iota // STIR, one for each PASSporT (RFC 9410)
	ReasonSIP                     // SIP, for switches that read no other
	ReasonNone                    // no Reason header field
)

// AnswerStyle is how an answer is spelled. The zero AnswerStyle is the standards' way.
type AnswerStyle struct {
	Identity          Place
	Verstat           oob.VerstatStyle
	LegacyAttestation bool // P-Attestation-Indicator and P-Origination-ID beside Attestation-Info and Origination-Id
	Reason            ReasonStyle
	CallInfo          bool // rich call data as Call-Info (RFC 9796)
	DisplayMark       bool // [V] before the display name of a verified caller
	Date              DateStyle
}

// DateStyle is which Date goes with PASSporTs that were retrieved.
type DateStyle uint8

// The styles.
const (
	DateOfPassport DateStyle = iota // made from their iat, with which verifiers compare it (RFC 8224 §6.2)
	DateNone                        // none: that of the call stays as it is
	dateStylesEnd                   // keep last
)

// Ask is what a client of the HTTP API asks for: there it says so itself, while of an INVITE the trunk decides it.
type Ask uint8

// The things to ask for.
const (
	AskAny Ask = iota // in a row, whatever; in a request, not said
	AskSigning
	AskVerification
	AskPublish
	AskRetrieve
	asksEnd // keep last
)

var askNames = [asksEnd]string{"", "signing", "verification", "publish", "retrieve"}

// String is its name in the configuration.
func (a Ask) String() string {
	if a >= asksEnd {
		return ""
	}
	return askNames[a]
}

// AskNamed finds one by its name; the empty name is AskAny.
func AskNamed(name string) (Ask, bool) {
	for a := range asksEnd {
		if askNames[a] == name {
			return a, true
		}
	}
	return AskAny, false
}

// allows tells whether a row of a mode can give what is asked for.
func (a Ask) allows(m Mode) bool {
	switch a {
	case AskSigning:
		return m.Signs()
	case AskVerification:
		return m == Verify
	case AskPublish:
		return m == Publish
	case AskRetrieve:
		return m == Retrieve
	}
	return true
}

// Match says which requests belong to a row. All that is given must fit; a request over HTTP fits no row without a Client.
// Names compare without regard to case, as host
// names and the parameters of tel URIs do (RFC 3966 §4), Client and HeaderValue exactly.
type Match struct {
	Sources      []netip.Prefix // where requests come from
	Client       string         // the name under which a TLS or HTTP client has proven itself
	Asks         Ask            // what an HTTP client asks for; a SIP request does not say, and fits no row that wants it said
	TGRP         string         // trunk group (RFC 4904)
	TrunkContext string         // its trunk-context
	OTG          string         // originating trunk group, parameter otg or trgp
	Label        string         // first label of the host in the Request-URI
	Header       string         // name of a header field of the switch's
	HeaderValue  string         // and its value
}

// Signs are what a request shows of the trunk that it belongs to. All but Source and Client is hearsay: what the switch
// says of itself.
type Signs struct {
	Source       netip.Addr
	Client       string
	Asks         Ask
	TGRP         string
	TrunkContext string
	OTG          string
	Label        string
	Header       func(name string) string // value of a header field, empty when there is none; nil when there are no headers
}
