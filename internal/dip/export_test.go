package dip

import (
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Consumed is the memory of what was consumed.
type Consumed struct{ consumed }

// NewConsumed makes one.
func NewConsumed() *Consumed { return &Consumed{consumed{now: time.Now}} }

// Begin remembers.
func (c *Consumed) Begin(key oob.Key, call string, texts []string) (may, again bool) {
	return c.begin(key, call, texts)
}

// Of finds.
func (c *Consumed) Of(key oob.Key, call string) (texts []string, mine bool) { return c.of(key, call) }
