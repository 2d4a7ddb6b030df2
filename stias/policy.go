package stias

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Policy says what the provider knows, on which attestation rests. It is a table: the first row that fits a call
// decides. Own and Customers are two rows below Rows, for providers that need no more than that.
type Policy struct {
	Rows      []Row      // first
	Own       []tn.Range // second: numbers of the provider's own customers get A, whoever calls
	Customers []string   // third: known customers get B; by the name under which the switch has authenticated them
	Home      []string   // country codes of home, such as 1, for rows on international calls

	// Priorities say who may assert which priority; nobody any when there are none.
	Priorities []PriorityRow
}

// Unsigned is what a row gives to calls that are to go on without a PASSporT.
const Unsigned passport.Attestation = "none"

// DerivedOrigID is the origid of a row whose calls share one UUID for each customer and trunk. Nobody who lacks
// Config.OrigIDSecret can tell from it who that is.
const DerivedOrigID = "derived"

// Row is one rule. What it leaves empty fits every call.
type Row struct {
	Name string // told of a call that it decides, so without numbers; default "row 1" and so on

	Customers     []string   // who made the call
	Trunks        []string   // where it came in
	Numbers       []tn.Range // the calling number
	International bool       // only calls to a number outside Policy.Home

	Attest passport.Attestation // A, B, C or Unsigned; A only where the row lists Numbers
	OrigID string               // empty for a new one for each call, a UUID, or DerivedOrigID (RFC 8588 §5)
	Resign bool                 // sign also what carries a PASSporT that fits
}

// rule is a Row made ready for lookup.
type rule struct {
	name          string
	reason        string
	attest        passport.Attestation
	origID        string
	resign        bool
	numbered      bool
	numbers       numbers
	international bool
}

// origin is where a call comes from; empty fields stand for any.
type origin struct{ trunk, customer string }

// policy is a Policy made ready for lookup. It finds the rows of one customer or trunk among a million of others in the
// same time; rows for any customer and any trunk are tried one by one, so list many numbers in one row.
type policy struct {
	rules []rule
	from  map[origin][]int // indices of rules, ascending
	home  []string
	ours  numbers // all that may be attested A: over them the provider has authority

	priorities []PriorityRow
}

const (
	reasonOwn      = "the number is the provider's own and the call began in its network"
	reasonCustomer = "the customer is known, the number is not the provider's own"
	reasonUnknown  = "neither the number nor the customer is known"
	reasonGateway  = "the call came in from another network"
	reasonVouched  = "the customer is known and has shown a delegate certificate for the number"
	reasonListed   = "the certificate of a delegate lists the number"
	reasonModest   = "the caller's side asked for no more"
)

var rowReasons = map[passport.Attestation]string{
	passport.AttestFull:    "the number is listed for this customer or trunk",
	passport.AttestPartial: "the customer or trunk is known, the number is not listed for it",
	passport.AttestGateway: "no more is known than where the call came in",
	Unsigned:               "the policy leaves such calls unsigned",
}

func (p Policy) compile() (policy, error) {
	for _, code := range p.Home {
		if code == "" || strings.Trim(code, "0123456789") != "" {
			return policy{}, errors.New("policy: a country code of home is not digits alone")
		}
	}
	for i, row := range p.Priorities {
		if err := row.check(); err != nil {
			return policy{}, fmt.Errorf("policy, row %d of priorities: %w", i+1, err)
		}
	}
	c := policy{from: map[origin][]int{}, home: p.Home, priorities: slices.Clone(p.Priorities)}
	ours := slices.Clone(p.Own)
	for i, row := range p.Rows {
		if row.Name == "" {
			row.Name = fmt.Sprintf("row %d", i+1)
		}
		if err := row.check(p.Home); err != nil {
			return policy{}, fmt.Errorf("policy, %s: %w", row.Name, err)
		}
		if row.Attest == passport.AttestFull {
			ours = append(ours, row.Numbers...)
		}
		c.add(row, rowReasons[row.Attest])
	}
	known := slices.DeleteFunc(slices.Clone(p.Customers), func(name string) bool { return name == "" }) // nobody is not a customer
	if len(p.Own) > 0 {
		c.add(Row{Name: "own numbers", Numbers: p.Own, Attest: passport.AttestFull}, reasonOwn)
	}
	if len(known) > 0 {
		c.add(Row{Name: "known customers", Customers: known, Attest: passport.AttestPartial}, reasonCustomer)
	}
	c.add(Row{Name: "anything else", Attest: passport.AttestGateway}, reasonUnknown)
	c.ours = newNumbers(ours)
	return c, nil
}

func (r Row) check(home []string) error {
	switch {
	case rowReasons[r.Attest] == "":
		return errors.New("the attestation is none of A, B, C and none")
	case r.Attest == passport.AttestFull && len(r.Numbers) == 0:
		return errors.New("attestation A is for listed numbers alone: whoever calls could use any")
	case slices.Contains(r.Customers, "") || slices.Contains(r.Trunks, ""):
		return errors.New("an empty name is neither a customer nor a trunk")
	case r.OrigID != "" && r.OrigID != DerivedOrigID && !uuid.Is(r.OrigID):
		return errors.New("the origid is not a UUID")
	case r.International && len(home) == 0:
		return errors.New("without country codes of home no call is international")
	}
	return nil
}

// add appends a rule and files it under every pair of trunk and customer that it names.
func (p *policy) add(row Row, reason string) {
	for _, trunk := range orAny(row.Trunks) {
		for _, customer := range orAny(row.Customers) {
			from := origin{trunk, customer}
			p.from[from] = append(p.from[from], len(p.rules))
		}
	}
	p.rules = append(p.rules, rule{
		name: row.Name, reason: reason, attest: row.Attest, origID: row.OrigID, resign: row.Resign,
		numbered: len(row.Numbers) > 0, numbers: newNumbers(row.Numbers), international: row.International,
	})
}

func orAny(names []string) []string {
	if len(names) == 0 {
		return []string{""}
	}
	return names
}

// decide finds the first rule that fits. There is one: the last fits every call.
func (p *policy) decide(call Call) *rule {
	first := len(p.rules) - 1
	froms := [...]origin{{call.Trunk, call.Customer}, {call.Trunk, ""}, {"", call.Customer}, {"", ""}}
	for i, from := range froms {
		if slices.Contains(froms[:i], from) {
			continue // neither trunk nor customer is known
		}
		for _, at := range p.from[from] {
			if at >= first {
				break
			}
			if p.fits(&p.rules[at], call) {
				first = at
				break
			}
		}
	}
	return &p.rules[first]
}

func (p *policy) fits(r *rule, call Call) bool {
	if r.numbered {
		number, ok := call.Orig.Number()
		if !ok || !r.numbers.contain(number) {
			return false
		}
	}
	return !r.international || slices.ContainsFunc(call.Dest, p.isAbroad)
}

// shortMax is the most digits that a number has which only one country knows, such as 911 or 116123.
const shortMax = 6

func (p *policy) isAbroad(id tn.Identity) bool {
	number, ok := id.Number()
	text := number.String()
	if !ok || len(text) <= shortMax || strings.ContainsAny(text, "*#") {
		return false
	}
	return !slices.ContainsFunc(p.home, func(code string) bool { return strings.HasPrefix(text, code) })
}

// Decision is how far the provider vouches for a call, and why.
type Decision struct {
	Attest passport.Attestation // A, B, C or Unsigned
	Reason string               // a sentence for a person, without numbers
	Row    string               // name of the row that decided
}

// Attest decides how far the provider vouches for a call (RFC 8588 §4): as the first row of its Policy says that fits,
// or C when none does. Two things stand above the table:
//
//	from another network ──────────────────► C at most   whatever the number: a spoofed own number must not become A
//	known customer, delegate certificate ──► A for B     the customer has proven its right to the number (Call.Vouched)
//
// and one below it: a delegate's own numbers, see the package comment.
//
// An own number counts as the caller's because the call began in the provider's network: that each customer uses no
// number but its own is for the switch to see to, or for a row that lists the numbers of each.
func (s *Service) Attest(call Call) Decision {
	_, decision := s.decide(call)
	return decision
}

func (s *Service) decide(call Call) (*rule, Decision) {
	p := s.policy.Load()
	r := p.decide(call)
	d := Decision{Attest: r.attest, Reason: r.reason, Row: r.name}
	switch {
	case d.Attest == Unsigned:
	case call.Gateway:
		d.Attest, d.Reason = passport.AttestGateway, reasonGateway
	case call.Vouched && d.Attest == passport.AttestPartial:
		// ATIS-1000092: proof of the right to a number is what B lacks; it says nothing about who the customer is.
		d.Attest, d.Reason = passport.AttestFull, reasonVouched
	case s.cfg.SPC == "" && r == &p.rules[len(p.rules)-1] && s.credentials.Load().current.lists(call.Orig):
		d.Attest, d.Reason = passport.AttestFull, reasonListed
	}
	return r, d
}
