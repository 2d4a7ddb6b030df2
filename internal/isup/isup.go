// Package isup reads and writes the message that sets up a call on an ISUP trunk: the initial address message (IAM) of
// ITU-T Q.763 and of its North American variant, ATIS-1000113 (once ANSI T1.113).
//
// Knows: the parameters that tell who calls whom and by what way ([IAM], [Number]), the layers below it that a capture
// shows ([Frame]). Never hears of: circuits and their states, other messages than the IAM, numbering plans, sockets.
//
// What the parameters mean for a call is package trunk's affair: here a number is what stood in the message, with its
// nature of address and digits beyond 9.
//
// # Failures
//
// A message that is refused comes with the zero value and an error that wraps [ErrNotIAM] or [ErrMalformed]. Error texts
// name the parameter and never its digits.
//
// # Limits
//
// A message has at most [MessageBytesMax] bytes, a number at most [DigitsMax] address signals, a message at most
// [GenericMax] generic numbers and [OthersMax] parameters that are kept as bytes.
package isup

import "errors"

// Limits of one message. The first is what MTP carries (Q.704 §2.3.8); the others are ours.
const (
	MessageBytesMax = 272
	DigitsMax       = 32
	GenericMax      = 8
	OthersMax       = 32
)

// Why bytes are refused. ErrNotIAM: another message, or another layer than was said. ErrMalformed: an IAM that is cut
// short, contradicts itself or is over a limit; also a value that cannot be written as one.
var (
	ErrNotIAM    = errors.New("not an initial address message")
	ErrMalformed = errors.New("malformed initial address message")
)

// Variant tells how a message is laid out.
type Variant uint8

// The variants. They differ in the mandatory parameters, the length of the routing label and the meaning of codes for
// national use.
const (
	ITU  Variant = iota // ITU-T Q.763
	ANSI                // ATIS-1000113
)

// IAM is an initial address message. Parameters that are pointers are nil when they are absent.
type IAM struct {
	NatureOfConnection uint8        // nature of connection indicators
	Forward            ForwardCall  // forward call indicators
	Category           uint8        // calling party's category
	Medium             uint8        // transmission medium requirement; ITU only, 0 in ANSI
	UserService        []byte       // user service information; mandatory in ANSI
	Called             Number       // called party number
	Calling            *Number      // calling party number
	OriginalCalled     *Number      // original called number: who was called first
	Redirecting        *Number      // redirecting number: who diverted the call last
	Redirection        *Redirection // redirection information
	Generic            []Generic    // generic numbers, in ANSI generic addresses
	CalledDirectory    *Number      // called directory number of a ported number; ITU only (Q.769.1)
	Charge             *Number      // charge number: who pays; ANSI only
	Jurisdiction       string       // jurisdiction information: the first six digits of where the call began; ANSI only
	HopCounter         *uint8       // how many exchanges the call may still pass
	Others             []Parameter  // what else came, in its order
}

// Category values that matter to the way a call is treated.
const (
	CategoryEmergency     = 0xe0 // emergency service call (ATIS-1000113)
	CategoryHighEmergency = 0xe1 // high priority emergency service call (ATIS-1000113)
)

// Nature is the nature of an address: how its digits are to be read.
type Nature uint8

// The natures that both variants know. What is not here is for national use, or concerns calls to an operator.
const (
	Subscriber          Nature = 1
	Unknown             Nature = 2
	National            Nature = 3
	International       Nature = 4
	NetworkSpecific     Nature = 5
	RoutingNational     Nature = 6 // a network routing number in national form; ITU only
	RoutingNetwork      Nature = 7 // a network routing number in the form of the network; ITU only
	RoutingAndDirectory Nature = 8 // a network routing number and behind it the called directory number; ITU only
)

// Presentation says whether a number may be shown to the called party.
type Presentation uint8

// The values.
const (
	PresentationAllowed     Presentation = 0
	PresentationRestricted  Presentation = 1
	PresentationUnavailable Presentation = 2 // there is no address
	PresentationByNetwork   Presentation = 3 // restricted by the network (Q.763), reserved in ANSI
)

// Screening tells who vouches for a calling number. It is an assertion of the network before, never a signature.
type Screening uint8

// The values.
const (
	UserNotVerified Screening = 0
	UserVerified    Screening = 1
	UserFailed      Screening = 2
	NetworkProvided Screening = 3
)

// Number is one number of a message.
type Number struct {
	Nature       Nature
	Plan         uint8  // numbering plan: 0 unknown, 1 E.164, 5 private
	Digits       string // address signals as upper-case hexadecimal digits, without filler; F is the end of pulsing (ST)
	Presentation Presentation
	Screening    Screening
	Flag         bool // called: not to be routed to an internal network number; calling and generic: number incomplete
}

// Generic is a generic number with what it stands for.
type Generic struct {
	Type uint8
	Number
}

// Types of generic numbers.
const (
	GenericDialled           = 0x00 // the digits dialled
	GenericUserFailed        = 0x02 // what the caller gave, after it failed screening
	GenericUserNotScreened   = 0x03 // what the caller gave, not screened
	GenericAdditionalCalling = 0x06 // ITU: additional calling party number
	GenericPorted            = 0xc0 // the directory number of a ported called party
)

// ForwardCall is the forward call indicators: bit A is the least significant, bit P the most.
type ForwardCall uint16

// NumberTranslated is bit M: the called number has been looked up for portability, and if it is ported, what stands as
// called number is a routing number.
const NumberTranslated ForwardCall = 1 << 12

// Redirection is the redirection information.
type Redirection struct {
	Indicator      uint8 // what kind of redirection, and whether numbers may be shown: 0 to 7
	OriginalReason uint8 // why the call was diverted first: 0 to 15
	Counter        uint8 // how often it was diverted: 0 to 7
	Reason         uint8 // why it was diverted last: 0 to 15
}

// Parameter is an optional parameter that this package does not look into.
type Parameter struct {
	Code  uint8
	Value []byte
}
