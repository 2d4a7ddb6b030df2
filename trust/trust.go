// Package trust decides who is believed: it fetches the certificate that an x5u points to, finds out whether a trust
// anchor stands behind it and whether it is revoked, and remembers all that.
//
// Knows: trust anchors, revocation lists and whose count, certificate repositories and the rules for fetching from them
// (ATIS-1000074, ATIS-1000080), chains, verdicts on chains, the caches of all that. Never hears of: tokens and their
// claims, calls, who may do what with a certificate that is believed, HTTP handlers.
//
// Read verifier.go first. A [Verifier] is what services use; its parts are [Anchors], [Revocations], the judge (judge.go),
// the [Repository] client (repository.go) and the cache.
//
// # Revocation
//
// Lists come from outside, checked (package crl reads them): no URL in a certificate is ever fetched for one. Whatever is
// on a list is refused, from the first call after [Verifier.SetRevocations]. Whether it means anything that a certificate
// is on none is another question; see [RevocationPolicy] for the answers.
//
// # Failures
//
// Every error of a Verifier is an *oob.Fault, except what the caller's own check returned. CredentialUnreachable: no
// certificate could be had; it wraps [ErrX5U] when the x5u itself is to blame. CredentialUntrusted: there is a
// certificate, and it wraps the stircert.Problem. Overloaded: the repository was not asked, because of our own limits;
// it wraps [ErrBusy] and says when to try again; or a chain that was shown could not be judged in time. A repository that
// fails never fails a certificate that is cached.
//
// # Limits
//
// Time, size, concurrency and memory are all bounded; see [Config] and the constants. What is counted per host is
// counted per registrable domain, and of addresses per /24 or /48: names below a domain cost nothing.
//
// A stranger, who signs tokens with x5u's of his choice and keys of his own, can make us send GETs to public addresses on
// port 443 and 8443, one per second and URL at first and one per five minutes later: to a host that we have nothing of,
// 4 at a time and 10 a second; to one that has served certificates with which signatures verified, 16 and 50. While he
// does so, URLs that are new to us may be refused as Overloaded: those of all hosts that we do not know yet, if he pays
// for enough domains to fill half of the fetches, and those of each known host that he names. He puts nothing into the
// cache or onto the disk, whatever his hosts serve, and takes nothing out of them; of a chain we keep what leads to the
// anchor, and for a minute at most, until a signature has verified with it.
//
// A provider with a certificate that is believed can fill the cache with URLs of its own. Its hosts then make room for
// each other; what others have not used for long goes first only while they are not the largest. It, and nobody else, can
// send us after a TNAuthList that is not in its certificate, and after what its tokens point to ([Verifier.Content]), under
// the same limits.
//
// Who shows a chain ([Verifier.Show]) instead of saying where it is makes us fetch nothing. Strangers can have half of the
// processors busy with building such chains, each address ten in a second, and the chains of those who are new wait for as
// long; whoever was believed before does not.
//
// A CA below an anchor whose signatures take too long to check, with an RSA key of more than 4096 bits or on a curve beyond
// P-384, leads nowhere.
//
// A delegate CA can issue for what its own TNAuthList covers, and for nothing else (RFC 9060 §4).
package trust

import (
	"errors"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// What the Err of a CredentialUnreachable fault may wrap; ErrBusy, that of an Overloaded one.
var (
	ErrX5U     = errors.New("the x5u is not acceptable")                       // its text breaks a rule: case E7, all else is E8
	ErrURL     = errors.New("the URL is not acceptable")                       // the same of what is no x5u
	ErrAddress = errors.New("the host has an address that is not public")      // after resolution
	ErrAnswer  = errors.New("the repository did not answer with certificates") // status, size or content
	ErrContent = errors.New("the host did not answer with the content")        // status or size, of what is no certificate
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

// What has not verified a signature yet is laid aside for a short time, for those who ask for the same URL.
const (
	probation   = time.Minute
	unprovenMax = 1000 // certificates
)

// The details leave the saying of what happened to the causes, so that a printed fault says it once.

func unreachable(err error) *oob.Fault {
	return oob.Faultf(oob.CredentialUnreachable, "no certificate could be fetched").Because(err)
}

func untrusted(err error) *oob.Fault {
	return oob.Faultf(oob.CredentialUntrusted, "the certificate is not trusted").Because(err)
}

func busy() *oob.Fault {
	return oob.Faultf(oob.Overloaded, "no certificate could be fetched now").Because(ErrBusy).After(time.Second)
}
