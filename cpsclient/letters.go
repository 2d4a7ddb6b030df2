package cpsclient

import (
	"container/list"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// lettersShare is what part of the room one called number may have: one of so many.
const lettersShare = 16

// lettersKeyMax is how many records there may be under one key: more than a CPS keeps (package store: 64), and fewer than it takes
// long to look through while other calls wait.
const lettersKeyMax = 256

// letters are the pushed records that an inbox holds. Where there is no room the oldest goes, which is the least likely to be
// asked for: calls come within seconds. A called number with more than its share drops its own, so that a flood for one hurts
// no other.
type letters struct {
	recordsMax, bytesMax int
	bytes                int
	dropped              int64
	all                  *list.List           // of *letter, oldest first
	called               map[oob.Key]*mailbox // by key without who calls
	byKey                map[oob.Key][]*letter
}

// mailbox is what one called number has.
type mailbox struct {
	letters *list.List // oldest first
	bytes   int
}

type letter struct {
	key       oob.Key
	passports []string
	bytes     int
	end       time.Time
	inAll     *list.Element
	inBox     *list.Element
}

func newLetters(recordsMax, bytesMax int) letters {
	return letters{
		recordsMax: recordsMax, bytesMax: bytesMax, all: list.New(),
		called: map[oob.Key]*mailbox{}, byKey: map[oob.Key][]*letter{},
	}
}

// calledKey is k without who calls.
func calledKey(k oob.Key) oob.Key { return oob.Key{Profile: k.Profile, SPC: k.SPC, Dest: k.Dest} }

// put takes a record that is of no use from end on.
func (s *letters) put(h oob.Held, now, end time.Time) {
	s.sweep(now)
	l := &letter{key: h.Key, passports: h.Passports, end: end}
	for _, p := range h.Passports {
		l.bytes += len(p)
	}
	if box := s.called[calledKey(h.Key)]; box != nil {
		for box.letters.Len() >= s.recordsMax/lettersShare || box.letters.Len() > 0 && box.bytes+l.bytes > s.bytesMax/lettersShare {
			s.drop(box.letters.Front())
		}
	}
	if same := s.byKey[h.Key]; len(same) >= lettersKeyMax {
		s.drop(same[0].inAll)
	}
	for s.all.Len() >= s.recordsMax || s.all.Len() > 0 && s.bytes+l.bytes > s.bytesMax {
		s.drop(s.all.Front())
	}
	box := s.called[calledKey(h.Key)] // which may be gone by now
	if box == nil {
		box = &mailbox{letters: list.New()}
		s.called[calledKey(h.Key)] = box
	}
	l.inAll, l.inBox = s.all.PushBack(l), box.letters.PushBack(l)
	box.bytes += l.bytes
	s.bytes += l.bytes
	s.byKey[h.Key] = append(s.byKey[h.Key], l)
}

func (s *letters) drop(e *list.Element) {
	s.dropped++
	s.remove(e.Value.(*letter))
}

// sweep forgets what is over. Ends come nearly in the order of arrival; what is over behind something that is not stays a
// little longer, for at most the longest retention.
func (s *letters) sweep(now time.Time) {
	for e := s.all.Front(); e != nil && !now.Before(e.Value.(*letter).end); e = s.all.Front() {
		s.remove(e.Value.(*letter))
	}
}

func (s *letters) remove(l *letter) {
	s.all.Remove(l.inAll)
	s.bytes -= l.bytes
	box := s.called[calledKey(l.key)]
	box.letters.Remove(l.inBox)
	if box.bytes -= l.bytes; box.letters.Len() == 0 {
		delete(s.called, calledKey(l.key))
	}
	rest := slices.DeleteFunc(s.byKey[l.key], func(other *letter) bool { return other == l })
	if s.byKey[l.key] = rest; len(rest) == 0 {
		delete(s.byKey, l.key)
	}
}

// of gives the PASSporTs under a key, newest record first, without duplicates.
func (s *letters) of(k oob.Key, now time.Time) []string {
	s.sweep(now)
	var all []string
	known := map[string]bool{}
	for _, l := range slices.Backward(s.byKey[k]) {
		if !now.Before(l.end) {
			continue
		}
		for _, p := range l.passports {
			if !known[p] && len(all) < wire.RetrievedMax {
				known[p] = true
				all = append(all, p)
			}
		}
	}
	return all
}

// take removes the records under a key that hold one of the PASSporTs.
func (s *letters) take(k oob.Key, ids []string) {
	for _, l := range slices.Clone(s.byKey[k]) {
		if slices.ContainsFunc(l.passports, func(p string) bool { return slices.Contains(ids, oob.PassportID(p)) }) {
			s.remove(l)
		}
	}
}
