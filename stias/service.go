// Package stias is the authentication service: it decides how far a provider vouches for a call, signs the PASSporT
// that says so, signs on when a call is retargeted, and publishes for the far side of a TDM trunk.
//
// Knows: attestation (RFC 8588 §4) and the table that it follows, the provider's numbers, customers and trunks, its
// signing credential and the change to the next one, the PASSporTs shaken, div, div-o and rph, the Identity header field.
// Never hears of: HTTP, SIP messages, files, how a CPS is reached, where a key is kept.
//
// Read sign.go first, then policy.go, change.go, divert.go, retarget.go and priority.go.
//
// # Failures
//
// [New] and [Service.SetCredential] refuse a credential that could only make worthless signatures. [Service.Sign],
// [Service.Divert], [Service.Retarget] and [Service.Prioritise] sign nothing when there is a [Refusal], when the certificate is not valid now (a stircert.Problem),
// and for a call that no PASSporT can name (a passport.Problem). A call goes on without a signature then, and no less
// when a CPS could not be reached: see [Placed]. No error and no printed value holds a key.
//
// # Delegates
//
// A gateway that works for another provider has a certificate from it that lists numbers, and mostly no provider code
// (RFC 9060, RFC 9888 §7). A service without an SPC signs with such a one, and for no number that its certificate does not list:
// [NotCovered]. Attestation is for providers to give (ATIS-1000092). So what it signs is a PASSporT without type, which says that
// the caller has a right to the number and nothing less: calls that the policy gives less than A stay unsigned. Where no row
// of the policy fits, a number of the certificate is A.
//
// # Limits
//
// Of one call, HeadersMax of package identity PASSporTs are looked at, in the first [CarriedBytesMax] of its Identity header
// values; DivDepthMax of package passport says how many retargetings go into each other.
package stias

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// Config says who signs and for whom. However it is printed or encoded, no secret of it is.
type Config struct {
	SPC        string     // the provider; must be one of those in the certificate. Empty for a delegate: see the package comment
	Credential Credential // signs from the start, as soon as it is valid
	Policy     Policy
	Publisher  oob.Publisher    // nil to sign only
	Now        func() time.Time // default time.Now
	NewID      func() string    // origid of calls that bring none; default a random UUID

	// For the change of credentials; see [Service.SetCredential]. Each may be nil.
	Load   func(context.Context) (Credential, error)                   // reads the credential anew, from its files for instance
	Served func(ctx context.Context, x5u string) (*trust.Chain, error) // what x5u serves now, past all caches
	Judge  func(*trust.Chain) error                                    // whether the provider's own certificate is believed and not revoked
	Margin time.Duration                                               // default ClockMargin

	// OrigIDSecret makes the origids of rows that derive them; at least OrigIDSecretMin random bytes. Who knows it can
	// tell which customers and trunks they stand for.
	OrigIDSecret []byte

	// FreshDiversions lets a div PASSporT carry the time of the retargeting. It carries the iat of the one that came, as
	// long as that is fresh, when false (RFC 8946 §3).
	FreshDiversions bool
}

// OrigIDSecretMin is the least length of Config.OrigIDSecret, in bytes.
const OrigIDSecretMin = 16

// Format keeps every secret out of every print, whatever the verb.
func (cfg Config) Format(f fmt.State, _ rune) { io.WriteString(f, cfg.text()) } // fmt keeps no errors of its writers

// MarshalText keeps every secret out of every encoding, that of log records among them.
func (cfg Config) MarshalText() ([]byte, error) { return []byte(cfg.text()), nil }

func (cfg Config) text() string {
	return "authentication service of " + cfg.SPC + ", " + cfg.Credential.text()
}

// Service signs calls. It is safe for concurrent use.
type Service struct {
	cfg    Config // without Credential
	policy atomic.Pointer[policy]

	credentials atomic.Pointer[credentials] // what signatures are made with, read without a lock
	changing    sync.Mutex                  // held by who stores credentials; may be held for as long as the network takes
}

// Format prints no more than Config does.
func (s *Service) Format(f fmt.State, verb rune) { s.cfg.Format(f, verb) }

// New makes a service. It refuses a credential whose key is not on P-256 or not that of the certificate, whose
// certificate is another provider's or one with which no PASSporT may be signed, and whose x5u is no https URL or cannot
// stand in an Identity header field. One that is expired or not believed is refused only when signing, so that a service
// can start and get another. It refuses a policy with a row that cannot be meant.
func New(cfg Config) (*Service, error) {
	if err := cfg.Credential.check(cfg.SPC); err != nil {
		return nil, fmt.Errorf("signing credential: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.New
	}
	if cfg.Margin <= 0 {
		cfg.Margin = ClockMargin
	}
	s := &Service{cfg: cfg}
	if err := s.SetPolicy(cfg.Policy); err != nil {
		return nil, err
	}
	s.credentials.Store(&credentials{current: newSigning(cfg.Credential)})
	s.judgeCurrent()
	return s, nil
}

// SetPolicy changes to another policy, or refuses one that cannot be meant and changes nothing.
func (s *Service) SetPolicy(p Policy) error {
	compiled, err := p.ready(s.cfg.OrigIDSecret)
	if err == nil {
		s.policy.Store(&compiled)
	}
	return err
}

// Check refuses a policy with a row that cannot be meant, or that wants origids derived where the secret is too short for it.
func (p Policy) Check(origIDSecret []byte) error {
	_, err := p.ready(origIDSecret)
	return err
}

func (p Policy) ready(origIDSecret []byte) (policy, error) {
	compiled, err := p.compile()
	if err == nil && compiled.derives() && len(origIDSecret) < OrigIDSecretMin {
		err = errors.New("policy: a row derives its origids, and there is no secret to derive them with")
	}
	return compiled, err
}
