package oob

import (
	"errors"
	"fmt"
	"time"
)

// Kind is one way to fail. Kinds are errors, so that errors.Is(err, oob.Stale) asks for the kind of a wrapped [Fault].
type Kind uint8

// The kinds. Their rows, in [Kind.Row], say everything else about them.
const (
	Internal Kind = iota
	Malformed
	PassportInvalid
	PassportStale
	DigestMismatch
	DeadlinePassed
	WrongPath
	WrongMethod
	WrongMedia
	NotAcceptable
	TooLarge
	TooSlow
	Unproven
	TokenStale
	Replayed
	CredentialUnreachable
	CredentialUntrusted
	OutOfScope
	IdentityMismatch
	Refused
	NotFound
	RateLimited
	QuotaExceeded
	Overloaded
	Draining
	PeerFailed
	PeerTimeout
	kindEnd // keep last
)

// FaultRow is everything that is said about a kind, to whom it is said.
type FaultRow struct {
	Slug    string // stable name: metrics label, problem type, what a client maps back
	Title   string // short text for a person
	HTTP    int    // status of a CPS's answer
	SIP     int    // status or Reason cause towards SIP (RFC 8224 §6.2.2); 0 where SIP is told nothing and the call goes on
	Section string // where the status comes from
}

var faultRows = [kindEnd]FaultRow{
	Internal:              {"internal", "Internal Server Error", 500, 0, "RFC 9110 §15.6.1"},
	Malformed:             {"malformed", "Malformed Request", 400, 438, "RFC 8224 §6.2.2"},
	PassportInvalid:       {"passport-invalid", "Invalid PASSporT", 400, 438, "RFC 8224 §6.2.2"},
	PassportStale:         {"passport-stale", "Stale PASSporT", 400, 403, "RFC 8224 §6.2.2"},
	DigestMismatch:        {"digest-mismatch", "Digest Mismatch", 400, 0, "ATIS-1000096 §7"},
	DeadlinePassed:        {"deadline-passed", "Record Deadline Passed", 400, 0, "ATIS-1000105 §7"},
	WrongPath:             {"wrong-path", "Not Found", 404, 0, "RFC 9110 §15.5.5"},
	WrongMethod:           {"wrong-method", "Method Not Allowed", 405, 0, "RFC 9110 §15.5.6"},
	WrongMedia:            {"wrong-media", "Unsupported Media Type", 415, 0, "RFC 9110 §15.5.16"},
	NotAcceptable:         {"not-acceptable", "Not Acceptable", 406, 0, "RFC 9110 §15.5.7"},
	TooLarge:              {"too-large", "Content Too Large", 413, 0, "RFC 9110 §15.5.14"},
	TooSlow:               {"too-slow", "Request Timeout", 408, 0, "RFC 9110 §15.5.9"},
	Unproven:              {"unproven", "Unauthorized", 401, 0, "ATIS-1000096 §7"},
	TokenStale:            {"token-stale", "Stale Access Token", 401, 0, "ATIS-1000096 §7"},
	Replayed:              {"replayed", "Replayed Access Token", 401, 0, "ATIS-1000096 §7"},
	CredentialUnreachable: {"credential-unreachable", "Certificate Unreachable", 400, 436, "RFC 8224 §6.2.2"},
	CredentialUntrusted:   {"credential-untrusted", "Unsupported Credential", 403, 437, "RFC 8224 §6.2.2"},
	OutOfScope:            {"out-of-scope", "Out of Scope", 403, 437, "RFC 8226 §9"},
	IdentityMismatch:      {"identity-mismatch", "Identity Mismatch", 403, 438, "RFC 8224 §6.2.2"},
	Refused:               {"refused", "Forbidden", 403, 0, "RFC 9110 §15.5.4"},
	NotFound:              {"not-found", "Not Found", 404, 428, "RFC 8224 §6.2.2"},
	RateLimited:           {"rate-limited", "Too Many Requests", 429, 0, "RFC 6585 §4"},
	QuotaExceeded:         {"quota-exceeded", "Quota Exceeded", 429, 0, "RFC 6585 §4"},
	Overloaded:            {"overloaded", "Service Unavailable", 503, 0, "RFC 9110 §15.6.4"},
	Draining:              {"draining", "Shutting Down", 503, 0, "RFC 9110 §15.6.4"},
	PeerFailed:            {"peer-failed", "Peer Failed", 502, 0, "RFC 9110 §15.6.3"},
	PeerTimeout:           {"peer-timeout", "Peer Timed Out", 504, 0, "RFC 9110 §15.6.5"},
}

// Row gives what is said about the kind; an unknown kind is said to be Internal.
func (k Kind) Row() FaultRow {
	if k >= kindEnd {
		k = Internal
	}
	return faultRows[k]
}

// Error is the kind's title.
func (k Kind) Error() string { return k.Row().Title }

// String is the kind's slug.
func (k Kind) String() string { return k.Row().Slug }

// Kinds lists all kinds, in the order of their rows.
func Kinds() []Kind {
	all := make([]Kind, 0, kindEnd)
	for k := range kindEnd {
		all = append(all, k)
	}
	return all
}

// KindOfSlug is the way back from a peer's answer.
func KindOfSlug(slug string) (Kind, bool) {
	for k, row := range faultRows {
		if row.Slug == slug {
			return Kind(k), true
		}
	}
	return Internal, false
}

// Fault is one failure. Detail may be told to the peer: it never holds a number, a token or what a third party said.
// Err is for the log alone.
type Fault struct {
	Kind       Kind
	Detail     string
	Err        error
	RetryAfter time.Duration // 0 when waiting would not help or the time is not known
}

// Faultf makes a Fault with a detail for the peer.
func Faultf(kind Kind, format string, args ...any) *Fault {
	return &Fault{Kind: kind, Detail: fmt.Sprintf(format, args...)}
}

// Because adds the cause that only the log sees.
func (f *Fault) Because(err error) *Fault {
	f.Err = err
	return f
}

// After adds the time after which a retry may succeed.
func (f *Fault) After(d time.Duration) *Fault {
	f.RetryAfter = d
	return f
}

// Error is the whole text, for logs.
func (f *Fault) Error() string {
	text := f.Kind.String()
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Is makes errors.Is(err, kind) true for the kind of f.
func (f *Fault) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == f.Kind
}

// FaultOf finds the Fault in err. An error that holds none is Internal, with no text for the peer.
func FaultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return &Fault{Kind: Internal, Err: err}
}
