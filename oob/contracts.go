package oob

import (
	"context"
	"time"

	"github.com/viaduct-oob/viaduct/tn"
)

// Outcome says what an act of publishing or spending did.
type Outcome uint8

// The outcomes.
const (
	Created  Outcome = iota + 1 // it happened now
	Repeated                    // it had happened before, in the same way; nothing changed
)

// Store is the shelf of a CPS. All methods may be called at the same time. An error is a [Fault]; what was refused has
// changed nothing. Who retries: the caller's caller; the store never does.
//
// Nothing is served at or after its Expires; nothing acknowledged is dropped before it, whatever else is published.
// Reading never deletes. It is not a database: it holds nothing older than the longest retention.
type Store interface {
	// Publish lays p under its key and remembers its token, both or neither. It answers Created when the publication can
	// be read by Retrieve, and Repeated when the same token was already used with the same Body. Faults: Replayed (same
	// token, other Body), DeadlinePassed (p.Expires is not in the future), QuotaExceeded (the publisher's or the key's
	// share is used up), Overloaded (the shelf is full); the last two with RetryAfter.
	Publish(ctx context.Context, p Publication) (Outcome, error)

	// Retrieve gives the live records under k, newest first. There being none is not an error.
	Retrieve(ctx context.Context, k Key) ([]Record, error)

	// RetrieveCalled gives the live records of a profile whose called party is dest, whoever calls, newest first, at most
	// limit of them: when there are more, of each publisher in turn. There being none is not an error.
	RetrieveCalled(ctx context.Context, p Profile, dest tn.Number, limit int) ([]Held, error)
	// FindCalled is RetrieveCalled of those alone that hold the PASSporT which id names.
	FindCalled(ctx context.Context, p Profile, dest tn.Number, id string) ([]Held, error)
	// Consume takes away the records under a key that hold a PASSporT, and until c.Until none that holds it is laid there any
	// more. Once it has answered they are not served. It answers Created to whoever was first, whether there was a record
	// already or not, and Repeated to the same again. Faults: Replayed (somebody else was first), Overloaded (no more can be
	// remembered).
	Consume(ctx context.Context, c Consumption) (Outcome, error)
	// Consumed tells whether the PASSporT that id names, see [PassportID], has been consumed under k. It lets a caller answer
	// before costly checks; only Publish and Consume decide.
	Consumed(k Key, id string) bool
	// Spend remembers the use of a token that changes nothing else, once: Replayed when it was used before, with
	// whatever Body; Overloaded when no more tokens can be remembered.
	Spend(ctx context.Context, use TokenUse) error

	// Used tells whether a token has been used, and whether with the same Body. It lets a caller answer a retry before
	// costly checks; only Publish and Spend decide.
	Used(use TokenUse) (used, same bool)

	// Stats tells how full the shelf is.
	Stats() StoreStats

	// Ready is nil when both publishing and retrieving work.
	Ready() error
}

// StoreStats tells how full a shelf is. The bytes are those of the PASSporTs; the memory that it takes is greater.
type StoreStats struct {
	Records, RecordsMax int64
	Bytes, BytesMax     int64
	Tokens, TokensMax   int64     // remembered token uses
	Publishers          int64     // publishers with at least one live record
	Oldest              time.Time // when the oldest live record was received, to the second; zero when there is none
}

// Publisher hands a publication to one or more CPSs. It returns nil once at least one of them has acknowledged it.
// An error is a Fault, and the call goes on without: no caller may stop a call because of it.
type Publisher interface {
	Publish(ctx context.Context, p Publication) error
}

// Retriever asks one or more CPSs for the PASSporTs under a key: the union, without duplicates, those of each CPS in its own
// order, newest first, and those of all CPSs in turn. Nothing
// being there is the Fault NotFound; any other Fault means that the answer is not known.
type Retriever interface {
	Retrieve(ctx context.Context, k Key) ([]string, error)
}

// Numbering tells which providers numbers belong to now, portability included. No certificate says that, and RFC 9888 §10
// cannot do without it.
type Numbering interface {
	// SPCs gives the service provider codes that hold n, mostly one. NotFound means that nothing is known of n; any other
	// Fault that the answer could not be had. It does not outlast ctx.
	SPCs(ctx context.Context, n tn.Number) ([]string, error)
}
