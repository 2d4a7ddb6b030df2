// Package stias is the authentication service: it decides how far a provider vouches for a call, signs the PASSporT
// that says so, and publishes it for the far side of a TDM trunk.
//
// Knows: attestation (RFC 8588 §4), the provider's numbers and customers, its signing credential, the shaken
// PASSporT, the Identity header field. Never hears of: HTTP, SIP messages, how a CPS is reached.
//
// # Failures
//
// [New] refuses a credential that could only make worthless signatures. [Service.Sign] refuses a call that no PASSporT
// can name (its error holds a passport.Problem) and a certificate that is not valid now (a stircert.Problem). A call
// goes on without a signature then, and no less when a CPS could not be reached: see [Placed].
package stias

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

// Config says who signs and for whom.
type Config struct {
	SPC         string                // the provider; must be one of those in Certificate
	Key         crypto.Signer         // on P-256
	X5U         string                // https URL where others find Certificate
	Certificate *stircert.Certificate // of Key; nil when it is not at hand, and then nothing about it is checked
	Policy      Policy
	Publisher   oob.Publisher    // nil to sign only
	Now         func() time.Time // default time.Now
	NewID       func() string    // origid of calls that bring none; default a random UUID
}

// Service signs calls. It is safe for concurrent use.
type Service struct {
	key         crypto.Signer
	x5u         string
	certificate *stircert.Certificate
	policy      policy
	publisher   oob.Publisher
	now         func() time.Time
	newID       func() string
}

// New makes a service. It refuses a key that is not on P-256 or not that of the certificate, a certificate with which
// no PASSporT may be signed or that is another provider's, and an x5u that is no https URL or cannot stand in an
// Identity header field. An expired certificate is refused only when signing.
func New(cfg Config) (*Service, error) {
	if err := cfg.checkCredential(); err != nil {
		return nil, fmt.Errorf("signing credential: %w", err)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = uuid.New
	}
	return &Service{
		key: cfg.Key, x5u: cfg.X5U, certificate: cfg.Certificate, policy: cfg.Policy.compile(),
		publisher: cfg.Publisher, now: cfg.Now, newID: cfg.NewID,
	}, nil
}

func (cfg Config) checkCredential() error {
	if cfg.Key == nil {
		return errors.New("no key")
	}
	key, ok := cfg.Key.Public().(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return errors.New("the key is not on curve P-256")
	}
	field := identity.Header{Token: "a.b.c", Info: cfg.X5U}
	if _, err := field.MarshalText(); err != nil || !strings.HasPrefix(cfg.X5U, "https://") {
		return errors.New("the x5u is not an https URL that can stand in an Identity header field")
	}
	if cfg.Certificate == nil {
		return nil
	}
	if err := cfg.Certificate.CheckEndEntity(); err != nil {
		return err
	}
	if !cfg.Certificate.Key.Equal(key) {
		return errors.New("the key is not that of the certificate")
	}
	if !slices.Contains(cfg.Certificate.TNAuthList.SPCs, cfg.SPC) {
		return errors.New("the certificate is not that of the provider with this SPC")
	}
	return nil
}
