package webhook

import (
	"slices"
	"sync"
	"time"
)

// Bounds of the dead letters; the oldest go first.
const (
	DeadLettersMax   = 1000
	DeadLettersBytes = 8 << 20
)

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	Delivery string // UUID, as in Viaduct-Delivery
	At       time.Time
	Tries    int
	Why      string // of the last try
	Records  int
	Body     []byte // what was to be delivered; not to be altered
}

type deadLetters struct {
	mu      sync.Mutex
	letters []DeadLetter // guarded by mu; the oldest first
	bytes   int          // guarded by mu
}

func (d *deadLetters) add(letter DeadLetter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.letters = append(d.letters, letter)
	d.bytes += len(letter.Body)
	for len(d.letters) > DeadLettersMax || d.bytes > DeadLettersBytes && len(d.letters) > 1 {
		d.bytes -= len(d.letters[0].Body)
		d.letters[0] = DeadLetter{}
		d.letters = d.letters[1:]
	}
}

func (d *deadLetters) list() []DeadLetter {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.letters)
}
