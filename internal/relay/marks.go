package relay

import (
	"crypto/sha256"
	"sync"
	"time"
)

// marksTopic is under which nodes tell each other what is done.
const marksTopic = "relay"

// mark names a CPS.
type mark [8]byte

func markOf(url string) (m mark) {
	hash := sha256.Sum256([]byte(url))
	copy(m[:], hash[:])
	return m
}

// marksFirst begins every message: the version of its form. What follows is pairs, none or more, of the name of a record and that
// of a CPS that has it.
const (
	marksFirst = 1
	markBytes  = 16 + len(mark{})
	marksMost  = 4096 // in a message
)

// marks gathers what is done until it is told.
type marks struct {
	off  bool // there is nobody to tell
	mu   sync.Mutex
	text []byte // guarded by mu

	told time.Time // when other nodes were last told anything; of who tells
}

// tellEvery is how often other nodes are told something although nothing was done: that this one is there.
const tellEvery = 500 * time.Millisecond

// marksWaiting bounds what is gathered: ten messages. Beyond, marks are lost, and records passed on twice at worst.
const marksWaiting = 10 * marksMost * markBytes

func (m *marks) add(id [16]byte, by mark) {
	if m.off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.text) < marksWaiting {
		m.text = append(append(m.text, id[:]...), by[:]...)
	}
}

func (m *marks) take() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := m.text
	m.text = nil
	return text
}

// sendMarks tells the other nodes what was done since the last time, and now and then that nothing was.
func (r *Relay) sendMarks() {
	text, now := r.marks.take(), r.cfg.Now()
	if r.marks.off || len(text) == 0 && now.Sub(r.marks.told) < tellEvery {
		return
	}
	r.marks.told = now
	for {
		some := text[:min(len(text), marksMost*markBytes)]
		text = text[len(some):]
		r.cfg.Broadcast(marksTopic, append([]byte{marksFirst}, some...))
		if len(text) == 0 {
			return
		}
	}
}

// hear takes what another node has told. What is no such message is none.
func (r *Relay) hear(node string, data []byte) {
	if len(data) == 0 || data[0] != marksFirst || (len(data)-1)%markBytes != 0 || !sameSite(node, r.cfg.Node) {
		return
	}
	r.watch.hears(node, r.cfg.Now())
	all := map[mark]bool{}
	r.mu.Lock()
	for _, l := range r.lanes {
		all[l.mark] = true
	}
	r.mu.Unlock()
	for text := data[1:]; len(text) > 0; text = text[markBytes:] {
		r.watch.done([16]byte(text), mark(text[16:]), all)
	}
}
