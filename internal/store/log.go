package store

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Log carries events to the views of all nodes.
//
// It applies every event to this node's view at least once, events of one token in an order that is the same on all
// nodes. An event that it applies again changes nothing.
type Log interface {
	// Append makes ev part of the log, and returns what the first application of ev to this node's view gave. After an
	// error it is not known whether ev has been or will be applied.
	Append(ctx context.Context, ev Event) (Outcome, error)

	// Ready is nil when Append works and the view is not behind.
	Ready() error
}

// Event is one entry of the log: something that was admitted, and now happens on every node. It is all value: written
// out, and read again elsewhere, it means the same.
type Event struct {
	Act         Act
	At          time.Time       // by the clock of the node that admitted it; decides instead of the clock of who applies it
	Publication oob.Publication // for Spent, only its Use is set
}

// Act is what happened.
type Act uint8

// The acts.
const (
	Laid  Act = iota + 1 // a publication was laid on the shelf, with the use of its token
	Spent                // a token was used for something that left nothing on the shelf
)

// Outcome is what applying an event did.
type Outcome uint8

// The outcomes. Only Created changed the view.
const (
	Created  Outcome = iota + 1 // it happened now
	Repeated                    // a publication with this token and the same body had been laid before
	Replayed                    // the token had been used before, for something else or for a reading
)

// outcomeOf is the outcome of laying a publication whose token had been used before.
func outcomeOf(same bool) Outcome {
	if same {
		return Repeated
	}
	return Replayed
}
