// Package passport reads, judges, signs and verifies PASSporTs (RFC 8225): the tokens in which a telephone provider
// signs who calls whom.
//
// Knows: the compact serialisation, strict JSON, canonical JSON, ES256; the types base (no ppt), shaken (RFC 8588), div and
// div-o (RFC 8946), rph (RFC 8443), rcd (RFC 9795), msg (RFC 9475) and rsp. Never hears of: networks, files, clocks,
// certificates, SIP.
//
// Reading goes in steps, so that a verification service can give the answer that each fault deserves:
//
//	Open ──► Envelope ──► CheckHeader ──► Claims     Parse = all three
//	                 └──► Verify(key)
//
// [Parse] fails strictly. [Diagnose] explains to a person what is odd about a token, good or bad.
//
// # Failures
//
// Every refusal is an *[Error] with a [Problem]; errors.Is(err, passport.SignatureInvalid) asks for it. Whatever is
// returned beside an error is the zero value. No error repeats a number or a part of the token.
//
// # Limits
//
// A token has at most [TokenBytesMax] bytes, its JSON nests at most [depthMax] deep, it names at most [DestMax]
// destinations. A jCard has at most [jCardBytesMax] bytes and [jCardLinksMax] URIs.
package passport

import (
	"crypto/ecdsa"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/tn"
)

// Limits. The RFCs state none; a SHAKEN token has about 400 bytes.
const (
	TokenBytesMax = 8 << 10
	DestMax       = 32
	depthMax      = 16
)

// Type is the value of ppt (RFC 8225 §8.1). The empty Type is a base PASSporT.
type Type string

// The types that this package judges.
const (
	Base   Type = ""
	Shaken Type = "shaken" // RFC 8588
	Div    Type = "div"    // RFC 8946 §3
	DivO   Type = "div-o"  // RFC 8946 §5
	RPH    Type = "rph"    // RFC 8443
	RCD    Type = "rcd"    // RFC 9795
	Msg    Type = "msg"    // RFC 9475
	RSP    Type = "rsp"    // draft-ietf-stir-rfc4916-update-07 §9
)

// Attestation is the value of the claim attest (RFC 8588 §4).
type Attestation string

// The attestation levels.
const (
	AttestFull    Attestation = "A" // the signer knows the customer and that the number is the customer's
	AttestPartial Attestation = "B" // the signer knows the customer, not the number
	AttestGateway Attestation = "C" // the signer knows where the call entered its network, no more
)

// Valid reports whether a is one of the three levels, in upper case.
func (a Attestation) Valid() bool { return a == AttestFull || a == AttestPartial || a == AttestGateway }

// Header is the JOSE header of a PASSporT (RFC 8225 §4). An absent member is the empty string.
type Header struct {
	Alg string
	PPT Type
	Typ string
	X5U string // as received; may hold control characters, so look before it is written anywhere
}

// Claims are the claims that the known types define. Further claims are kept in Extra. What was received is the
// signer's text and may be any: OrigID and DivHI may hold line breaks, for instance.
type Claims struct {
	IAT    time.Time     // claim iat, whole seconds (RFC 8225 §5.1.1)
	Orig   tn.Identity   // RFC 8225 §5.2.1
	Dest   []tn.Identity // RFC 8225 §5.2.1; as received, or in any order for signing
	Attest Attestation   // shaken: RFC 8588 §4
	OrigID string        // shaken: RFC 8588 §5
	Div    tn.Identity   // div: the destination before the retargeting (RFC 8946 §3)
	DivHI  string        // div: its place in History-Info (RFC 8946 §8); empty when absent
	Opt    string        // div-o: the PASSporT before the retargeting, in full form (RFC 8946 §6)
	RPH    []string      // rph: what Resource-Priority may say, such as esnet.1, ets.0, wps.2 (RFC 8443 §3); at most 16
	SPH    string        // rph: psap-callback, beside an esnet value only (RFC 9027 §4)
	MKY    []KeyDigest   // media keys (RFC 8225 §5.2.2); as received, or in any order for signing; at most 16
	MSGI   string        // msg: digest of the message (RFC 9475 §3.2); in other types it is ignored and stands in Extra
	Rich   *RichCallData // rich call data, in any type (RFC 9795); nil where none of rcd, rcdi, crn and iss is there
	Extra  []Member      // other claims, in the order received
}

// Member is one further claim, its value as JSON text: as received, and canonical in what Sign makes.
type Member struct {
	Name  string
	Value string
}

// Envelope is a token whose form is sound: three segments, two strict JSON objects, 64 bytes that may be a signature.
// Nothing in it is to be believed.
type Envelope struct {
	Header Header
	crit   bool
	text   string
	parts  jws.Token
}

// Token is a PASSporT of a known type that has all that its type asks for. Its signature has not been verified.
type Token struct {
	Envelope
	Claims Claims
}

// String is the compact form, byte for byte as received.
func (e *Envelope) String() string { return e.text }

// Verify checks the ES256 signature over the received bytes (RFC 8225 §9), and nothing else: whether the token is fresh
// and its key believed are questions of their own. Whoever has a token can make a second text of it that verifies too
// (r, n−s): remember [Envelope.SigningInput] to recognise a replay. Problems: SignatureForm, SignatureInvalid, the
// latter also for a key that is not on P-256.
func (e *Envelope) Verify(key *ecdsa.PublicKey) error { return e.VerifyWith(key, nil) }

// VerifyWith is Verify with es256 in place of crypto/ecdsa, unless it is nil. It is given the 32 bytes of a SHA-256 digest
// and the 64 of a signature, r‖s.
func (e *Envelope) VerifyWith(key *ecdsa.PublicKey, es256 func(key *ecdsa.PublicKey, digest, signature []byte) bool) error {
	return fromJWS(e.parts.VerifyWith(key, es256))
}

// SigningInput is what the signature covers: header and payload as received, and the dot between them.
func (e *Envelope) SigningInput() string { return e.parts.SigningInput }

// Names reports whether id is one of the destinations.
func (c *Claims) Names(id tn.Identity) bool { return slices.Contains(c.Dest, id) }

// SpeaksFor is over whom the signer of a PASSporT of a type needs authority: the caller; who was called before the call
// was retargeted (RFC 8946 §3); who answers (draft-ietf-stir-rfc4916-update-07). Nobody where that is several.
func (c *Claims) SpeaksFor(ppt Type) tn.Identity {
	switch ppt {
	case Div, DivO:
		return c.Div
	case RSP:
		if len(c.Dest) != 1 {
			return tn.Identity{}
		}
		return c.Dest[0]
	}
	return c.Orig
}
