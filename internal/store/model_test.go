package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "github.com/viaduct-oob/viaduct/internal/seedtest"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// model is the contract of the store in the plainest way: lists that are walked from end to end.
type model struct {
	now     time.Time
	records []*oob.Publication // in the order of laying
	uses    []oob.TokenUse
	tombs   []oob.Consumption
}

func (m *model) used(use oob.TokenUse) (used, same bool) {
	for _, u := range m.uses {
		if u.ID == use.ID && u.Until.After(m.now) {
			return true, u.Body == use.Body
		}
	}
	return false, false
}

func (m *model) publish(p oob.Publication) (oob.Outcome, error) {
	if used, same := m.used(p.Use); used && same {
		return oob.Repeated, nil
	} else if used {
		return 0, oob.Replayed
	}
	if !p.Expires.After(m.now) {
		return 0, oob.DeadlinePassed
	}
	m.uses = append(m.uses, p.Use)
	if slices.ContainsFunc(p.Passports, func(passport string) bool { return m.tomb(p.Key, oob.PassportID(passport)) != nil }) {
		return oob.Repeated, nil
	}
	for _, r := range m.records {
		if r.Key == p.Key && r.Publisher == p.Publisher && slices.Equal(r.Passports, p.Passports) && r.Expires.After(m.now) {
			if p.Expires.After(r.Expires) {
				r.Expires = p.Expires
			}
			return oob.Created, nil
		}
	}
	m.records = append(m.records, &p)
	return oob.Created, nil
}

func (m *model) tomb(k oob.Key, id string) *oob.Consumption {
	for i := range m.tombs {
		if c := &m.tombs[i]; c.Key == k && c.Passport == id && c.Until.After(m.now) {
			return c
		}
	}
	return nil
}

func (m *model) consume(c oob.Consumption) (oob.Outcome, error) {
	if old := m.tomb(c.Key, c.Passport); old != nil {
		if c.Until.After(old.Until) {
			old.Until = c.Until
		}
		if old.By == c.By {
			return oob.Repeated, nil
		}
		return 0, oob.Replayed
	}
	m.tombs = append(m.tombs, c)
	m.records = slices.DeleteFunc(m.records, func(r *oob.Publication) bool {
		return r.Key == c.Key && slices.ContainsFunc(r.Passports, func(passport string) bool { return oob.PassportID(passport) == c.Passport })
	})
	return oob.Created, nil
}

func (m *model) spend(use oob.TokenUse) error {
	if used, _ := m.used(use); used {
		return oob.Replayed
	}
	m.uses = append(m.uses, use)
	return nil
}

func (m *model) live() []*oob.Publication {
	return slices.DeleteFunc(slices.Clone(m.records), func(r *oob.Publication) bool { return !r.Expires.After(m.now) })
}

func (m *model) retrieve(k oob.Key) (found []oob.Record) {
	for _, one := range held(m.newest(func(r *oob.Publication) bool { return r.Key == k })) {
		found = append(found, one.Record)
	}
	return found
}

// newest gives the live records that are wanted, newest first.
func (m *model) newest(want func(*oob.Publication) bool) []*oob.Publication {
	live := slices.DeleteFunc(m.live(), func(r *oob.Publication) bool { return !want(r) })
	slices.Reverse(live)
	slices.SortStableFunc(live, byNewest)
	return live
}

func byNewest(a, b *oob.Publication) int { return b.Received.Compare(a.Received) }

// held gives each PASSporT once for each key.
func held(records []*oob.Publication) (found []oob.Held) {
	seen := map[oob.Key][]string{}
	for _, r := range records {
		record := oob.Record{Publisher: r.Publisher, Received: r.Received, Expires: r.Expires}
		for _, passport := range r.Passports {
			if !slices.Contains(seen[r.Key], passport) {
				seen[r.Key] = append(seen[r.Key], passport)
				record.Passports = append(record.Passports, passport)
			}
		}
		if len(record.Passports) > 0 {
			found = append(found, oob.Held{Key: r.Key, Record: record})
		}
	}
	return found
}

// called asks one publisher after the other for its newest that has not been taken, until there are limit.
func (m *model) called(p oob.Profile, dest tn.Identity, limit int) []oob.Held {
	left := m.newest(func(r *oob.Publication) bool { return r.Key.Profile == p && r.Key.Dest == dest })
	var chosen []*oob.Publication
	for len(left) > 0 && len(chosen) < limit {
		var heard []string
		left = slices.DeleteFunc(left, func(r *oob.Publication) bool {
			if len(chosen) == limit || slices.Contains(heard, r.Publisher) {
				return false
			}
			heard, chosen = append(heard, r.Publisher), append(chosen, r)
			return true
		})
	}
	slices.SortStableFunc(chosen, byNewest)
	return held(chosen)
}

// allAtDifferentTimes tells whether it is plain which live record is newer.
func (m *model) allAtDifferentTimes() bool {
	seen := map[time.Time]bool{}
	for _, r := range m.live() {
		if seen[r.Received] {
			return false
		}
		seen[r.Received] = true
	}
	return true
}

func (m *model) list(p oob.Profile, r tn.Range) (numbers []string) {
	for _, one := range m.live() {
		if n, ok := one.Key.Dest.Number(); ok && one.Key.Profile == p && r.Contains(n) && !slices.Contains(numbers, n.String()) {
			numbers = append(numbers, n.String())
		}
	}
	slices.Sort(numbers)
	return numbers
}

func TestStoreIsAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: time.Date(2026, time.November, 22, 12, 0, 0, 0, time.UTC)}
		var clock atomic.Int64 // m.now, for the store
		clock.Store(m.now.UnixNano())
		pass := func(d time.Duration) {
			m.now = m.now.Add(d)
			clock.Store(m.now.UnixNano())
		}
		s := local.Open(store.Config{Now: func() time.Time { return time.Unix(0, clock.Load()) }})
		defer s.Close()
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) {
				pass(time.Duration(min(1, rapid.IntRange(0, 20).Draw(t, "later")))) // seldom two at one time
				p := drawPublication(t, m.now)
				got, err := s.Publish(t.Context(), p)
				want, wantErr := m.publish(p)
				if got != want || !sameFault(err, wantErr) {
					t.Fatalf("got %v, %v; want %v, %v", got, err, want, wantErr)
				}
			},
			"spend": func(t *rapid.T) {
				use := drawUse(t, m.now)
				if got, want := s.Spend(t.Context(), use), m.spend(use); !sameFault(got, want) {
					t.Fatalf("got %v, want %v", got, want)
				}
			},
			"consume": func(t *rapid.T) {
				c := oob.Consumption{
					Key:      rapid.SampledFrom(modelKeys).Draw(t, "key"),
					Passport: oob.PassportID(rapid.SampledFrom([]string{"a", "b", "ab", ""}).Draw(t, "passport")),
					By:       [8]byte{rapid.Byte().Draw(t, "by") % 2},
					Until:    m.now.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "until"))),
				}
				got, err := s.Consume(t.Context(), c)
				if want, wantErr := m.consume(c); got != want || !sameFault(err, wantErr) {
					t.Fatalf("got %v, %v; want %v, %v", got, err, want, wantErr)
				}
				if s.Consumed(c.Key, c.Passport) != (m.tomb(c.Key, c.Passport) != nil) {
					t.Fatal("Consumed differs")
				}
			},
			"pass": func(t *rapid.T) {
				pass(time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "pass")))
			},
			"advance": func(*rapid.T) { s.Advance(m.now) },
			"": func(t *rapid.T) {
				compareReads(t, s, m)
			},
		})
		pass(time.Hour)
		s.Advance(m.now)
		if left := s.Stats(); left.Records != 0 || left.Bytes != 0 || left.Tokens != 0 || left.Publishers != 0 || !left.Oldest.IsZero() {
			t.Fatalf("in the end there is left: %+v", left)
		}
	})
}

func compareReads(t *rapid.T, s *store.Store, m *model) {
	for _, k := range modelKeys {
		got, err := s.Retrieve(t.Context(), k)
		if want := m.retrieve(k); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("under %v: got %v, %v; want %v", k, got, err, want)
		}
	}
	if m.allAtDifferentTimes() {
		compareCalled(t, s, m)
	}
	if records, got := int64(len(m.live())), s.Stats().Records; got < records {
		t.Fatalf("%d records, want at least %d", got, records)
	}
	for id := range byte(9) {
		use := oob.TokenUse{ID: [16]byte{id}, Body: [8]byte{1}}
		used, same := s.Used(use)
		if wantUsed, wantSame := m.used(use); used != wantUsed || same != wantSame {
			t.Fatalf("token %d: got %v, %v; want %v, %v", id, used, same, wantUsed, wantSame)
		}
	}
	r := numbers(t, "10", 90)
	for _, p := range oob.Profiles() {
		var got []string
		for after := (tn.Number{}); ; { // in pages of two
			page := s.List(p, r, after, 2)
			if len(page) == 0 {
				break
			}
			for _, n := range page {
				got = append(got, n.String())
			}
			after = page[len(page)-1]
		}
		if want := m.list(p, r); !slices.Equal(got, want) {
			t.Fatalf("listed %v, want %v", got, want)
		}
	}
}

func compareCalled(t *rapid.T, s *store.Store, m *model) {
	for _, p := range oob.Profiles() {
		for _, k := range modelKeys {
			dest, ok := k.Dest.Number()
			if !ok {
				continue
			}
			for _, limit := range []int{1, 2, 3, 100} {
				got, err := s.RetrieveCalled(t.Context(), p, dest, limit)
				if want := m.called(p, k.Dest, limit); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("%s: called %v, at most %d: got %v, %v; want %v", p, dest, limit, got, err, want)
				}
			}
		}
	}
}

var modelKeys = func() (keys []oob.Key) {
	var parties []tn.Identity
	for _, text := range []string{"10", "1*", "11", "99", "100", "urn:service:sos"} {
		party, err := tn.ParseIdentity(text)
		if err != nil {
			panic(err)
		}
		parties = append(parties, party)
	}
	for _, dest := range parties {
		keys = append(keys,
			oob.Key{Profile: oob.Mesh, Dest: dest, Orig: parties[0]},
			oob.Key{Profile: oob.Mesh, Dest: dest, Orig: parties[5]},
			oob.Key{Profile: oob.Agreed, SPC: "1234", Dest: dest, Orig: parties[5]})
	}
	return keys
}()

func drawPublication(t *rapid.T, now time.Time) oob.Publication {
	return oob.Publication{
		Key:       rapid.SampledFrom(modelKeys).Draw(t, "key"),
		Passports: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 1, 3).Draw(t, "passports"),
		Publisher: rapid.SampledFrom([]string{"1234", "567B"}).Draw(t, "publisher"),
		Received:  now,
		Expires:   now.Add(time.Duration(rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "life"))),
		Use:       drawUse(t, now),
	}
}

// drawUse draws mostly new tokens.
func drawUse(t *rapid.T, now time.Time) oob.TokenUse {
	use := oob.TokenUse{Body: [8]byte{rapid.Byte().Draw(t, "body") % 2}, Until: now.Add(time.Duration(1 + rapid.Int64Range(0, int64(90*time.Second)).Draw(t, "until")))}
	use.ID[0] = rapid.ByteRange(0, 8).Draw(t, "token")
	use.ID[1] = rapid.Byte().Draw(t, "token's rest") % 8
	return use
}

func sameFault(got, want error) bool {
	if want == nil || got == nil {
		return got == want
	}
	return errors.Is(got, want)
}

func numbers(t interface{ Fatal(...any) }, start string, count uint64) tn.Range {
	first, err := tn.ParseNumber(start)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tn.NewRange(first, count)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
