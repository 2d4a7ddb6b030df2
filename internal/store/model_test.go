package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

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
	live := m.live()
	slices.Reverse(live)
	slices.SortStableFunc(live, func(a, b *oob.Publication) int { return b.Received.Compare(a.Received) })
	var seen []string
	for _, r := range live {
		record := oob.Record{Publisher: r.Publisher, Received: r.Received, Expires: r.Expires}
		for _, passport := range r.Passports {
			if r.Key == k && !slices.Contains(seen, passport) {
				seen = append(seen, passport)
				record.Passports = append(record.Passports, passport)
			}
		}
		if len(record.Passports) > 0 {
			found = append(found, record)
		}
	}
	return found
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
