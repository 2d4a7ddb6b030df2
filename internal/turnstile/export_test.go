package turnstile

// KnownMax is how many guests are remembered to be proven.
const KnownMax = knownMax

// Queues is how many there are.
func (t *Turnstile) Queues() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.halls[0].queues) + len(t.halls[1].queues) + len(t.relays.queues)
}

// Known is how many guests are remembered to be proven.
func (t *Turnstile) Known() int {
	t.known.mu.Lock()
	defer t.known.mu.Unlock()
	return len(t.known.guests)
}
