package turnstile

import (
	"os"
	"runtime"
)

// usher gives places to those who wait, after the runtime has looked what has come over the network: it looks only where nothing is
// left to be run, or every ten milliseconds, and whoever has not been seen yet is in no queue. So the usher waits for something that
// comes by way of the network poller, as requests do. There is one while anybody waits; see Turnstile.leave for when it is called.
func (t *Turnstile) usher() {
	for {
		t.bell.listen()
		runtime.Gosched() // so that who has come with the bell is in a queue, too
		t.mu.Lock()
		t.looked = t.now()
		t.admit()
		if !t.anybody() {
			t.ushered = false
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
	}
}

// callUsher sees to it that there is an usher, unless none is wanted or the system gives none. The caller holds mu.
func (t *Turnstile) callUsher() {
	if t.ushered || t.config.Look < 0 {
		return
	}
	if t.bell == nil {
		in, out, err := os.Pipe()
		if err != nil {
			return
		}
		t.bell = &bell{in, out}
	}
	t.ushered = true
	go t.usher()
}

// bell is a pipe. A ring is never lost; one that nobody has listened to makes the next listener look up once for nothing.
type bell struct{ in, out *os.File }

var stroke = []byte{0}

func (b *bell) ring() { _, _ = b.out.Write(stroke) } // takes as many as there are places: it fits

func (b *bell) listen() {
	var room [64]byte
	_, _ = b.in.Read(room[:]) // nobody closes it
}
