package jws

import (
	"strings"
	"sync"
)

// Memo remembers what was read from texts that come again and again: all tokens of one provider have the same header. What
// is remembered must follow from the text alone. The zero Memo is empty. It may be used by several goroutines at a time.
type Memo[T any] struct {
	mu    sync.RWMutex
	known map[string]T // guarded by mu
}

// Bounds of a Memo. There are some ten thousand certificate URLs in the network; a hostile flood of other texts makes a
// Memo begin anew, which costs what it would have cost without.
const (
	memoMost      = 16 << 10
	memoTextBytes = 1 << 10
)

// Get gives what was put under the text.
func (m *Memo[T]) Get(text string) (T, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	value, ok := m.known[text]
	return value, ok
}

// Put remembers a value, unless the text is unusually long.
func (m *Memo[T]) Put(text string, value T) {
	if len(text) > memoTextBytes {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= memoMost {
		m.known = map[string]T{}
	}
	m.known[strings.Clone(text)] = value // the text is part of a whole token
}

// Split is the function Split for tokens whose headers may be remembered. Of a token whose header is, it gives what is known,
// and leaves Header empty: a header that was read once need not be decoded again.
func (m *Memo[T]) Split(compact string, lengthMax int) (t Token, known T, found bool, err error) {
	header, payload, signature, err := cut(compact, lengthMax)
	if err == nil {
		known, found = m.Get(header)
	}
	if !found {
		t, err = Split(compact, lengthMax)
		return t, known, false, err
	}
	t.SigningInput = compact[:len(header)+1+len(payload)]
	if err := t.decodeRest(payload, signature); err != nil {
		var none T
		return Token{}, none, false, err
	}
	return t, known, true, nil
}

// HeaderText is the header segment as received.
func (t Token) HeaderText() string {
	text, _, _ := strings.Cut(t.SigningInput, ".")
	return text
}
