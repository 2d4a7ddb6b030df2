package p256_test

import (
	"crypto/ecdsa"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/p256"
)

// seenOften shows a signature until its key has a table.
func seenOften(t testing.TB, tables *p256.Tables, s signed) {
	t.Helper()
	for range p256.SeenBefore {
		if !tables.Verify(s.key, s.digest, raw(s.r, s.s)) {
			t.Fatal("a good signature does not verify")
		}
	}
}

func signers(t testing.TB, count int) []signed {
	all := make([]signed, count)
	for i := range all {
		all[i] = sign(t, below(t))
	}
	return all
}

func TestTables_AKeyHasOneWhenItWasSeenOften(t *testing.T) {
	tables := p256.New(p256.Config{Keys: 4})
	s := signers(t, 1)[0]
	signature := raw(s.r, s.s)
	for range p256.SeenBefore - 1 {
		if !tables.Verify(s.key, s.digest, signature) {
			t.Fatal("a good signature does not verify")
		}
	}
	bad := raw(s.s, s.r)
	for range 2 * p256.SeenBefore {
		if tables.Verify(s.key, s.digest, bad) {
			t.Fatal("a bad signature verifies")
		}
	}
	if s := tables.Stats(); s != (p256.Stats{}) {
		t.Errorf("signatures that do not verify count: %+v", s)
	}
	tables.Verify(s.key, s.digest, signature)
	if s := tables.Stats(); s != (p256.Stats{Keys: 1, Bytes: p256.TableBytes, Built: 1}) {
		t.Errorf("seen often: %+v", s)
	}
	if !tables.Verify(s.key, s.digest, signature) || tables.Verify(s.key, s.digest, bad) {
		t.Error("the table answers otherwise")
	}
	if s := tables.Stats(); s.Answers != 2 || s.Off {
		t.Errorf("asked twice: %+v", s)
	}
}

func TestTables_WhatIsNoES256GoesToTheLibrary(t *testing.T) {
	tables := p256.New(p256.Config{Keys: 4})
	s := signers(t, 1)[0]
	seenOften(t, tables, s)
	good := raw(s.r, s.s)
	for _, c := range []struct {
		name              string
		key               *ecdsa.PublicKey
		digest, signature []byte
		want              bool
	}{
		{"a longer digest counts by its first 32 bytes", s.key, append(s.digest[:32:32], 1), good, true},
		{"a shorter digest", s.key, s.digest[:31], good, false},
		{"no digest", s.key, nil, good, false},
		{"a shorter signature", s.key, s.digest, good[:63], false},
		{"a longer signature", s.key, s.digest, append(good[:64:64], 0), false},
		{"a zero in front of r", s.key, s.digest, append([]byte{0}, good...), false},
		{"no signature", s.key, s.digest, nil, false},
		{"no key", nil, s.digest, good, false},
	} {
		if tables.Verify(c.key, c.digest, c.signature) != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
	if s := tables.Stats(); s.Answers != 0 {
		t.Errorf("%+v", s)
	}
}

func TestTables_NoneIsTheLibrary(t *testing.T) {
	s := signers(t, 1)[0]
	for _, keys := range []int{0, -1} {
		tables := p256.New(p256.Config{Keys: keys})
		seenOften(t, tables, s)
		if tables != nil || tables.Verify(s.key, s.digest, raw(s.s, s.r)) || tables.Stats() != (p256.Stats{}) {
			t.Errorf("%d keys: %+v", keys, tables.Stats())
		}
	}
}

func TestTables_TheOneNotUsedForLongestMakesRoom(t *testing.T) {
	const most = 3
	tables := p256.New(p256.Config{Keys: most})
	all := signers(t, most+1)
	for _, s := range all[:most] {
		seenOften(t, tables, s)
	}
	use := func(s signed) (byTable bool) {
		before := tables.Stats().Answers
		tables.Verify(s.key, s.digest, raw(s.r, s.s))
		return tables.Stats().Answers != before
	}
	for _, i := range []int{1, 0, 2, 0} {
		if !use(all[i]) {
			t.Fatalf("key %d has no table", i)
		}
	}
	seenOften(t, tables, all[most])
	for i, want := range []bool{true, false, true, true} {
		if use(all[i]) != want {
			t.Errorf("key %d has a table: %v", i, !want)
		}
	}
	if s := tables.Stats(); s.Keys != most || s.Bytes != most*p256.TableBytes || s.Built != most+1 {
		t.Errorf("%+v", s)
	}
	seenOften(t, tables, all[1])
	if !use(all[1]) {
		t.Error("who had to go does not come again")
	}
}

func TestTables_WhatIsCountedIsBounded(t *testing.T) {
	const keys = 2
	tables := p256.New(p256.Config{Keys: keys})
	s := signers(t, 1)[0]
	for range 1000 {
		copied := *s.key // another key, as far as it is known
		tables.Verify(&copied, s.digest, raw(s.r, s.s))
		if counted := tables.Counted(); counted > 8*keys {
			t.Fatalf("%d keys are counted", counted)
		}
	}
	seenOften(t, tables, s)
	if s := tables.Stats(); s.Keys != 1 {
		t.Errorf("a key that is seen often among many that are not: %+v", s)
	}
}

func TestTables_OneThatDisagreesIsTheEndOfAll(t *testing.T) {
	told := 0
	tables := p256.New(p256.Config{Keys: 4, Disagreed: func() { told++ }})
	all := signers(t, 2)
	for _, s := range all {
		seenOften(t, tables, s)
	}
	tables.Break()
	s := all[0]
	wrong := 0
	for range p256.ComparedEach + p256.SeenBefore {
		if !tables.Verify(s.key, s.digest, raw(s.r, s.s)) {
			wrong++
		}
	}
	if wrong != p256.ComparedEach-1 { // the one that was compared is right
		t.Errorf("%d wrong answers", wrong)
	}
	if s := tables.Stats(); !s.Off || s.Keys != 0 || s.Bytes != 0 || s.Built != 2 || told != 1 {
		t.Errorf("%+v, told %d times", s, told)
	}
	if tables.Counted() != 0 {
		t.Error("counting goes on")
	}
}

// A credential that has left its cache takes its table with it.
func TestTables_OneGoesWithItsKey(t *testing.T) {
	tables := p256.New(p256.Config{Keys: 4})
	all := signers(t, 2)
	for _, s := range all {
		seenOften(t, tables, s)
	}
	all[0].key = nil
	for deadline := time.Now().Add(time.Minute); tables.Stats().Keys != 1; runtime.GC() {
		if time.Now().After(deadline) {
			t.Fatalf("%+v", tables.Stats())
		}
	}
	if !tables.Verify(all[1].key, all[1].digest, raw(all[1].r, all[1].s)) || tables.Stats().Answers != 1 {
		t.Error("the other is gone too")
	}
}

func TestTables_AreForManyAtATime(t *testing.T) {
	const most = 3
	tables := p256.New(p256.Config{Keys: most})
	all := signers(t, 2*most)
	var wrong atomic.Int64
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			for i := range 4 * p256.SeenBefore {
				s := all[(g+i)%len(all)]
				if !tables.Verify(s.key, s.digest, raw(s.r, s.s)) || i%8 == 0 && tables.Verify(s.key, s.digest, raw(s.s, s.r)) {
					wrong.Add(1)
				}
				if tables.Stats().Keys > most {
					wrong.Add(1)
				}
			}
		})
	}
	group.Wait()
	if s := tables.Stats(); wrong.Load() != 0 || s.Keys != most || s.Off {
		t.Errorf("%d wrong answers, %+v", wrong.Load(), s)
	}
}

func TestTableBytes_IsWhatATableTakes(t *testing.T) {
	if size := reflect.TypeFor[p256.Table]().Size(); size != p256.TableBytes {
		t.Errorf("%d bytes, said to be %d", size, p256.TableBytes)
	}
}
