package rfc9888

import (
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// EventType is what an event tells.
type EventType string

// The types. An event of another one is read as the zero Event, for a client to pass over.
const (
	EventPassports EventType = "passports" // something was published
	EventAlive     EventType = "alive"     // nothing was, and the stream is well
	EventGap       EventType = "gap"       // the cursor is not known any more; all that is live follows
	EventEnd       EventType = "end"       // the stream ends
)

// Why a stream ends.
const (
	EndSlow       = "slow"       // the subscriber has not taken what was sent
	EndDraining   = "draining"   // the CPS is shutting down
	EndCredential = "credential" // what proved the subscriber is no longer valid
)

// EventBytesMax bounds one event: a publication, and what is told of it.
const EventBytesMax = 2 * oob.BodyBytesMax

// reasonBytesMax bounds the reason of an end.
const reasonBytesMax = 64

// Event is one event of a stream.
type Event struct {
	Type   EventType
	Cursor string   // where a stream resumes behind it; of EventPassports and EventAlive, else empty
	Held   oob.Held // of EventPassports: key, PASSporTs, when received and until when served
	Reason string   // of EventEnd
}

// timeForm is RFC 3339 with milliseconds.
const timeForm = "2006-01-02T15:04:05.000Z07:00"

// appendMembers appends what an event of PASSporTs tells besides its cursor, as members of an object.
func appendMembers(dst []byte, h oob.Held) []byte {
	dst = jws.AppendString(append(dst, `"profile":`...), h.Key.Profile.String())
	if h.Key.SPC != "" {
		dst = jws.AppendString(append(dst, `,"spc":`...), h.Key.SPC)
	}
	dst = jws.AppendString(append(dst, `,"dest":`...), h.Key.Dest.String())
	dst = jws.AppendString(append(dst, `,"orig":`...), h.Key.Orig.String())
	if len(h.Passports) > 0 {
		dst = jws.AppendString(append(dst, `,"id":`...), oob.PassportID(h.Passports[0]))
	}
	dst = wire.AppendArray(append(dst, `,"passports":`...), h.Passports)
	dst = h.Received.UTC().AppendFormat(append(dst, `,"received":"`...), timeForm)
	dst = h.Expires.UTC().AppendFormat(append(dst, `","expires":"`...), timeForm)
	return append(dst, '"')
}

// AppendSSE appends the event as a block of a text/event-stream (HTML §9.2).
func (e Event) AppendSSE(dst []byte) []byte {
	if e.Cursor != "" {
		dst = append(append(append(dst, "id: "...), e.Cursor...), '\n')
	}
	dst = append(append(append(dst, "event: "...), e.Type...), "\ndata: {"...)
	switch e.Type {
	case EventPassports:
		dst = appendMembers(dst, e.Held)
	case EventEnd:
		dst = jws.AppendString(append(dst, `"reason":`...), e.Reason)
	}
	return append(dst, "}\n\n"...)
}

// WriteFrame is the event as the text of a WebSocket message.
func (e Event) WriteFrame() []byte {
	dst := jws.AppendString([]byte(`{"event":`), string(e.Type))
	if e.Cursor != "" {
		dst = jws.AppendString(append(dst, `,"cursor":`...), e.Cursor)
	}
	switch e.Type {
	case EventPassports:
		dst = appendMembers(append(dst, ','), e.Held)
	case EventEnd:
		dst = jws.AppendString(append(dst, `,"reason":`...), e.Reason)
	}
	return append(dst, '}')
}

// ReadFrame reads the text of a WebSocket message. Members that are not known are passed over, and of an event whose type is not
// known all are.
func ReadFrame(text []byte) (Event, error) {
	m, err := readMembers(text)
	if err != nil {
		return Event{}, err
	}
	return m.event(EventType(m.kind), m.cursor)
}

// members are those of the JSON of an event.
type members struct {
	kind, cursor string // of a WebSocket message; a stream tells them itself
	reason, id   string
	held         oob.Held
	wrong        string // name of a member whose form is wrong; empty for none
}

func readMembers(text []byte) (m members, err error) {
	err = jws.Object(text, wire.DepthMax, func(name string, value jws.Value) error {
		if !m.read(name, value) {
			m.wrong = name
		}
		return nil
	})
	if err != nil {
		return members{}, oob.Faultf(oob.Malformed, "the event is not a JSON object, or has a member twice").Because(err)
	}
	return m, nil
}

// event is what the members tell, if they are those of its type.
func (m members) event(kind EventType, cursor string) (Event, error) {
	e := Event{Type: kind}
	switch kind {
	case EventPassports:
		e.Held = m.held
	case EventEnd:
		e.Reason, cursor = m.reason, ""
	case EventAlive:
	case EventGap:
		return e, nil
	default:
		return Event{}, nil
	}
	switch {
	case m.wrong != "":
		return Event{}, oob.Faultf(oob.Malformed, "member %s of the event has the wrong form", m.wrong)
	case cursor != "" && !isCursor(cursor):
		return Event{}, oob.Faultf(oob.Malformed, "the cursor of the event is not one")
	case kind == EventPassports && !m.sound():
		return Event{}, oob.Faultf(oob.Malformed, "a member of the event is missing, or contradicts another")
	}
	e.Cursor = cursor
	return e, nil
}

// sound reports whether there is all that an event of PASSporTs must tell.
func (m members) sound() bool {
	h, row := m.held, m.held.Key.Profile.Row()
	return row.Pushed && (h.Key.SPC != "") == row.ForSPC && !h.Key.Dest.IsZero() && !h.Key.Orig.IsZero() &&
		len(h.Passports) > 0 && m.id == oob.PassportID(h.Passports[0]) && !h.Received.IsZero() && !h.Expires.IsZero()
}

// read takes one member; it is false when its form is wrong.
func (m *members) read(name string, value jws.Value) (ok bool) {
	h := &m.held
	switch name {
	case "event":
		m.kind, ok = jws.String(value)
	case "cursor":
		m.cursor, ok = jws.String(value)
	case "reason":
		m.reason, ok = jws.String(value)
		ok = ok && len(m.reason) <= reasonBytesMax
	case "profile":
		var profile string
		if profile, ok = jws.String(value); ok {
			h.Key.Profile, ok = oob.ProfileNamed(profile)
		}
	case "spc":
		h.Key.SPC, ok = jws.String(value)
		ok = ok && wire.IsSPC(h.Key.SPC)
	case "dest":
		h.Key.Dest, ok = readIdentity(value)
	case "orig":
		h.Key.Orig, ok = readIdentity(value)
	case "id":
		m.id, ok = jws.String(value)
	case "passports":
		var err error
		h.Passports, err = wire.ReadArray(value, oob.PassportsMax)
		ok = err == nil
	case "received":
		h.Received, ok = readTime(value)
	case "expires":
		h.Expires, ok = readTime(value)
	default:
		ok = true
	}
	return ok
}

func readIdentity(value jws.Value) (tn.Identity, bool) {
	text, ok := jws.String(value)
	if !ok {
		return tn.Identity{}, false
	}
	id, err := tn.ParseIdentity(text)
	return id, err == nil
}

// readTime reads RFC 3339; what is finer than a millisecond is dropped.
func readTime(value jws.Value) (time.Time, bool) {
	text, ok := jws.String(value)
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.IsZero() {
		return time.Time{}, false
	}
	return at.UTC().Truncate(time.Millisecond), true
}
