package natslog

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// What lies in the log are messages, in this form; all integers are big-endian, and a text has its length before it:
//
//	message: version 1 (1 byte), batch; or version 2 (1 byte), two batches or more, the length of each before it (4 bytes)
//	batch: run (8 bytes), node (text, length 1 byte), count (1 byte), entries
//	entry: length of what follows (4 bytes), number (8 bytes), event
//	event: act (1 byte), at, use (ID 16, Body 8, until), and unless it is Spent: the key
//	       (profile 1 byte, SPC, dest, orig); for Laid: publisher, received, expires, token, count (1 byte), PASSporTs
//
// Times are nanoseconds since 1970 in 8 bytes, the zero time is the least of all; lengths of texts have 2 bytes.
//
// There is one way to write an event. A version that is not known is skipped, a whole message at a time, so that nodes
// can be renewed one after the other; and one is written only where all nodes are known to know it.
const (
	version = 1
	several = 2
)

// Bounds of a batch. The greatest event that a CPS admits is below entryMost.
const (
	batchEntries = 64        // entries at most
	batchBytes   = 256 << 10 // bytes from which no entry is added, and no batch to a message
	entryMost    = 512 << 10 // bytes of one entry at most
	nodeMost     = 65        // bytes of the name of a node with that of its site
)

const timeZero = math.MinInt64

var (
	errVersion = errors.New("written in a version that is not known")
	errBroken  = errors.New("not an entry of the log")
	errTooLong = errors.New("too long for the log")
)

// header is what the entries of a batch have in common.
type header struct {
	run  uint64 // which run of which node appended it, at random
	node string
}

// appendHeader writes the head of a batch, without its count, which is the last byte.
func appendHeader(b []byte, h header) []byte {
	b = binary.BigEndian.AppendUint64(b, h.run)
	b = append(b, byte(len(h.node)))
	b = append(b, h.node...)
	return append(b, 0)
}

// appendEntry writes an event as an entry. The error is errTooLong.
func appendEntry(b []byte, number uint64, ev *store.Event) ([]byte, error) {
	begun := len(b)
	w := writer{b: append(b, 0, 0, 0, 0)}
	w.uint64(number)
	w.b = append(w.b, byte(ev.Act))
	w.time(ev.At)
	p := &ev.Publication
	w.b = append(w.b, p.Use.ID[:]...)
	w.b = append(w.b, p.Use.Body[:]...)
	w.time(p.Use.Until)
	if ev.Act != store.Spent {
		w.b = append(w.b, byte(p.Key.Profile))
		w.text(p.Key.SPC)
		w.text(p.Key.Dest.String())
		w.text(p.Key.Orig.String())
	}
	if ev.Act == store.Laid {
		w.text(p.Publisher)
		w.time(p.Received)
		w.time(p.Expires)
		w.text(p.Token)
		w.long = w.long || len(p.Passports) > oob.PassportsMax
		w.b = append(w.b, byte(len(p.Passports)))
		for _, one := range p.Passports {
			w.text(one)
		}
	}
	length := len(w.b) - begun - 4
	if w.long || length > entryMost {
		return nil, errTooLong
	}
	binary.BigEndian.PutUint32(w.b[begun:], uint32(length))
	return w.b, nil
}

type writer struct {
	b    []byte
	long bool // something did not fit
}

func (w *writer) uint64(n uint64) { w.b = binary.BigEndian.AppendUint64(w.b, n) }

func (w *writer) time(t time.Time) {
	n := int64(timeZero)
	if !t.IsZero() {
		n = t.UnixNano()
	}
	w.uint64(uint64(n))
}

func (w *writer) text(s string) {
	w.long = w.long || len(s) > math.MaxUint16
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(len(s)))
	w.b = append(w.b, s...)
}

// headRoom is what lies before the first batch of a message in version 2.
const headRoom = 1 + 4

// sealed gives the message of the batches that b holds: the first from headRoom to first, the others with their lengths behind it.
func sealed(b []byte, first int) []byte {
	if first == len(b) {
		b[headRoom-1] = version
		return b[headRoom-1:]
	}
	b[0] = several
	binary.BigEndian.PutUint32(b[1:], uint32(first-headRoom))
	return b
}

// message is a message that is being read.
type message struct {
	rest  reader
	alone bool // the batch has no length
}

// readMessage reads the head of a message. The errors are errVersion and errBroken.
func readMessage(data []byte) (message, error) {
	r := reader{b: data}
	switch r.byte() {
	case version:
		return message{rest: r, alone: true}, nil
	case several:
		second := r // there must be one
		second.take(int(second.uint32()))
		if second.bad || len(second.b) == 0 {
			return message{}, errBroken
		}
		return message{rest: r}, nil
	case 0:
		return message{}, errBroken
	}
	return message{}, errVersion
}

// batch is a batch that is being read.
type batch struct {
	header
	count int
	rest  reader
}

// more tells whether there is another batch.
func (m *message) more() bool { return len(m.rest.b) > 0 }

// next reads the head of the next batch. After errBroken there may be more.
func (m *message) next() (batch, error) {
	length := len(m.rest.b)
	if !m.alone {
		length = int(m.rest.uint32())
	}
	data := m.rest.take(length)
	if m.rest.bad {
		m.rest.b = nil
	}
	return readBatch(data)
}

// readBatch reads the head of a batch. The error is errBroken.
func readBatch(data []byte) (batch, error) {
	r := reader{b: data}
	b := batch{header: header{run: r.uint64()}}
	length := int(r.byte())
	b.node = string(r.take(length))
	b.count = int(r.byte())
	if r.bad || length == 0 || length > nodeMost || b.count == 0 || b.count > batchEntries {
		return batch{}, errBroken
	}
	b.rest = r
	return b, nil
}

// next reads the next entry. After errBroken there may be more; more is false when there are not, and whole when nothing
// stands behind the last.
func (b *batch) next() (number uint64, ev store.Event, err error) {
	b.count--
	length := int(b.rest.uint32())
	if length > entryMost {
		b.rest.bad = true
	}
	r := reader{b: b.rest.take(length)}
	if b.rest.bad {
		b.count = 0
		return 0, store.Event{}, errBroken
	}
	r.same = string(r.b) // one copy of all texts: nobody keeps one and not the others
	number = r.uint64()
	ev = r.event()
	if r.bad || len(r.b) > 0 || b.count == 0 && len(b.rest.b) > 0 {
		return 0, store.Event{}, errBroken
	}
	ev.Node = b.node
	return number, ev, nil
}

// reader reads what a writer wrote. Once something is not there it is bad, and gives zero values.
type reader struct {
	b    []byte
	same string // the same, when texts are to be parts of it instead of copies
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	if r.same != "" {
		r.same = r.same[n:]
	}
	return taken
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) time() time.Time {
	switch n := int64(r.uint64()); {
	case r.bad || n == timeZero:
		return time.Time{}
	default:
		return time.Unix(0, n).UTC()
	}
}

func (r *reader) text() string {
	length := 0
	if b := r.take(2); b != nil {
		length = int(binary.BigEndian.Uint16(b))
	}
	same := r.same
	if text := r.take(length); same == "" {
		return string(text)
	}
	if r.bad {
		return ""
	}
	return same[:length]
}

// identity reads an identity in its normal form.
func (r *reader) identity() tn.Identity {
	text := r.text()
	if text == "" {
		return tn.Identity{}
	}
	id, err := tn.ParseIdentity(text)
	if err != nil || id.String() != text {
		r.bad = true
	}
	return id
}

func (r *reader) event() store.Event {
	ev := store.Event{Act: store.Act(r.byte()), At: r.time()}
	p := &ev.Publication
	copy(p.Use.ID[:], r.take(len(p.Use.ID)))
	copy(p.Use.Body[:], r.take(len(p.Use.Body)))
	p.Use.Until = r.time()
	switch ev.Act {
	case store.Spent:
		return ev
	case store.Laid, store.Consumed:
		p.Key = oob.Key{Profile: oob.Profile(r.byte()), SPC: r.text(), Dest: r.identity(), Orig: r.identity()}
	default:
		r.bad = true
	}
	if ev.Act == store.Laid {
		p.Publisher = r.text()
		p.Received = r.time()
		p.Expires = r.time()
		p.Token = r.text()
		count := int(r.byte())
		if count > oob.PassportsMax {
			r.bad = true
		}
		for ; count > 0 && !r.bad; count-- {
			p.Passports = append(p.Passports, r.text())
		}
	}
	return ev
}
