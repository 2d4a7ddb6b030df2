package store_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestStoreExpiresByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := local.Open(store.Config{})
		defer s.Close()
		for i := range 1000 {
			if _, err := s.Publish(t.Context(), benchPublication(i, time.Now(), 15*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(15*time.Second - 1)
		if records, _ := s.Retrieve(t.Context(), benchKey(7)); len(records) != 1 {
			t.Errorf("%d records before the deadline", len(records))
		}
		time.Sleep(time.Nanosecond)
		if records, _ := s.Retrieve(t.Context(), benchKey(7)); len(records) != 0 {
			t.Errorf("%d records at the deadline", len(records))
		}
		time.Sleep(250 * time.Millisecond)
		synctest.Wait()
		if left := s.Stats(); left.Records != 0 || left.Tokens != 0 {
			t.Errorf("a quarter of a second later there is left: %+v", left)
		}
	})
}

// TestWhatExpiresAtOnceIsSweptInParts: whoever wants a processor meanwhile gets it in between, and before a slot of the wheel has
// gone round all is swept.
func TestWhatExpiresAtOnceIsSweptInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const records, slot = 1000, 125 * time.Millisecond
		s := local.Open(store.Config{})
		defer s.Close()
		for i := range records {
			if _, err := s.Publish(t.Context(), benchPublication(i, time.Now(), 15*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(15 * time.Second)
		left, most := s.Stats().Records, int64(0)
		for range 2 * slot / time.Millisecond {
			time.Sleep(time.Millisecond)
			synctest.Wait()
			now := s.Stats().Records
			left, most = now, max(most, left-now)
		}
		// An eighth of the shelves has an eighth of the records, more or less.
		if left != 0 || most > records/4 {
			t.Errorf("%d records were swept at once, %d are left", most, left)
		}
	})
}

func TestClosedStoreRefusesAllButReading(t *testing.T) {
	s := local.Open(store.Config{})
	p := benchPublication(1, time.Now(), time.Minute)
	if _, err := s.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, consuming := s.Consume(t.Context(), oob.Consumption{Key: p.Key, Passport: oob.PassportID(p.Passports[0])})
	_, publishing := s.Publish(t.Context(), benchPublication(2, time.Now(), time.Minute))
	for name, err := range map[string]error{
		"Publish": publishing,
		"Consume": consuming,
		"Spend":   s.Spend(t.Context(), oob.TokenUse{ID: [16]byte{9}, Until: time.Now().Add(time.Minute)}),
		"Ready":   s.Ready(),
	} {
		if !errors.Is(err, oob.Draining) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if records, err := s.Retrieve(t.Context(), p.Key); err != nil || len(records) != 1 {
		t.Errorf("Retrieve: %v, %v", records, err)
	}
	if outcome, err := s.Publish(t.Context(), p); outcome != oob.Repeated || err != nil {
		t.Errorf("a repeat: %v, %v", outcome, err)
	}
}

// failingLog is a log without a quorum.
type failingLog struct{ err error }

func (l failingLog) Append(context.Context, store.Event) (store.Outcome, error) { return 0, l.err }
func (l failingLog) Ready() error                                               { return l.err }

func TestWhatTheLogRefusesHoldsNoRoom(t *testing.T) {
	cause := errors.New("no quorum")
	s := store.New(store.NewView(store.Config{Records: 1, Tokens: 1}), failingLog{cause})
	defer s.Close()
	for i := range 3 {
		_, err := s.Publish(t.Context(), benchPublication(i, time.Now(), time.Minute))
		if fault := oob.FaultOf(err); fault.Kind != oob.Internal || !errors.Is(err, cause) {
			t.Fatalf("Publish: %v", err)
		}
		if err := s.Spend(t.Context(), oob.TokenUse{ID: [16]byte{1}, Until: time.Now().Add(time.Minute)}); !errors.Is(err, cause) {
			t.Fatalf("Spend: %v", err)
		}
		if _, err := s.Consume(t.Context(), oob.Consumption{Key: benchKey(i), Passport: oob.PassportID("any")}); !errors.Is(err, cause) {
			t.Fatalf("Consume: %v", err)
		}
	}
	if err := s.Ready(); !errors.Is(err, cause) {
		t.Errorf("Ready: %v", err)
	}
}
