package store

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// lengths are those of PASSporTs that fit, each or all, into what is copied at once, and of those that do not.
var lengths = []int{1, 900, 900, copiedAtOnce - 900, copiedAtOnce, copiedAtOnce + 1, copiedMost - 1, copiedMost, copiedMost + 1, 3 * copiedMost, 2, 900}

// shelved is a view with a record for each length, all of one key, the first of them the newest.
func shelved(t *testing.T) (v *View, k oob.Key, want []string) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	v = NewView(Config{Now: func() time.Time { return now }, FeedProfiles: []oob.Profile{oob.Mesh}, FeedRecords: 1000})
	dest, err := tn.ParseNumber("12155551212")
	if err != nil {
		t.Fatal(err)
	}
	k = oob.Key{Profile: oob.Mesh, Dest: tn.Of(dest), Orig: tn.Of(dest)}
	for i, length := range lengths {
		passport := strings.Repeat(string(rune('a'+i)), length)
		received := now.Add(-time.Duration(i) * time.Millisecond)
		v.Apply(Event{Act: Laid, At: received, Publication: oob.Publication{
			Key: k, Passports: []string{passport}, Publisher: "1234", Received: received, Expires: now.Add(time.Minute),
			Use: oob.TokenUse{ID: [16]byte{byte(i)}, Until: now.Add(time.Minute)},
		}})
		want = append(want, passport)
	}
	return v, k, want
}

// TestRecordsAreReadWhole reads records in every way, of which some are copied under one lock and others are not.
func TestRecordsAreReadWhole(t *testing.T) {
	v, k, want := shelved(t)
	number, _ := k.Dest.Number()
	calledGives := func(held []oob.Held) (got []string) {
		for _, one := range held {
			got = append(got, one.Record.Passports...)
		}
		return got
	}
	var key []string
	for _, r := range v.Retrieve(k) {
		key = append(key, r.Passports...)
	}
	var fed []string
	into := make([]Entry, 5)
	for position := uint64(0); len(fed) < len(want); {
		n, lost, err := v.feed.Next(context.Background(), position, into)
		if err != nil || lost {
			t.Fatal(lost, err)
		}
		for _, one := range into[:n] {
			fed = append(fed, one.Held.Record.Passports...)
		}
		position = into[n-1].Position
	}
	for how, got := range map[string][]string{
		"by key":           key,
		"by called number": calledGives(v.RetrieveCalled(oob.Mesh, number, 100)),
		"from the feed":    fed, // in the order in which they were laid, which is the same
	} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d records, not as they were laid", how, len(got))
		}
	}
	for _, passport := range want {
		if got := calledGives(v.FindCalled(oob.Mesh, number, oob.PassportID(passport))); !slices.Equal(got, []string{passport}) {
			t.Errorf("%d records have the PASSporT of %d bytes", len(got), len(passport))
		}
	}
}

// TestNothingIsAllocatedWhileCopying: who allocates may have to help the garbage collector, and this is under the lock of a shelf.
func TestNothingIsAllocatedWhileCopying(t *testing.T) {
	v, k, want := shelved(t)
	packed, _ := v.names.find(k)
	s, hash := v.place(packed)
	list := s.find(nil, hash, packed, nanos(v.cfg.Now()))
	room := make([]byte, 4*copiedMost)
	copied := 0
	if allocated := testing.AllocsPerRun(100, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		copied = s.copy(list, room)
	}); allocated != 0 || copied == 0 || copied == len(want) {
		t.Errorf("%d records are copied, %v times something is allocated", copied, allocated)
	}
}
