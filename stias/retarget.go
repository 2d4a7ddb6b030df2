package stias

import (
	"time"

	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Retargeting is the retargeting of one call as told by the switch that has done it, and that keeps the PASSporTs of the
// call to itself, as a signing request of TS 24.229 §V does. Where they are at hand, use [Service.Divert], which sees to it
// that there is one to follow.
type Retargeting struct {
	Orig tn.Identity   // the caller
	From tn.Identity   // the called party before
	To   []tn.Identity // the called party now; at least one
	HI   string        // index of From in History-Info (RFC 8946 §8); empty for none
	Date time.Time     // the iat: that of the PASSporT that came, or of the retargeting; zero for now
}

// Retarget signs a div PASSporT with authority over the former called party (RFC 8946 §3). Refusals: NotRetargeted,
// NoAuthority, StaleDate, Untrusted.
func (s *Service) Retarget(r Retargeting) (Signed, error) {
	for _, to := range r.To {
		if to == r.From {
			return Signed{}, NotRetargeted
		}
	}
	if !s.hasAuthority(r.From) {
		return Signed{}, NoAuthority
	}
	now := s.cfg.Now()
	date, err := dated(r.Date, now)
	if err != nil {
		return Signed{}, err
	}
	return s.sign(Signed{IAT: date}, now, passport.Div, passport.Claims{
		IAT: date, Orig: r.Orig, Dest: r.To, Div: r.From, DivHI: r.HI,
	})
}
