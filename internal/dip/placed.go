package dip

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

// Bounds of what is remembered of calls that were published; see the package comment.
const (
	PlacedMax = 20_000
	PlacedFor = time.Minute
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
// same PASSporTs.
func (d *doing) placing() (name placingName) {
	h := sha256.New()
	write := func(texts ...string) {
		for _, text := range texts {
			var length [8]byte
			binary.BigEndian.PutUint64(length[:], uint64(len(text)))
			h.Write(length[:])
			h.Write([]byte(text))
		}
	}
	write(d.call.ID, d.trunk.Name, d.call.Parties.Orig.String(), d.call.Parties.Dest.String())
	write(d.trunk.CPS...)
	write(d.call.Carried...)
	h.Sum(name[:0])
	return name
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
