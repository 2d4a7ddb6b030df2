package stias

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Call is a call to be signed.
type Call struct {
	Orig     tn.Identity
	Dest     []tn.Identity // at least one
	Customer string        // who made the call, as the switch has authenticated it; empty when it does not know
	Gateway  bool          // the call came in from another network
	OrigID   string        // UUID that stands for its origin (RFC 8588 §5); empty for a new one
}

// Signed is a signed call.
type Signed struct {
	Passport string // compact form
	Attest   passport.Attestation
	Reason   string // why Attest, for a person; without numbers
	OrigID   string
	IAT      time.Time
	Identity identity.Header // the header field that carries Passport
}

// Sign makes the shaken PASSporT of a call (RFC 8588).
func (s *Service) Sign(call Call) (Signed, error) {
	now := s.now()
	if s.certificate != nil {
		// RFC 8224 §6.1: the date of what is signed lies inside the validity of the credential.
		if err := s.certificate.CheckTime(now); err != nil {
			return Signed{}, fmt.Errorf("signing credential: %w", err)
		}
	}
	signed := Signed{OrigID: call.OrigID, IAT: now.Truncate(time.Second).UTC()}
	signed.Attest, signed.Reason = s.Attest(call)
	if signed.OrigID == "" {
		signed.OrigID = s.newID()
	}
	compact, err := passport.Sign(s.key, passport.Shaken, s.x5u, passport.Claims{
		IAT: signed.IAT, Orig: call.Orig, Dest: call.Dest, Attest: signed.Attest, OrigID: signed.OrigID,
	})
	if err != nil {
		return Signed{}, fmt.Errorf("signing: %w", err)
	}
	signed.Passport = compact
	signed.Identity = identity.Header{Token: compact, Info: s.x5u, Alg: "ES256", PPT: string(passport.Shaken)}
	return signed, nil
}

// ErrNoPublisher is the PublishErr of a service that only signs.
var ErrNoPublisher = errors.New("no CPS to publish to")

// Placed is a signed call that was to be published. It is a good signature whatever PublishErr says: the call goes
// on with it in band, and out of band it merely arrives without.
type Placed struct {
	Signed
	PublishErr error // an *oob.Fault from the CPS, or ErrNoPublisher; nil when the PASSporT can be retrieved
}

// Place signs a call and publishes its PASSporT under a key; a zero expires leaves the retention to the CPS. The error
// is that of Sign. That publishing failed is no error of Place but in what it returns, so that nobody stops a call
// because of it. Publishing takes no longer than ctx allows.
func (s *Service) Place(ctx context.Context, call Call, key oob.Key, expires time.Time) (Placed, error) {
	signed, err := s.Sign(call)
	if err != nil {
		return Placed{}, err
	}
	placed := Placed{Signed: signed, PublishErr: ErrNoPublisher}
	if s.publisher != nil {
		placed.PublishErr = s.publisher.Publish(ctx, oob.Publication{
			Key: key, Passports: []string{signed.Passport}, Expires: expires,
		})
	}
	return placed, nil
}
