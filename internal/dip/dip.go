// Package dip is what is done when a switch asks about one call, whether it asks over SIP or over HTTP: sign it, publish
// its PASSporTs before it goes on into a TDM trunk, retrieve them where it comes out of one, verify it. The row of the
// trunk table says which of these.
//
// Knows: the five dips, their order, their time, what a second dip of the same call is given, what to do when something
// fails. Never hears of: SIP messages, HTTP, how a CPS is reached, how a verdict is shown to a switch.
//
// Read dip.go first, then sign.go, publish.go, retrieve.go.
//
// # Failures
//
// There are none: [Service.Do] always has an answer, and the call always goes on. What failed on the way is the [Cause]
// of the answer, counted by trunk and written into the call's trace; what was found out until then is in the answer all
// the same.
//
// # Limits
//
// A dip takes no longer than the budget of its trunk, whatever it waits for. What is judged before something is signed has
// a third of what is left of it. [PlacedMax] calls that were published are remembered for [PlacedFor], so that a switch
// that asks again about one of them, because it tries its next route, does not publish it twice. Beyond that the oldest is
// forgotten: a second publication of the same PASSporTs does no harm.
//
// CPSs that take records away when their calls have come are told in the background, ConsumingMax at a time. What was retrieved
// for these calls is remembered for as long as it would have been served, at most [ConsumedBytesMax] of it.
//
// # Hearsay
//
// Parties are what the switch says, and who was called before, in Diversion and History-Info, is what it lets through:
// switches must strip these two of all but their own networks. A div is signed where the call brings a PASSporT that
// verifies from its caller to the number that is said to have diverted it, never for calls of another network. Who has got
// hold of such a PASSporT while it is fresh, and can write Diversion through a switch that does not strip it, can still have
// one signed.
package dip

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/latent"
	"github.com/viaduct-oob/viaduct/internal/trace"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
)

// Trunk is a row of the trunk table with what it takes to serve it. Its parts stay as they are for as long as a call
// uses them, whatever a reload puts into their place.
type Trunk struct {
	*trunk.Row
	Publisher oob.Publisher  // nil where the row publishes nothing
	Retriever oob.Retriever  // nil where the row retrieves nothing
	Verifies  *stivs.Service // nil where the row verifies nothing
	Consumer  Consumer       // is told that calls have come; nil where nobody is
	Held      oob.Retriever  // is asked once whether a PASSporT is there already, for Row.UnlessHeld; nil where nobody is

	// On whose behalf calls are handled where that is another provider, which has no service of its own (RFC 8816 §8.3,
	// RFC 9888 §7). Publisher, Retriever and Consumer prove themselves with the same credential.
	Signer *stias.Service // signs with the certificate that this provider has delegated; nil for that of the service
	SPC    string         // of this provider; empty for that of the service

	IgnoreDate     bool // the clock of the switch is not to be relied on: the Date of its requests is not looked at
	BlockFailed    bool // a call whose PASSporT is bad is not to go on
	SecondVerifies bool // what is found under the number that was called first verifies the call; otherwise it is a hint
	SlowKey        bool // a signature may take longer than a call can wait: the key is in a token
}

// Call is one call, read by the rules of its trunk.
type Call struct {
	ID      string // see stivs.Call: what tells this call from all others; empty when nothing does
	Parties trunk.Parties
	Carried []string  // Identity header field values that came with it, as received
	Date    time.Time // of the request; zero for none

	Customer     string               // who made it, as the switch has authenticated it; empty when it does not say
	Attest       passport.Attestation // that the switch asks for; empty when it does not
	OrigID       string               // that the switch asks for; empty when it does not
	Fingerprints []passport.KeyDigest // of the keys of its media; nil when that is not known
	Priorities   []string             // r-values of Resource-Priority

	Trace *trace.Call // may be nil
}

// Answer is what a switch is to be told.
type Answer struct {
	Result   Result
	Identity []string     // Identity header field values to add: signed here, or retrieved
	Date     time.Time    // of the call, made from the iat of retrieved PASSporTs; zero where there are none, or where the row wants none
	Signed   stias.Signed // zero unless something was signed
	Verdict  *oob.Verdict // nil unless the call was to be verified
	Block    bool         // the call is not to go on: by the trunk's policy, and never for want of anything
	FailOpen Cause        // why less was done than should have been; empty when all went well
}

// Result is what came of a dip, for counting.
type Result string

// The results.
const (
	ResultNothing   Result = "nothing"   // nothing to do, by the row or by what the call is
	ResultSigned    Result = "signed"    //
	ResultPublished Result = "published" //
	ResultRetrieved Result = "retrieved" //
	ResultVerified  Result = "verified"  // a verdict was given, whatever it is
	ResultFailOpen  Result = "fail-open" // something failed, and the call goes on without it
)

// Cause is why a call went on with less than it should have had.
type Cause string

// The causes. CauseRefused and CauseCredential are faults of our own configuration, or of our standing: somebody has to be
// woken up.
const (
	CauseTimeout    Cause = "cps-timeout" // no CPS answered in time
	CauseFailed     Cause = "cps-failed"  // no CPS could be reached, or all of them failed
	CauseRefused    Cause = "cps-refused" // a CPS does not let us: 401, 403
	CauseOther      Cause = "cps-other"   // a CPS found fault with what we asked
	CauseCredential Cause = "credential"  // nothing can be signed with the credential that we have
	CauseDate       Cause = "date"        // the Date of the request is too far from now to sign it
	CauseUnsignable Cause = "unsignable"  // no PASSporT can name such a call
	CauseUnreadable Cause = "unreadable"  // the PASSporTs that came with the call cannot be published
	CauseBudget     Cause = "budget"      // the time of the trunk was over
	CauseInternal   Cause = "internal"    // a fault of ours
	CauseFetch      Cause = "certificate" // a certificate that the verdict depends on could not be had
	CauseAbandoned  Cause = "abandoned"   // the switch gave up before there was an answer
)

// Config is what a service needs.
type Config struct {
	SPC string // our own, under which we publish in the agreed form

	Signer *stias.Service // nil when nothing is signed

	Now func() time.Time // default time.Now
}

// Service does what switches ask for. It is safe for concurrent use.
type Service struct {
	config Config
	trunks atomic.Pointer[Trunks]
	placed placed
	tally  tally

	consumed consumed
}

// New makes a service.
func New(c Config) (*Service, error) {
	if c.SPC == "" {
		return nil, errors.New("a provider has a service provider code")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{config: c, placed: placed{now: c.Now}, consumed: consumed{now: c.Now}}, nil
}

// Do does for a call what its trunk says, and never takes longer than the trunk allows.
func (s *Service) Do(ctx context.Context, t *Trunk, call Call) (answer Answer) {
	began := s.config.Now()
	d := &doing{Service: s, trunk: t, call: call}
	d.noteCall()
	defer func() {
		if cause := recover(); cause != nil { // whatever is wrong with one call, it goes on, and so do the others
			call.Trace.Step("internal", "a fault of this program")
			answer = Answer{Result: ResultFailOpen, FailOpen: CauseInternal}
		}
		s.tally.add(t, call, answer, s.config.Now().Sub(began))
	}()
	ctx, cancel := latent.WithTimeout(ctx, t.Budget)
	defer cancel()
	answer = d.do(ctx)
	if answer.FailOpen != "" {
		answer.Result = ResultFailOpen
	}
	return answer
}

// doing is one dip under way.
type doing struct {
	*Service
	trunk *Trunk
	call  Call

	failing atomic.Bool // an attempt at a CPS has ended, and not well
	silent  atomic.Bool // one has ended without an answer
}

func (d *doing) do(ctx context.Context) Answer {
	p := &d.call.Parties
	if d.trunk.Mode == trunk.Off {
		return d.nothing("off", "the trunk is switched off")
	}
	switch {
	case p.Emergency:
		return d.nothing("bypass", "an emergency call is left alone")
	case p.Marked && (d.trunk.Mode.Signs() || d.trunk.Mode.Publishes()):
		return d.nothing("bypass", "a call that is marked as one of emergency services is left alone")
	case p.Marked:
		d.call.Trace.Step("marked", "as a call of emergency services, by its own word: served as any other")
	}
	if p.Unusable != "" {
		d.call.Trace.Step("no key", string(p.Unusable))
	}
	switch d.trunk.Mode {
	case trunk.Sign:
		return d.sign(ctx)
	case trunk.SignPublish:
		return d.signAndPublish(ctx)
	case trunk.Publish:
		return d.publish(ctx)
	case trunk.Retrieve:
		return d.retrieve(ctx)
	case trunk.Verify:
		return d.verify(ctx)
	}
	return d.nothing("off", "the trunk has no mode")
}

func (d *doing) nothing(step, why string) Answer {
	d.call.Trace.Step(step, why)
	return Answer{Result: ResultNothing}
}

// faultsContent tells whether a fault may be that of one PASSporT among several.
func faultsContent(err error) bool {
	switch oob.FaultOf(err).Kind {
	case oob.Malformed, oob.PassportInvalid, oob.PassportStale, oob.IdentityMismatch, oob.CredentialUntrusted, oob.CredentialUnreachable, oob.TooLarge:
		return true
	}
	return false
}

// causeOf tells why a CPS did not do what it was asked. NotFound is no failure, and has no cause.
func causeOf(err error) Cause {
	switch kind := oob.FaultOf(err).Kind; kind {
	case oob.NotFound:
		return ""
	case oob.PeerTimeout, oob.TooSlow:
		return CauseTimeout
	case oob.Unproven, oob.OutOfScope, oob.Refused, oob.TokenStale, oob.CredentialUntrusted, oob.CredentialUnreachable:
		return CauseRefused
	case oob.PeerFailed, oob.Overloaded, oob.Draining, oob.RateLimited, oob.QuotaExceeded:
		return CauseFailed
	case oob.Internal:
		return CauseInternal
	}
	return CauseOther
}
