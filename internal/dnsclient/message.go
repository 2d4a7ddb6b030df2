package dnsclient

import (
	"fmt"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

type recordType = dnsmessage.Type

const (
	typeNAPTR recordType = 35 // RFC 3403 §4
	typeSVCB             = dnsmessage.TypeSVCB
)

// reader takes the body of a record whose header was just read.
type reader[R any] func(p *dnsmessage.Parser) (R, error)

// sections is what counts of an answer.
type sections[R any] struct {
	header  dnsmessage.Header
	rcode   dnsmessage.RCode
	records []record[R]

	soa      string // owner of the SOA record in the authority section
	negative uint32 // for which it lets its negative answers be kept, seconds
	hasSOA   bool
	referral bool // the authority section has NS records
}

// record is one of the wanted type, or an alias.
type record[R any] struct {
	owner string
	ttl   uint32
	alias bool
	to    string // of an alias
	body  R
}

// readAnswer reads a message that [query.match] has let through. The TTL of what it gives is as it came.
func readAnswer[R any](message []byte, name string, typ recordType, read reader[R]) (Answer[R], error) {
	s, err := readSections(message, typ, read)
	if err != nil {
		return Answer[R]{}, err
	}
	if s.rcode != dnsmessage.RCodeSuccess && s.rcode != dnsmessage.RCodeNameError {
		return Answer[R]{}, fmt.Errorf("%w: response code %d", Unwilling, s.rcode)
	}
	end, err := s.follow(name)
	if err != nil {
		return Answer[R]{}, err
	}
	answer := Answer[R]{Owner: end.name, Authenticated: s.header.AuthenticData}
	for _, r := range s.records {
		if !r.alias && r.owner == end.name {
			answer.Records = append(answer.Records, r.body)
			end.shorten(r.ttl)
		}
	}
	switch {
	case len(answer.Records) == 0:
		return Answer[R]{}, s.nothing(end)
	case s.rcode == dnsmessage.RCodeNameError:
		return Answer[R]{}, fmt.Errorf("%w: records of a name that does not exist", Malformed)
	}
	answer.TTL = end.ttl
	return answer, nil
}

// place is where aliases have led to.
type place struct {
	name    string
	ttl     time.Duration // the shortest so far
	aliases int
}

// shorten takes the TTL of one more record. A value with the highest bit set is zero (RFC 2181 §8).
func (p *place) shorten(ttl uint32) {
	if ttl > 1<<31-1 {
		ttl = 0
	}
	p.ttl = min(p.ttl, time.Duration(ttl)*time.Second)
}

// follow goes along the CNAME records of an answer; those that stand for a DNAME are in it too (RFC 6672 §3.1).
func (s *sections[R]) follow(name string) (place, error) {
	at := place{name: name, ttl: TTLLargest}
	for at.aliases <= AliasesMax {
		next, found := "", false
		for _, r := range s.records {
			switch {
			case r.owner != at.name:
			case !r.alias:
				return at, nil
			case found && r.to != next:
				return place{}, fmt.Errorf("%w: two aliases of one name", Astray)
			default:
				next, found = r.to, true
				at.shorten(r.ttl)
			}
		}
		if !found {
			return at, nil
		}
		at.name = next
		at.aliases++
	}
	return place{}, fmt.Errorf("%w: more than %d aliases", Astray, AliasesMax)
}

// nothing tells why there are no records at the end of the aliases (RFC 2308 §2). An answer without an SOA record cannot
// be kept for long (RFC 2308 §5), but there are servers that never send one.
func (s *sections[R]) nothing(end place) error {
	none := &NotExist{Authenticated: s.header.AuthenticData}
	switch {
	case s.hasSOA && within(end.name, s.soa):
		end.shorten(s.negative)
		none.TTL = end.ttl
	case s.rcode == dnsmessage.RCodeNameError:
	case end.aliases > 0:
		return fmt.Errorf("%w: out of the answer", Astray)
	case s.referral:
		return fmt.Errorf("%w: a referral to other servers", Unwilling)
	}
	return none
}

func readSections[R any](message []byte, typ recordType, read reader[R]) (*sections[R], error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return nil, malformed(err)
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, malformed(err)
	}
	s := &sections[R]{header: header, rcode: header.RCode}
	err = each(p.AnswerHeader, func(h dnsmessage.ResourceHeader) error {
		switch {
		case h.Class == dnsmessage.ClassINET && h.Type == typ:
			body, err := read(&p)
			s.records = append(s.records, record[R]{owner: lower(h.Name.String()), ttl: h.TTL, body: body})
			return err
		case h.Class == dnsmessage.ClassINET && h.Type == dnsmessage.TypeCNAME:
			body, err := p.CNAMEResource()
			s.records = append(s.records, record[R]{owner: lower(h.Name.String()), ttl: h.TTL, alias: true, to: lower(body.CNAME.String())})
			return err
		}
		return p.SkipAnswer()
	})
	if err != nil {
		return nil, err
	}
	err = each(p.AuthorityHeader, func(h dnsmessage.ResourceHeader) error {
		switch {
		case h.Class == dnsmessage.ClassINET && h.Type == dnsmessage.TypeSOA:
			body, err := p.SOAResource()
			s.soa, s.negative, s.hasSOA = lower(h.Name.String()), min(h.TTL, body.MinTTL), true
			return err
		case h.Type == dnsmessage.TypeNS:
			s.referral = true
		}
		return p.SkipAuthority()
	})
	if err != nil {
		return nil, err
	}
	err = each(p.AdditionalHeader, func(h dnsmessage.ResourceHeader) error {
		if h.Type == dnsmessage.TypeOPT {
			s.rcode = h.ExtendedRCode(header.RCode)
		}
		return p.SkipAdditional()
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// each goes through a section.
func each(next func() (dnsmessage.ResourceHeader, error), take func(dnsmessage.ResourceHeader) error) error {
	for n := 0; ; n++ {
		h, err := next()
		switch {
		case err == dnsmessage.ErrSectionDone:
			return nil
		case err != nil:
			return malformed(err)
		case n == RecordsMax:
			return fmt.Errorf("%w: more than %d records", TooMuch, RecordsMax)
		}
		if err := take(h); err != nil {
			return malformed(err)
		}
	}
}

func malformed(err error) error { return fmt.Errorf("%w: %w", Malformed, err) }
