package passport

import (
	"errors"
	"fmt"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// Problem is one way in which a PASSporT is wrong. Problems are errors, for errors.Is.
type Problem uint8

// The problems, in the order in which a token is judged.
const (
	TooLong          Problem = iota + 1
	SegmentCount             // not header.payload.signature
	CompactForm              // "..signature": the compact form, whose header and payload the receiver rebuilds (RFC 8225 §7)
	Base64Form               // padding, another alphabet, left-over bits
	HeaderForm               // header is not a strict JSON object, or a member has the wrong type
	PayloadForm              // payload is not a strict JSON object
	HeaderIncomplete         // alg, typ or x5u missing
	TypInvalid               // typ is not passport
	AlgInvalid               // alg is not ES256
	CritUnknown              // crit asks for an extension that nobody here understands (RFC 7515 §4.1.11)
	PPTUnsupported           // ppt names a type that is not judged here (RFC 8225 §8.1)
	ClaimMissing             // a claim that the type asks for is absent
	IATForm                  // iat is not an integer
	OrigForm                 // orig is not an object with exactly one tn or uri
	DestForm                 // dest is not an object with arrays tn or uri
	NumberForm               // a tn is not in canonical form, or a uri is none
	AttestInvalid            // attest is not A, B or C
	OrigIDForm               // origid is not a string, or, for signing, not a UUID
	DivForm                  // div is not an object with exactly one tn or uri, or its hi is not a string
	OptInDiv                 // opt belongs to div-o (RFC 8946 §3)
	DivUnchanged             // when signing: div is one of the new destinations, so the call was not retargeted
	OptForm                  // opt is no PASSporT in full form, nests too deep, or, when signing, stands outside div-o
	RPHForm                  // rph is not an object with an auth array of values such as ets.0
	SPHForm                  // sph is not psap-callback, or stands without an esnet value in rph
	MKYForm                  // mky is not an array of alg and dig, dig in hexadecimal without colons
	RCDForm                  // rcd has no nam, or has both jcd and jcl; it, crn or iss is malformed; a jCard is none
	RCDIForm                 // rcdi is malformed, stands without rcd, lacks the digest of a URI, or has one of nothing
	MSGIForm                 // msgi is no digest, or, when signing, stands outside msg
	DigestMismatch           // content has another digest than rcdi or msgi says
	SignatureForm            // signature is not 64 bytes; DER, for instance
	SignatureInvalid         // the signature does not verify
	Unsignable               // claims that do not make a PASSporT of their type
	problemEnd               // keep last
)

// problemRows: slug, sentence, section.
var problemRows = [problemEnd][3]string{
	0:                {"none", "no problem", ""},
	TooLong:          {"too-long", "the token is too long", ""},
	SegmentCount:     {"segment-count", "the token has not three segments", "RFC 7515 §7.1"},
	CompactForm:      {"compact-form", "the token is in compact form", "RFC 8225 §7"},
	Base64Form:       {"base64-form", "a segment is not base64url without padding", "RFC 7515 §2"},
	HeaderForm:       {"header-form", "the header is not a JSON object of the expected form", "RFC 8225 §4"},
	PayloadForm:      {"payload-form", "the payload is not a JSON object of the expected form", "RFC 8225 §5"},
	HeaderIncomplete: {"header-incomplete", "a header member is missing", "RFC 8225 §4"},
	TypInvalid:       {"typ-invalid", "typ is not passport", "RFC 8225 §4.1"},
	AlgInvalid:       {"alg-invalid", "alg is not ES256", "RFC 8225 §4.2"},
	CritUnknown:      {"crit-unknown", "crit names an unknown extension", "RFC 7515 §4.1.11"},
	PPTUnsupported:   {"ppt-unsupported", "the PASSporT type is not supported", "RFC 8225 §8.1"},
	ClaimMissing:     {"claim-missing", "a claim is missing", "RFC 8225 §5"},
	IATForm:          {"iat-form", "iat is not an integer number of seconds", "RFC 8225 §5.1.1"},
	OrigForm:         {"orig-form", "orig is not an object with exactly one tn or uri", "RFC 8225 §5.2.1"},
	DestForm:         {"dest-form", "dest is not an object with a tn or uri array", "RFC 8225 §5.2.1"},
	NumberForm:       {"number-form", "an identity is not in canonical form", "RFC 8224 §8.3"},
	AttestInvalid:    {"attest-invalid", "attest is not A, B or C", "RFC 8588 §4"},
	OrigIDForm:       {"origid-form", "origid is not a string", "RFC 8588 §5"},
	DivForm:          {"div-form", "div is not an object with exactly one tn or uri", "RFC 8946 §3"},
	OptInDiv:         {"opt-in-div", "opt must not stand in a div PASSporT", "RFC 8946 §3"},
	DivUnchanged:     {"div-unchanged", "div is one of the new destinations", "RFC 8946 §3"},
	OptForm:          {"opt-form", "opt is not a PASSporT in full form", "RFC 8946 §6"},
	RPHForm:          {"rph-form", "rph is not an object with an auth array of resource priorities", "RFC 8443 §3"},
	SPHForm:          {"sph-form", "sph is not psap-callback beside an esnet value", "RFC 9027 §4"},
	MKYForm:          {"mky-form", "mky is not an array of media key digests", "RFC 8225 §5.2.2"},
	RCDForm:          {"rcd-form", "the rich call data is not of the expected form", "RFC 9795 §5.1"},
	RCDIForm:         {"rcdi-form", "rcdi does not have the digests that the rich call data needs", "RFC 9795 §6"},
	MSGIForm:         {"msgi-form", "msgi is not a digest of a message", "RFC 9475 §3.2"},
	DigestMismatch:   {"digest-mismatch", "the content is not what was signed", "RFC 9795 §6.1"},
	SignatureForm:    {"signature-form", "the signature is not the 64 bytes of ES256", "RFC 7518 §3.4"},
	SignatureInvalid: {"signature-invalid", "the signature does not verify", "RFC 8224 §6.2"},
	Unsignable:       {"unsignable", "the claims do not make a PASSporT of this type", "RFC 8225 §5"},
}

// Problems lists all problems.
func Problems() []Problem {
	all := make([]Problem, 0, problemEnd-1)
	for p := Problem(1); p < problemEnd; p++ {
		all = append(all, p)
	}
	return all
}

// String is the problem's stable name.
func (p Problem) String() string { return p.row()[0] }

// Error is one sentence for a person.
func (p Problem) Error() string { return p.row()[1] }

// Section is where the rule stands that was broken; empty where it is a limit of ours.
func (p Problem) Section() string { return p.row()[2] }

func (p Problem) row() [3]string {
	if p >= problemEnd {
		p = 0
	}
	return problemRows[p]
}

// Error is one refusal: the problem and where it lies.
type Error struct {
	Problem Problem
	Where   string // member or segment; empty when the problem says all
}

// Error is a sentence.
func (e *Error) Error() string {
	if e.Where == "" {
		return e.Problem.Error()
	}
	return e.Problem.Error() + " (" + e.Where + ")"
}

// Is makes errors.Is(err, problem) true.
func (e *Error) Is(target error) bool {
	p, ok := target.(Problem)
	return ok && p == e.Problem
}

// ProblemOf gives the problem that err holds, or 0.
func ProblemOf(err error) Problem {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Problem
	}
	return 0
}

func problem(p Problem, where string) error { return &Error{Problem: p, Where: where} }

// fromJWS names a refusal of the token's outer form in the words of this package.
func fromJWS(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jws.ErrTooLong):
		return problem(TooLong, "")
	case errors.Is(err, jws.ErrSegments):
		return problem(SegmentCount, "")
	case errors.Is(err, jws.ErrBase64):
		return problem(Base64Form, "")
	case errors.Is(err, jws.ErrSignatureForm):
		return problem(SignatureForm, "")
	case errors.Is(err, jws.ErrSignature):
		return problem(SignatureInvalid, "")
	}
	return fmt.Errorf("passport: %w", err)
}
