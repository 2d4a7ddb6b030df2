package trace

import (
	"encoding/binary"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// packing writes a record as bytes or reads it back. A settled record is kept packed: its size is exact, it holds on to
// no packet that it came in, and the garbage collector has nothing to look for in it. One list of fields serves both
// ways; the bytes never leave the process.
type packing struct {
	out     []byte // written
	in      string // still to be read
	reading bool
}

// pack appends a record to b, each text cut at its bound.
func pack(b []byte, r *Record) []byte {
	p := packing{out: b}
	p.record(r)
	return p.out
}

// unpack reads what pack has written.
func unpack(b []byte) *Record {
	p, r := packing{in: string(b), reading: true}, &Record{}
	p.record(r)
	return r
}

func (p *packing) record(r *Record) {
	p.text(&r.ID)
	p.time(&r.Began)
	integer(p, &r.Took)
	p.text(&r.Door)
	p.address(&r.Peer)
	p.address(&r.Local)
	for _, s := range []*string{&r.CallID, &r.CallKey, &r.Trunk, &r.Mode, &r.KeySPC, &r.Profile, &r.Unusable, &r.Attest, &r.OrigID,
		&r.X5U, &r.Row, &r.Reason, &r.Verstat, &r.SignerSPC, &r.Case, &r.Doubt, &r.FailOpen, &r.WithdrawnReason} {
		p.text(s)
	}
	for _, id := range []*tn.Identity{&r.Orig, &r.Dest, &r.KeyOrig, &r.KeyDest, &r.RedirectedFrom} {
		p.identity(id)
	}
	for _, b := range []*bool{&r.Restricted, &r.Emergency, &r.Repeated, &r.Cancelled} {
		p.flag(b)
	}
	p.time(&r.IAT)
	p.time(&r.Withdrawn)
	for _, n := range []*int{&r.Tries, &r.ReasonCode, &r.SIPCode} {
		integer(p, n)
	}
	list(p, &r.Publish, p.attempt)
	list(p, &r.Retrieve, p.attempt)
	list(p, &r.Passports, func(s *string) { p.textUpTo(s, passportBytes) })
	list(p, &r.Checks, p.check)
	list(p, &r.Steps, p.step)
	list(p, &r.Messages, p.message)
}

func (p *packing) attempt(a *Attempt) {
	p.text(&a.CPS)
	p.text(&a.Status)
	integer(p, &a.Count)
	integer(p, &a.Began)
	integer(p, &a.Took)
}

func (p *packing) check(c *oob.Check) {
	for _, s := range []*string{&c.Name, &c.Of, &c.Case, &c.Section, (*string)(&c.Outcome), &c.Detail} {
		p.text(s)
	}
	p.time(&c.At)
	integer(p, &c.Took)
}

func (p *packing) step(s *Step) {
	integer(p, &s.At)
	p.text(&s.Name)
	p.text(&s.Detail)
}

func (p *packing) message(m *Message) {
	integer(p, &m.At)
	p.flag(&m.In)
	p.text(&m.Transport)
	p.address(&m.From)
	p.address(&m.To)
	text := string(m.Bytes)
	p.textUpTo(&text, MessagesBytes)
	if p.reading {
		m.Bytes = []byte(text)
	}
}

func list[T any](p *packing, items *[]T, one func(*T)) {
	n := len(*items)
	integer(p, &n)
	if p.reading && n > 0 {
		*items = make([]T, n)
	}
	for i := range *items {
		one(&(*items)[i])
	}
}

func integer[T ~int | ~int64](p *packing, n *T) {
	if !p.reading {
		p.out = binary.AppendVarint(p.out, int64(*n))
		return
	}
	v, size := binary.Varint([]byte(p.in[:min(len(p.in), binary.MaxVarintLen64)]))
	*n, p.in = T(v), p.in[size:]
}

func (p *packing) flag(b *bool) {
	n := 0
	if *b {
		n = 1
	}
	integer(p, &n)
	if p.reading { // a record that is written may be read by others meanwhile
		*b = n == 1
	}
}

// time keeps an instant without its monotonic reading.
func (p *packing) time(t *time.Time) {
	seconds, nanos := t.Unix(), t.Nanosecond()
	integer(p, &seconds)
	integer(p, &nanos)
	if p.reading {
		*t = time.Unix(seconds, int64(nanos)).UTC()
	}
}

func (p *packing) text(s *string) { p.textUpTo(s, TextBytesMax) }

func (p *packing) textUpTo(s *string, most int) {
	text := clip(*s, most)
	n := len(text)
	integer(p, &n)
	if p.reading {
		*s, p.in = p.in[:n], p.in[n:]
		return
	}
	p.out = append(p.out, text...)
}

func (p *packing) identity(id *tn.Identity) {
	text := id.String()
	p.textUpTo(&text, tn.URILengthMax)
	if p.reading && text != "" {
		id.UnmarshalText([]byte(text)) // what an Identity has written it reads
	}
}

func (p *packing) address(a *netip.AddrPort) {
	if p.reading {
		var text string
		p.text(&text)
		if text != "" {
			a.UnmarshalBinary([]byte(text)) // what an AddrPort has written it reads
		}
		return
	}
	at := len(p.out)
	p.out = append(p.out, 0) // room for the length, which is below 64: one byte
	if a.IsValid() {
		p.out, _ = a.AppendBinary(p.out) // never fails
	}
	p.out[at] = byte(len(p.out)-at-1) << 1 // as a varint
}

// clip cuts a text at its bound, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}
