// Package trust decides who is believed: it fetches the certificate that an x5u points to, finds out whether a trust
// anchor stands behind it, and remembers both.
//
// Knows: trust anchors, certificate repositories and the rules for fetching from them (ATIS-1000074, ATIS-1000080),
// chains, verdicts on chains, the caches of all that. Never hears of: tokens and their claims, calls, who may do what
// with a certificate that is believed, HTTP handlers.
//
// Read verifier.go first. A [Verifier] is what services use; its parts are [Anchors], the judge (judge.go), the
// [Repository] client (repository.go) and the cache.
//
// # Failures
//
// Every error of a Verifier is an *oob.Fault, except what the caller's own check returned. CredentialUnreachable: no
// certificate could be had; it wraps [ErrX5U] when the x5u itself is to blame. CredentialUntrusted: there is a
// certificate, and it wraps the stircert.Problem. A repository that fails never fails a certificate that is cached.
//
// # Limits
//
// Time, size, concurrency and memory are all bounded; see [Config] and the constants. What a hostile provider can do
// by signing tokens with x5u's of its choice: make us send one GET per second and URL at first and one per five
// minutes later, to public addresses on port 443 and 8443, and evict the failures of its own hosts.
package trust

import (
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// What an Err of a CredentialUnreachable fault may wrap.
var (
	ErrX5U     = errors.New("the x5u is not acceptable")                       // its text breaks a rule: case E7, all else is E8
	ErrAddress = errors.New("the host has an address that is not public")      // after resolution
	ErrAnswer  = errors.New("the repository did not answer with certificates") // status, size or content
	ErrBusy    = errors.New("too many certificates are being fetched")         // our limit, not the repository's fault
)

// How long what was fetched is used (ATIS-1000074: at least 24 h, otherwise as RFC 9111 says).
const (
	CacheLifetimeMin = 24 * time.Hour     // also when the repository says less, or nothing
	CacheLifetimeMax = 7 * 24 * time.Hour // also when it says more
)

// How often a URL is tried.
const (
	BackoffMin = time.Second     // after the first failure
	BackoffMax = 5 * time.Minute // doubled up to this

	// A signature that does not verify may mean that the certificate at the URL has changed, or nothing at all. It is
	// fetched anew when our copy is older than RefetchAge, at most once per RefetchInterval and URL: so garbage cannot
	// make us attack the host.
	RefetchAge      = 5 * time.Second
	RefetchInterval = time.Minute
)

// How long a verdict on a chain holds, unless a certificate of the chain expires before.
const (
	TrustedLifetimeMax = time.Hour
	UntrustedLifetime  = time.Minute
)

func unreachable(detail string, err error) *oob.Fault {
	return oob.Faultf(oob.CredentialUnreachable, "%s", detail).Because(err)
}
