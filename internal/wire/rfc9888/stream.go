package rfc9888

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// StreamMedia is the media type of server-sent events (HTML §9.2).
const StreamMedia = "text/event-stream"

// Stream reads server-sent events. It takes every stream that HTML §9.2.6 makes sense of, within limits: a line or an
// event has at most EventBytesMax. Use it from one goroutine.
type Stream struct {
	in      *bufio.Reader
	begun   bool // the first line has been read, and a byte order mark with it
	skipLF  bool // the last line ended with CR; a LF that comes next belongs to it
	line    []byte
	data    []byte
	hasData bool
	event   EventType
	id      string // stays until another one comes
	retry   time.Duration
}

// NewStream reads events from r.
func NewStream(r io.Reader) *Stream { return &Stream{in: bufio.NewReader(r)} }

// Retry is how long the server last asked a client to wait before it connects again; zero when it has not.
func (s *Stream) Retry() time.Duration { return s.retry }

// Next gives the next event. At the end of the stream, or when reading fails, it gives that error as it is; a block that has
// begun by then is none. After a Fault, the stream cannot be read further.
func (s *Stream) Next() (Event, error) {
	s.data, s.hasData, s.event = s.data[:0], false, ""
	for {
		line, err := s.readLine()
		switch {
		case err != nil:
			return Event{}, err
		case len(line) > 0:
			if err := s.field(line); err != nil {
				return Event{}, err
			}
		case !s.hasData:
			s.event = "" // a block without data is no event
		default:
			return s.read()
		}
	}
}

// read makes an event of the block that has ended. What an event of another type holds need not be JSON.
func (s *Stream) read() (Event, error) {
	var m members
	switch s.event {
	case EventPassports, EventAlive, EventGap, EventEnd:
		var err error
		if m, err = readMembers(s.data); err != nil {
			return Event{}, err
		}
	}
	return m.event(s.event, s.id)
}

// field takes one line that is not empty.
func (s *Stream) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "event":
		s.event = EventType(value)
	case "data":
		if len(s.data)+len(value) > EventBytesMax {
			return tooLargeEvent()
		}
		s.data = append(append(s.data, value...), '\n')
		s.hasData = true
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			s.id = string(value)
		}
	case "retry":
		if d, ok := retryOf(value); ok {
			s.retry = d
		}
	}
	return nil // a comment has no name, and a field of another name says nothing
}

// retryOf reads digits, milliseconds.
func retryOf(value []byte) (time.Duration, bool) {
	if len(value) == 0 || bytes.ContainsFunc(value, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	ms, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64, true
	}
	return time.Duration(ms) * time.Millisecond, true
}

// readLine gives the next line without its end, which is LF, CR or both. It is good until the next call. A line that ends with CR
// is there before what follows is.
func (s *Stream) readLine() ([]byte, error) {
	s.line = s.line[:0]
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return nil, err
		}
		if c == '\n' && s.skipLF {
			s.skipLF = false
			continue
		}
		s.skipLF = c == '\r'
		if c == '\n' || c == '\r' {
			break
		}
		if len(s.line) == EventBytesMax {
			return nil, tooLargeEvent()
		}
		s.line = append(s.line, c)
	}
	if !s.begun {
		s.begun = true
		return bytes.TrimPrefix(s.line, []byte("\ufeff")), nil
	}
	return s.line, nil
}

func tooLargeEvent() error {
	return oob.Faultf(oob.TooLarge, "an event is longer than %d bytes", EventBytesMax)
}
