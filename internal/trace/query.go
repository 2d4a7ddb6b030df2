package trace

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/tn"
)

// Bounds of a search.
const (
	SearchDefault = 100
	SearchMax     = 1000
)

// Query says which records are looked for. What is zero fits every record.
type Query struct {
	ID       string      // of one record
	Number   tn.Identity // either party, as it came, in the key, or before a diversion
	From, To time.Time   // when the request came, both ends included
	CallID   string
	OrigID   string
	Trunk    string
	Limit    int // default SearchDefault, at most SearchMax
}

var errQuery = errors.New("not a search for records")

// ParseQuery reads a query as a URL has it: id, number, from, to (RFC 3339), call_id, origid, trunk, limit, each at most
// once. A number is canonical, or has a + before it. Unknown names, empty values and what is out of bounds are refused;
// the error does not repeat the value.
func ParseQuery(values url.Values) (Query, error) {
	var q Query
	for name, all := range values {
		if len(all) != 1 || all[0] == "" || len(all[0]) > TextBytesMax {
			return Query{}, fmt.Errorf("%w: each parameter has one value of 1 to %d bytes", errQuery, TextBytesMax)
		}
		known, err := q.set(name, all[0])
		switch {
		case !known:
			return Query{}, fmt.Errorf("%w: the parameters are id, number, from, to, call_id, origid, trunk and limit", errQuery)
		case err != nil:
			return Query{}, fmt.Errorf("%w: %s: %w", errQuery, name, err)
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return Query{}, fmt.Errorf("%w: to is before from", errQuery)
	}
	return q, nil
}

func (q *Query) set(name, value string) (known bool, err error) {
	switch name {
	case "id":
		if q.ID = value; !uuid.Is(value) {
			err = errors.New("not a UUID")
		}
	case "number":
		q.Number, err = tn.ParseIdentity(strings.TrimPrefix(value, "+"))
	case "from":
		q.From, err = instant(value)
	case "to":
		q.To, err = instant(value)
	case "call_id":
		q.CallID = value
	case "origid":
		q.OrigID = value
	case "trunk":
		q.Trunk = value
	case "limit":
		if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > SearchMax {
			err = fmt.Errorf("not a number from 1 to %d", SearchMax)
		}
	default:
		return false, nil
	}
	return true, err
}

func instant(value string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, errors.New("not a time as in RFC 3339")
	}
	return t, nil
}

// fits tells whether a record is looked for.
func (q Query) fits(r *Record) bool {
	if !q.Number.IsZero() {
		found := false
		for _, party := range r.parties() {
			found = found || party == q.Number
		}
		if !found {
			return false
		}
	}
	return q.during(r.Began) && (q.ID == "" || q.ID == r.ID) && (q.CallID == "" || q.CallID == r.CallID) &&
		(q.OrigID == "" || q.OrigID == r.OrigID) && (q.Trunk == "" || q.Trunk == r.Trunk)
}

func (q Query) during(t time.Time) bool {
	return (q.From.IsZero() || !t.Before(q.From)) && (q.To.IsZero() || !t.After(q.To))
}

// Search finds records that have been answered, the newest first, and shows of them what the role may see. Who may search
// as Masked can still confirm a number that he already suspects; so whoever lets strangers search limits how often.
func (r *Recorder) Search(q Query, role Role) []View {
	views := []View{}
	for _, record := range r.Find(q) {
		views = append(views, record.View(role))
	}
	return views
}

// Find is Search for whoever may see everything, such as an export of messages. The records are the caller's own.
func (r *Recorder) Find(q Query) []*Record {
	if r == nil {
		return nil
	}
	if q.Limit <= 0 {
		q.Limit = SearchDefault
	}
	q.Limit = min(q.Limit, SearchMax)
	q.CallID, q.OrigID, q.Trunk = clip(q.CallID, TextBytesMax), clip(q.OrigID, TextBytesMax), clip(q.Trunk, TextBytesMax)
	oldest := time.Now().Add(-r.cfg.Age)
	if q.From.Before(oldest) {
		q.From = oldest
	}
	r.mu.Lock()
	settling, settled := slices.Concat(r.open.calls, r.ended.calls), slices.Clone(r.ring.entries)
	r.mu.Unlock()
	slices.SortStableFunc(settling, func(a, b *Call) int { return a.finished.Compare(b.finished) }) // finished stays as it is

	var found []*Record
	for i := len(settling) - 1; i >= 0 && len(found) < q.Limit; i-- {
		if record := settling[i].copy(); q.fits(record) {
			found = append(found, record)
		}
	}
	for i := len(settled) - 1; i >= 0 && len(found) < q.Limit; i-- {
		if !q.during(time.Unix(0, settled[i].began)) {
			continue
		}
		if record := settled[i].about(q.ID, q.Number.String(), q.CallID, q.OrigID, q.Trunk); record != nil && q.fits(record) {
			found = append(found, record)
		}
	}
	return found
}

// about unpacks a record in which all the texts occur; of another it gives nil. Texts lie in it as they are, so most
// records need not be unpacked to be passed over.
func (e entry) about(texts ...string) *Record {
	for _, text := range texts {
		if !bytes.Contains(e.packed, []byte(text)) {
			return nil
		}
	}
	return unpack(e.packed)
}

// copy gives what is known of a call that may still be written.
func (c *Call) copy() *Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.record
	if !c.recorder.cfg.Messages {
		kept.Messages = nil
	}
	return unpack(pack(nil, &kept))
}
