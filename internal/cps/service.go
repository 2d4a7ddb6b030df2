// Package cps is the judge of a Call Placement Service: who may publish and retrieve, what is stored, for how long and
// how much of it.
//
// Knows: the claims that a requester signed, principals, keys, records, limits. Never hears of: HTTP, JSON, TLS, the
// bytes of any dialect, how the shelf is built.
//
// publish.go and retrieve.go read from top to bottom as the rules of one operation, in the order in which they are
// applied: what costs nothing first, then what costs a signature, then what may cost a fetch.
//
// # Failures
//
// Every refusal is an *oob.Fault; its detail may be told to the requester.
package cps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
)

// Config is what an operator decides. Zero values are safe unless the comment says that a field is needed.
type Config struct {
	Store     oob.Store
	Inspector *Inspector // looks at PASSporTs before they are stored; needed

	// Audience are the names under which this CPS is addressed in aud. Never derived from Host or :authority. Needed.
	Audience []string

	// TokenFreshness is the window for iat of an access token; zero means 60 s back and 5 s ahead.
	TokenFreshness oob.Freshness

	// AnyTokenID takes a jti of any text; otherwise it has to be a version 4 UUID (ATIS-1000096 §7).
	AnyTokenID bool

	// Retention is how long a record is kept, by profile, when its publisher did not say; no entry means the profile's default.
	Retention map[oob.Profile]time.Duration

	Allow   []string            // SPCs that may ask; empty means every proven SPC
	Deny    []string            // SPCs that may not, whatever Allow says
	Readers map[string][]string // by publishing SPC, who may read its records; no entry means everybody. The publisher itself always may.

	// Numbering tells whose a called number is, where who may read follows from that (Row.ByScope). Without it, certificates
	// that name providers give nobody anything to read there but what Everything allows.
	Numbering oob.Numbering

	// Everything lists the SPCs that may read every called number: those of a CPS that serves one provider alone.
	Everything []string

	// Serves lists the SPCs of the terminating providers whose calls are taken, where the form lets the CPS know; empty means
	// everybody's.
	Serves []string

	Relay RelayConfig // how this CPS takes part in a mesh

	// Hub tells of what is published. Without it nobody can subscribe, and nothing is waited for.
	Hub *push.Hub

	PublishRate  Rate // per SPC
	RetrieveRate Rate // per SPC
	OpenRate     Rate // per address, where anybody may publish (Row.Open)
	Nodes        int  // that share the rates of SPCs, see gossip.go; 0 or 1 for this one alone, at most 1024

	Now func() time.Time // nil means time.Now
}

// Service is one CPS. Its methods may be called at the same time.
type Service struct {
	config      Config
	audience    map[string]bool
	allow, deny map[string]bool
	readers     map[string]map[string]bool
	everything  map[string]bool
	serves      map[string]bool
	publishes   *limiter
	retrieves   *limiter
	relays      *limiter
	relayedPast time.Duration // how old a record that is relayed can be
	origins     *limiter      // by address
	claimed     *limiter      // by address and signer, while he is not proven
	gossip      *gossip
	misses      misses
	draining    atomic.Bool
}

// New checks the configuration.
func New(c Config) (*Service, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.TokenFreshness = c.TokenFreshness.Or(oob.Freshness{Past: time.Minute, Future: 5 * time.Second})
	if c.Now == nil {
		c.Now = time.Now
	}
	now := c.Now()
	s := &Service{
		config:     c,
		audience:   setOf(c.Audience),
		allow:      setOf(c.Allow),
		deny:       setOf(c.Deny),
		readers:    map[string]map[string]bool{},
		everything: setOf(c.Everything),
		serves:     setOf(c.Serves),
		publishes:  newLimiter(c.PublishRate, c.Nodes, now),
		retrieves:  newLimiter(c.RetrieveRate, c.Nodes, now),
		relays:     newLimiter(c.Relay.Rate, c.Nodes, now),
		origins:    newLimiter(c.OpenRate, 1, now),
		claimed:    newLimiter(c.PublishRate, 1, now),
	}
	s.gossip = newGossip(c.Nodes, now, [sharedKinds]*limiter{sharedPublishes: s.publishes, sharedRetrieves: s.retrieves, sharedRelays: s.relays})
	for _, profile := range oob.Profiles() {
		if row := profile.Row(); row.Relayed {
			s.relayedPast = max(s.relayedPast, row.RetentionMax)
		}
	}
	for publisher, list := range c.Readers {
		s.readers[publisher] = setOf(append([]string{publisher}, list...))
	}
	return s, nil
}

func (c Config) check() error {
	switch {
	case c.Store == nil || c.Inspector == nil:
		return errors.New("a CPS needs a store and an inspector")
	case c.Inspector.Depth == InspectVerify && c.Inspector.Verifier == nil:
		return errors.New("an inspector that verifies needs a verifier")
	case len(c.Audience) == 0 || slices.Contains(c.Audience, ""):
		return errors.New("a CPS needs at least one audience name, and none that is empty")
	case min(c.PublishRate.PerSecond, c.RetrieveRate.PerSecond, c.OpenRate.PerSecond, c.Relay.Rate.PerSecond) < 0,
		min(c.PublishRate.Burst, c.RetrieveRate.Burst, c.OpenRate.Burst, c.Relay.Rate.Burst) < 0:
		return errors.New("a rate must not be negative")
	case c.Nodes < 0 || c.Nodes > nodesMax:
		return fmt.Errorf("0 to %d nodes share rates", nodesMax)
	}
	for profile, kept := range c.Retention {
		if row := profile.Row(); kept < row.RetentionMin || kept > row.RetentionMax {
			return fmt.Errorf("retention of %s must be between %s and %s", row.Name, row.RetentionMin, row.RetentionMax)
		}
	}
	return nil
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Request is one request as a door hands it over: the slot it is about, what the requester signed, and the way to prove
// who that is. Prove is called after everything that costs nothing, and once; of a subscription from time to time again.
type Request struct {
	Key       oob.Key
	Access    oob.Access
	Bare      bool          // there is no access token: who asks proves himself otherwise, or not at all (Row.Open)
	Passports []string      // publish only
	Digest    string        // publish only: the digest of Passports, as the dialect computes it
	Token     string        // publish only: the access token itself, where it may have to be passed on (Row.Relayed)
	Original  *Original     // relay only: the token of who has published; nil when the relay has none
	Origin    string        // where the request came from, as the door counts addresses; needed where Row.Open
	Wait      time.Duration // retrieve only, where Row.Pushed: how long to wait for something to come
	Waiting   func() error  // called when waiting begins, if not nil; its error ends it

	// Prove proves who asks; issuer is what the access token says, empty without one.
	Prove func(ctx context.Context, issuer string) (oob.Principal, error)

	item string // what alone is asked for, see Item
}

// Health is nil while both operations work (ATIS-1000096 §7).
func (s *Service) Health() error {
	if s.draining.Load() {
		return oob.Faultf(oob.Draining, "this CPS is shutting down")
	}
	if err := s.config.Store.Ready(); err != nil {
		return oob.Faultf(oob.Overloaded, "the store is not ready").Because(err)
	}
	return nil
}

// Drain makes Health fail, so that load balancers and clients go elsewhere. Requests are still served.
func (s *Service) Drain() { s.draining.Store(true) }

// MissesBySPC counts, for each SPC, the retrievals that found nothing: guessing looks like that.
func (s *Service) MissesBySPC() map[string]int64 { return s.misses.bySPC() }

// Inspections counts what the inspector found, by outcome.
func (s *Service) Inspections() map[string]int64 { return s.config.Inspector.Counts() }
