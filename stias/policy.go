package stias

import (
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Policy says what the provider knows, on which attestation rests.
type Policy struct {
	Own       []tn.Range // numbers of the provider's own customers
	Customers []string   // known customers, by the name under which the switch has authenticated them
}

// policy is a Policy made ready for lookup.
type policy struct {
	own       numbers
	customers map[string]struct{}
}

func (p Policy) compile() policy {
	compiled := policy{own: newNumbers(p.Own), customers: make(map[string]struct{}, len(p.Customers))}
	for _, name := range p.Customers {
		if name != "" { // nobody is not a customer
			compiled.customers[name] = struct{}{}
		}
	}
	return compiled
}

// Attest decides how far the provider vouches for a call (RFC 8588 §4), and says why in a sentence without numbers:
//
//	from another network ─► C     whatever the number: a spoofed own number must not become A
//	own number ───────────► A
//	known customer ───────► B
//	anything else ────────► C
//
// A number counts as the caller's because it is the provider's and the call began in its network: that each customer
// uses no number but its own is for the switch to see to.
func (s *Service) Attest(call Call) (attest passport.Attestation, reason string) {
	if call.Gateway {
		return passport.AttestGateway, "the call came in from another network"
	}
	if number, ok := call.Orig.Number(); ok && s.policy.own.contain(number) {
		return passport.AttestFull, "the number is the provider's own and the call began in its network"
	}
	if _, known := s.policy.customers[call.Customer]; known {
		return passport.AttestPartial, "the customer is known, the number is not the provider's own"
	}
	return passport.AttestGateway, "neither the number nor the customer is known"
}
