package dip

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"sync"
	"time"
)

// Bounds of what is remembered of calls that were published; see the package comment. PlacedFor is less than CPSs keep a
// record, 15 s by default: a second dip after that time finds the call published no more, and has to publish it again. It
// is also much less than a PASSporT is fresh, so that none is handed out that is nearly stale.
const (
	PlacedMax = 20_000
	PlacedFor = 10 * time.Second
)

// placingName tells one publishing of one call from all others.
type placingName [sha256.Size]byte

// placing is one publishing, under way or done.
type placing struct {
	name   placingName
	began  time.Time
	done   chan struct{} // closed when answer is there
	answer Answer        // written before done is closed
}

// placed remembers publishings, the oldest first.
type placed struct {
	now func() time.Time

	mu     sync.Mutex
	byName map[placingName]*placing // guarded by mu
	queue  []*placing               // by age; may hold what is forgotten already; guarded by mu
}

// placing names what this dip is to publish: of the same call, on the same trunk, between the same parties, with the
// same PASSporTs, or the same to be said in those that are made here.
func (d *doing) placing() (name placingName) {
	text := make([]byte, 0, 512)
	write := func(texts ...string) { // so that no two lists of texts are one
		text = binary.BigEndian.AppendUint32(text, uint32(len(texts)))
		for _, t := range texts {
			text = append(binary.BigEndian.AppendUint32(text, uint32(len(t))), t...)
		}
	}
	call, p, signing := &d.call, &d.call.Parties, &d.trunk.Signing
	write(call.ID, d.trunk.Name, d.trunk.Mode.String(), p.Orig.String(), p.Dest.String(), p.DivertedFrom.String(), p.HI)
	write(call.Customer, string(call.Attest), call.OrigID)
	write(signing.Customer, strconv.FormatBool(signing.Gateway), string(signing.Attest))
	write(d.trunk.CPS...)
	write(call.Carried...)
	write(call.Priorities...)
	return sha256.Sum256(text)
}

// enter finds a publishing, or begins it; mine says which. Who begins it has to leave it.
func (p *placed) enter(name placingName) (one *placing, mine bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for len(p.queue) > 0 && (len(p.queue) >= PlacedMax || now.Sub(p.queue[0].began) >= PlacedFor) {
		p.drop(p.queue[0])
		p.queue[0] = nil
		p.queue = p.queue[1:]
	}
	if one, known := p.byName[name]; known {
		return one, false
	}
	if p.byName == nil {
		p.byName = map[placingName]*placing{}
	}
	one = &placing{name: name, began: now, done: make(chan struct{})}
	p.byName[name] = one
	p.queue = append(p.queue, one)
	return one, true
}

// leave lets those go on who wait for it.
func (p *placed) leave(one *placing) { close(one.done) }

// forget makes room for another try.
func (p *placed) forget(one *placing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(one)
}

func (p *placed) forgetAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byName, p.queue = nil, nil
}

// drop needs mu.
func (p *placed) drop(one *placing) {
	if p.byName[one.name] == one {
		delete(p.byName, one.name)
	}
}

func (p *placed) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.byName)
}
