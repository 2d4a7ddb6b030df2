package stias

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"slices"
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
	Trunk    string        // where the call came in; empty when that does not matter
	Gateway  bool          // the call came in from another network
	OrigID   string        // UUID that stands for its origin (RFC 8588 §5); empty for that of the policy

	// Fingerprints are those of the keys of its media (SDP a=fingerprint); nil when there are none, or when none are to be
	// protected.
	Fingerprints []passport.KeyDigest

	// Attest is what the caller's side asks for; empty for what the policy gives. Less than that is granted.
	Attest passport.Attestation

	// Date is when the request was made, as its Date header field says; zero for now.
	Date time.Time

	// Vouched says that the call came with a PASSporT of a delegate certificate for Orig, and that the verification
	// service believes it (ATIS-1000092).
	Vouched bool

	// Carried are the Identity header values, or bare PASSporTs, that came with the call and that the verification
	// service believes.
	Carried []string
}

// Signed is a signed call.
type Signed struct {
	Passport string // compact form
	Decision        // zero for a diversion; without attestation where a delegate signs
	OrigID   string // empty for a diversion, and where a delegate signs
	IAT      time.Time
	Identity identity.Header // the header field that carries Passport; zero for a div-o, which no SIP message carries
}

// Fresh is how far the Date of a request, or the iat of a PASSporT, may be from now (RFC 8224 §6.1).
var Fresh = oob.Freshness{Past: time.Minute, Future: time.Minute}

// Sign makes the shaken PASSporT of a call (RFC 8588); a delegate makes one without type. Refusals: LeftUnsigned, AlreadySigned,
// NotEntitled, NotCovered, StaleDate, Untrusted.
func (s *Service) Sign(call Call) (Signed, error) {
	rule, decision := s.decide(call)
	if decision.Attest == Unsigned {
		return Signed{}, LeftUnsigned
	}
	if call.Attest != "" {
		if !call.Attest.Valid() {
			return Signed{}, fmt.Errorf("attestation asked for: %w", passport.AttestInvalid)
		}
		if call.Attest < decision.Attest {
			return Signed{}, NotEntitled
		}
		if call.Attest > decision.Attest {
			decision.Attest, decision.Reason = call.Attest, reasonModest
		}
	}
	now := s.cfg.Now()
	date, err := dated(call.Date, now)
	if err != nil {
		return Signed{}, err
	}
	if !rule.resign && s.fitsAny(call, now) {
		return Signed{}, AlreadySigned
	}
	signed := Signed{Decision: decision, OrigID: s.origID(call, rule), IAT: date}
	if s.callType() == passport.Base {
		if decision.Attest != passport.AttestFull { // what has no attestation says as much as A
			return Signed{}, LeftUnsigned
		}
		signed.Attest, signed.OrigID = "", ""
	}
	return s.sign(signed, now, s.callType(), passport.Claims{
		IAT: signed.IAT, Orig: call.Orig, Dest: call.Dest, Attest: signed.Attest, OrigID: signed.OrigID,
		MKY: call.Fingerprints,
	})
}

// callType is that of the PASSporTs that say who calls: shaken, or without type where a delegate signs.
func (s *Service) callType() passport.Type {
	if s.cfg.SPC == "" {
		return passport.Base
	}
	return passport.Shaken
}

// sign adds the PASSporT to what is known of it.
func (s *Service) sign(signed Signed, now time.Time, ppt passport.Type, claims passport.Claims) (Signed, error) {
	with := s.borrow()
	defer with.giveBack()
	if s.cfg.SPC == "" && !with.lists(claims.SpeaksFor(ppt)) {
		return Signed{}, NotCovered
	}
	for _, at := range [...]time.Time{now, claims.IAT} {
		if err := with.checkAt(at); err != nil {
			return Signed{}, fmt.Errorf("signing credential: %w", err)
		}
	}
	compact, err := passport.Sign(with.Key, ppt, with.X5U, claims)
	if err != nil {
		return Signed{}, fmt.Errorf("signing: %w", err)
	}
	signed.Passport = compact
	signed.Identity = identity.Header{Token: compact, Info: with.X5U, Alg: "ES256", PPT: string(ppt)}
	return signed, nil
}

// fitsAny reports whether the call carries a fresh shaken PASSporT for just these numbers, or one such as would be made here.
func (s *Service) fitsAny(call Call, now time.Time) bool {
	for t := range carried(call.Carried) {
		if (t.Header.PPT == passport.Shaken || t.Header.PPT == s.callType()) && t.Claims.Orig == call.Orig && Fresh.Check(t.Claims.IAT, now) == nil &&
			!slices.ContainsFunc(call.Dest, func(dest tn.Identity) bool { return !t.Claims.Names(dest) }) {
			return true
		}
	}
	return false
}

// CarriedBytesMax is how much is read of the Identity header values of one call, in bytes.
const CarriedBytesMax = identity.HeadersMax * identity.BytesMax

// carried gives the PASSporTs of Identity header values, without those that are none: what cannot be read hides nothing
// behind it.
func carried(values []string) iter.Seq[*passport.Token] {
	return func(yield func(*passport.Token) bool) {
		room, bytes := identity.HeadersMax, CarriedBytesMax
		for _, value := range values {
			if len(value) > identity.BytesMax {
				continue // refused without being read
			}
			if bytes -= len(value); bytes < 0 || room == 0 {
				return
			}
			header, err := identity.Parse(value)
			if err != nil {
				continue
			}
			token, err := passport.Parse(header.Token)
			if err != nil {
				continue
			}
			if room--; !yield(token) {
				return
			}
		}
	}
}

// origID stands for the origin of a call: what the call brings, else as its row says.
func (s *Service) origID(call Call, r *rule) string {
	switch {
	case call.OrigID != "":
		return call.OrigID
	case r.origID == DerivedOrigID:
		return derive(s.cfg.OrigIDSecret, call)
	case r.origID != "":
		return r.origID
	}
	return s.cfg.NewID()
}

// derive gives a UUID of version 8 (RFC 9562 §5.8) that is the same for all calls of a customer on a trunk.
func derive(secret []byte, call Call) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%q %q", call.Trunk, call.Customer)
	id := mac.Sum(nil)[:16]
	id[6] = id[6]&0x0f | 8<<4
	id[8] = id[8]&0x3f | 0b10<<6
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func (p *policy) derives() bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.origID == DerivedOrigID })
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
	if s.cfg.Publisher != nil {
		placed.PublishErr = s.cfg.Publisher.Publish(ctx, oob.Publication{
			Key: key, Passports: []string{signed.Passport}, Expires: expires,
		})
	}
	return placed, nil
}
