package store

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Log carries events to the views of all nodes.
//
// It applies every event to this node's view at least once, in an order that is the same on all nodes for events with the
// same Use.ID. All others commute, and an event that is applied again changes nothing.
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
	Publication oob.Publication // for Spent, only its Use is set; for Consumed its Key and Use, whose ID is an [oob.PassportHash]
	Node        string          // which node admitted it; empty where there is one alone
	Foreign     bool            // another site's; not in what is written, for it depends on who reads it
}

// Act is what happened.
type Act uint8

// The acts.
const (
	Laid     Act = iota + 1 // a publication was laid on the shelf, with the use of its token
	Spent                   // a token was used for something that left nothing on the shelf
	Consumed                // a reader has no more need of the records that hold a PASSporT, nor ever will
)

// Outcome is what applying an event did.
type Outcome uint8

// The outcomes. Only Created changed the view.
const (
	Created  Outcome = iota + 1 // it happened now
	Repeated                    // the same had happened before; or what was to be laid had been consumed
	Replayed                    // the token had been used before, for something else or for a reading; somebody else had consumed it
)

// outcomeOf is the outcome of laying a publication whose token had been used before.
func outcomeOf(same bool) Outcome {
	if same {
		return Repeated
	}
	return Replayed
}
