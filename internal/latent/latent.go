// Package latent has contexts whose deadline costs nothing until somebody waits for it: on the road of a warm request
// nobody does, and a timer for each would be a good part of its cost.
//
// Knows: contexts, the clock of the process. Never hears of: what is waited for.
package latent

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is context.WithTimeout, but the timer is started when Done is first called. Call cancel when the work is
// done, as there.
func WithTimeout(parent context.Context, timeout time.Duration) (ctx context.Context, cancel context.CancelFunc) {
	deadline := time.Now().Add(timeout)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	c := &latent{Context: parent, deadline: deadline}
	return c, c.cancel
}

type latent struct {
	context.Context // the parent
	deadline        time.Time

	mu       sync.Mutex
	armed    context.Context    // guarded by mu; nil before the first Done
	disarm   context.CancelFunc // guarded by mu
	canceled bool               // guarded by mu
}

// Deadline implements context.Context.
func (c *latent) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *latent) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed == nil {
		c.armed, c.disarm = context.WithDeadline(c.Context, c.deadline)
		if c.canceled {
			c.disarm()
		}
	}
	return c.armed.Done()
}

// Err implements context.Context.
func (c *latent) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.armed != nil:
		return c.armed.Err()
	case c.Context.Err() != nil:
		return c.Context.Err()
	case c.canceled:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

func (c *latent) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	if c.disarm != nil {
		c.disarm()
	}
}
