// Package stivs is the verification service: it finds the PASSporT of a call, in band or out of band, checks it, and
// gives a verdict that shows every check.
//
// Knows: the checks of RFC 8224 §6.2, the cases of ATIS-1000082 and our own (cases.go), chains of diversions (RFC 8946),
// what PASSporTs say beside who calls (rph, rich call data), which PASSporT has been used, where to look for one and for
// how long. Never hears of: HTTP, SIP messages, how a CPS or a certificate repository is reached.
//
// Read verify.go first, then candidate.go, steps.go, believe.go, ways.go, once.go.
//
// # What decides
//
// One good PASSporT suffices, wherever it came from (RFC 8224 §6.2: only when all are invalid is the call's identity
// invalid). In band comes first; out of band is asked when no PASSporT in band has passed, also when there were some
// and all failed: whoever wants to get around a bad one could as well leave it away, so that to refuse the second
// look would protect nobody, and would punish calls whose header was damaged on the way. [Differ] has both roads
// compared. When none passes, the one that got furthest through the checks decides, the first of those that got equally
// far. The checks run from form to signature, so a PASSporT that names this call and this minute and is not believed
// outranks garbage, and TN-Validation-Failed outranks No-TN-Validation; PASSporTs of types that prove no caller come
// last, because they are ignored (RFC 8224 §6.2, step 1). None of this can make a call pass: for that a PASSporT must
// pass every check itself. The other way round, whoever may publish for two numbers can have a call between them that
// came without a PASSporT marked TN-Validation-Failed, as whoever adds a header can in band.
//
// Shaken proves a caller; base and rcd PASSporTs, which delegates sign for their numbers, where [Config] accepts them.
// A PASSporT that names another called party is good where div PASSporTs, each of them good, lead from there to this
// one (RFC 8946 §4.2). All of a way come on one road.
//
// # A PASSporT is used once
//
// A PASSporT verifies one call, see [Memory]. In band that is all: the PASSporT came with its call. Out of band nothing
// ties a PASSporT to one of several calls between the same two numbers, so when more calls have come than there are
// PASSporTs, none of them is verified, and those that had been are withdrawn. A [Call.Preview] keeps out of all this.
//
// # Failures
//
// There are none: [Service.Verify] always gives a verdict, within its budget. Whatever fails that is not the
// PASSporT's fault ends in No-TN-Validation, with a check that says why, and the call goes on.
//
// # Limits
//
// [BudgetDefault], identity.HeadersMax header fields in band, the [RetrievedMax] most promising PASSporTs out of band,
// [NestedMax] more that are nested in these, [MemoryMax], [RichLinksMax], [RichContentBytesMax]. No certificate is fetched for a
// PASSporT that is not fresh or names another call. What remains of the budget is divided evenly among the PASSporTs
// that need a certificate, and the look out of band, so that one repository that hangs cannot use it up.
package stivs

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// BudgetDefault is the time for one verdict where the configuration says none: less than a caller notices on top of
// call set-up, enough for one retrieval and one certificate.
const BudgetDefault = 2 * time.Second

// RetrievedMax bounds how many of the PASSporTs that were retrieved for one call are judged.
const RetrievedMax = 32

// freshnessDefault is that of RFC 8224 §6.2 and of ATIS-1000082.
var freshnessDefault = oob.Freshness{Past: time.Minute, Future: time.Minute}

// Config says whom to believe, where to look and for how long.
type Config struct {
	Verifier  *trust.Verifier
	Retriever oob.Retriever    // nil to look in band only
	Freshness oob.Freshness    // of the call's date and of iat; zero means 60 s on both sides
	Transfer  time.Duration    // how old a PASSporT may be whose call was diverted since (RFC 8946 §4.2); less than Freshness.Past means that
	Budget    time.Duration    // for one verdict, all waiting included; zero means BudgetDefault
	Now       func() time.Time // default time.Now

	// Accept lists the types that prove a caller besides shaken: passport.Base and passport.RCD, which delegates sign.
	// What they prove has no attestation.
	Accept []passport.Type

	// PrioritySigners lists the SPCs whose rph PASSporTs count. Nothing in a certificate says who may authorise a
	// priority, so nobody's do by default.
	PrioritySigners []string

	// ThirdParties lists who may say more of a caller than the number though the call is not theirs: the iss of their rcd
	// PASSporTs (RFC 9795 §10). Everybody with a certificate can sign one, so none are shown by default.
	ThirdParties []string

	// Differ says what to do when both roads have a good PASSporT and they differ. The zero Differ asks out of band only
	// when none in band has passed.
	Differ Differ

	// FetchRich fetches the content that rich call data refers to (RFC 9795 §6), within the budget: a logo, a jCard. It
	// lets signers make this service fetch from hosts of theirs. Without it, such content is not shown.
	FetchRich bool

	// Memory is shared by services that see the same calls; nil for one of its own.
	Memory *Memory

	// KeepOutnumbered leaves calls verified although more calls came than there were PASSporTs out of band. By default
	// they are not: which of them the PASSporTs belong to is not known. Whoever places spoofed calls can so take the
	// mark from genuine ones between the same two numbers, but cannot get it.
	KeepOutnumbered bool

	// Withdrawn, if not nil, is told the ID of a call whose verdict holds no longer, and why; maybe more than once. It must
	// not block.
	Withdrawn func(call, why string)
}

// Differ is what to do about a good PASSporT in band and a good one out of band that are not the same.
type Differ uint8

// The policies.
const (
	NotCompared      Differ = iota // what is in band decides, and out of band is not looked for
	InBandDecides                  // the difference is noted as a doubt, as in all that follow
	OutOfBandDecides               //
	LowerDecides                   // that with the lower attestation; in band if they are equal
	NobodyDecides                  // the call is not verified: V3
)

// Service verifies calls. It is safe for concurrent use.
type Service struct {
	verifier        *trust.Verifier
	retriever       oob.Retriever
	freshness       oob.Freshness
	transfer        time.Duration
	budget          time.Duration
	now             func() time.Time
	accepted        map[passport.Type]bool
	prioritySigners map[string]bool
	differ          Differ
	thirdParties    []string
	fetchRich       bool
	memory          *Memory
	keepOutnumbered bool
	withdrawn       func(call, why string)
}

// New makes a service.
func New(cfg Config) (*Service, error) {
	if cfg.Verifier == nil {
		return nil, errors.New("verification service: nothing to believe certificates with")
	}
	if cfg.Budget < 0 || cfg.Freshness.Past < 0 || cfg.Freshness.Future < 0 || cfg.Transfer < 0 {
		return nil, errors.New("verification service: a negative duration")
	}
	if cfg.Budget == 0 {
		cfg.Budget = BudgetDefault
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{
		verifier: cfg.Verifier, retriever: cfg.Retriever, freshness: cfg.Freshness.Or(freshnessDefault),
		transfer: cfg.Transfer, budget: cfg.Budget, now: cfg.Now, differ: cfg.Differ, fetchRich: cfg.FetchRich, thirdParties: slices.Clone(cfg.ThirdParties),
		memory: cfg.Memory, keepOutnumbered: cfg.KeepOutnumbered, withdrawn: cfg.Withdrawn,
		accepted: make(map[passport.Type]bool), prioritySigners: make(map[string]bool),
	}
	for _, ppt := range cfg.Accept {
		if ppt != passport.Base && ppt != passport.RCD && ppt != passport.Shaken {
			return nil, fmt.Errorf("verification service: PASSporTs of type %q prove no caller", ppt)
		}
		s.accepted[ppt] = true
	}
	for _, spc := range cfg.PrioritySigners {
		s.prioritySigners[spc] = true
	}
	if s.memory == nil {
		s.memory = NewMemory(s.freshness, s.transfer)
	}
	if !s.memory.covers(s.freshness, s.transfer) {
		return nil, errors.New("verification service: the memory forgets sooner than PASSporTs become stale")
	}
	return s, nil
}

// Call is a call to be verified, as signalling describes it.
type Call struct {
	// ID tells calls apart: a call that is verified again, because its request came again or took another route, has the
	// same, and no other call has. Who replays a request copies its Call-ID too: take together what tells retransmissions,
	// the Call-ID with the From tag and who sent it. Without an ID, each call of Verify is a call of its own, and a second
	// one with the same PASSporT is not verified; its verdict cannot be withdrawn. One of more than IDBytesMax is verified
	// in band alone.
	ID string

	Orig     tn.Identity // the caller: P-Asserted-Identity, else From
	Dest     tn.Identity // the called party: the Request-URI
	Identity []string    // Identity header field values, any number
	Time     time.Time   // Date of the request, or the parameter time of ATIS-1000082; zero for now
	Key      oob.Key     // the slot to look in out of band; zero to look in band only

	Fingerprints []passport.KeyDigest // of the keys of its media (SDP a=fingerprint); nil when that is not known, empty when there are none
	Message      []byte               // MIME body of a message (RFC 9475); nil for a call

	// Preview says that the verdict is for ourselves, as before a call is signed, and nobody is told that the call is
	// verified: no PASSporT is used up by it, the call is not counted, and none is withdrawn. Whether a PASSporT has been
	// used, and how many calls have come, does not matter to it either: a call has another ID on its next leg, and the
	// question is answered where a verdict is given.
	Preview bool
}
