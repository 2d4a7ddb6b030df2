package stias

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// PriorityRow says which priorities a customer or a trunk may assert. What it leaves empty fits every call.
type PriorityRow struct {
	Customers []string
	Trunks    []string
	Values    []string // r-values, such as ets.0; in either case (RFC 4412 §3.1)
	Callback  bool     // also that the call is one of emergency services that call back: sph is psap-callback (RFC 9027 §4)
}

// Prioritised is a call that a Resource-Priority header field came with, for which its PASSporT is to speak.
type Prioritised struct {
	Orig     tn.Identity
	Dest     []tn.Identity // at least one
	Customer string        // as in Call
	Trunk    string        // as in Call
	Values   []string      // r-values of the header field
	SPH      string        // psap-callback, or empty
	Date     time.Time     // as in Call
}

// Prioritise makes the rph PASSporT of a call (RFC 8443), which stands beside that of its caller. Every value must be
// one that the policy lets this customer or trunk assert (RFC 8443 §4.1): of a header field that may say a part of what it
// says, the switch has to take the rest away. Refusals: PriorityNotEntitled, StaleDate, Untrusted.
func (s *Service) Prioritise(call Prioritised) (Signed, error) {
	if !s.policy.Load().entitles(call) {
		return Signed{}, PriorityNotEntitled
	}
	now := s.cfg.Now()
	date, err := dated(call.Date, now)
	if err != nil {
		return Signed{}, err
	}
	return s.sign(Signed{IAT: date}, now, passport.RPH, passport.Claims{
		IAT: date, Orig: call.Orig, Dest: call.Dest, RPH: call.Values, SPH: call.SPH,
	})
}

// dated is the iat of a request that was made at date, or now when that is not said.
func dated(date, now time.Time) (time.Time, error) {
	if date.IsZero() {
		date = now
	}
	if Fresh.Check(date, now) != nil {
		return time.Time{}, StaleDate
	}
	return date.Truncate(time.Second).UTC(), nil
}

// entitles reports whether some row lets the call assert each of its values, and one the callback.
func (p *policy) entitles(call Prioritised) bool {
	mayCallBack := call.SPH == ""
	for _, value := range call.Values {
		may := false
		for _, row := range p.priorities {
			if !row.fits(call) || !slices.ContainsFunc(row.Values, func(v string) bool { return strings.EqualFold(v, value) }) {
				continue
			}
			may = true
			mayCallBack = mayCallBack || row.Callback
		}
		if !may {
			return false
		}
	}
	return mayCallBack && len(call.Values) > 0
}

func (r PriorityRow) fits(call Prioritised) bool {
	return (len(r.Customers) == 0 || slices.Contains(r.Customers, call.Customer)) &&
		(len(r.Trunks) == 0 || slices.Contains(r.Trunks, call.Trunk))
}

func (r PriorityRow) check() error {
	switch {
	case len(r.Customers) == 0 && len(r.Trunks) == 0:
		return errors.New("priorities are for named customers or trunks alone: everybody could assert them")
	case slices.Contains(r.Customers, "") || slices.Contains(r.Trunks, ""):
		return errors.New("an empty name is neither a customer nor a trunk")
	case len(r.Values) == 0 || slices.ContainsFunc(r.Values, func(v string) bool { return !passport.IsPriority(v) }):
		return errors.New("the values are not r-values, such as ets.0")
	}
	return nil
}
