package push_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/internal/push"
	"github.com/viaduct-oob/viaduct/oob"
)

func TestWatchWakes(t *testing.T) {
	for _, c := range []struct {
		name        string
		watch, laid oob.Key
		woken       bool
	}{
		{"the call", to(t, "12155550100"), to(t, "12155550100"), true},
		{"any caller", oob.Key{Profile: oob.RFC9888, Dest: identity(t, "12155550100")}, to(t, "12155550100"), true},
		{"another caller", key(t, oob.RFC9888, "", "12155550100", "12025550101"), to(t, "12155550100"), false},
		{"another number", to(t, "12155550101"), to(t, "12155550100"), false},
		{"another form", to(t, "12155550100"), key(t, oob.Company, "567A", "12155550100", "12025550100"), false},
		{"the SPC", key(t, oob.Company, "567A", "12155550100", "12025550100"), key(t, oob.Company, "567A", "12155550100", "12025550100"), true},
		{"another SPC", key(t, oob.Company, "567B", "12155550100", "12025550100"), key(t, oob.Company, "567A", "12155550100", "12025550100"), false},
		{"a URI", to(t, "sip:alice@example.com"), to(t, "sip:alice@example.com"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
				w, err := r.hub.Watch("us", c.watch)
				if err != nil {
					t.Fatal(err)
				}
				// It is laid between the look and the wait, twice.
				r.lay(c.laid, "it", time.Minute)
				r.lay(c.laid, "and more", time.Minute)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if woken := w.Wait(ctx); woken != c.woken {
					t.Errorf("woken: %v", woken)
				}
				if w.Wait(ctx) {
					t.Error("woken twice")
				}
				w.Close()
				w.Close()
				if r.hub.Stats().Watchers != 0 {
					t.Error("it is left")
				}
			})
		})
	}
}

func TestWatchWaits(t *testing.T) {
	bubble(t, push.Config{}, func(t *testing.T, r *shelf) {
		first, err := r.hub.Watch("us", to(t, "12155550100"))
		if err != nil {
			t.Fatal(err)
		}
		second, err := r.hub.Watch("us", to(t, "12155550100"))
		if err != nil {
			t.Fatal(err)
		}
		first.Close() // is not woken, and takes nobody with it
		woken := make(chan bool)
		go func() { woken <- second.Wait(t.Context()) }()
		synctest.Wait()
		r.lay(to(t, "12155550100"), "it", time.Minute)
		if !<-woken {
			t.Error("not woken")
		}
		second.Close()
	})
}

func TestWatchIsRefused(t *testing.T) {
	bubble(t, push.Config{WatchersMax: 3, AccountWatchersMax: 2}, func(t *testing.T, r *shelf) {
		for _, c := range []struct {
			name, account string
			key           oob.Key
			want          error
		}{
			{"nobody is called", "us", oob.Key{Profile: oob.RFC9888}, oob.Malformed},
			{"a form that is not pushed", "us", key(t, oob.Mesh, "", "12155550100", "12025550100"), oob.Malformed},
			{"first", "us", to(t, "12155550100"), nil},
			{"second", "us", to(t, "12155550100"), nil},
			{"one too many of an account", "us", to(t, "12155550100"), oob.QuotaExceeded},
			{"another account", "them", to(t, "12155550100"), nil},
			{"one too many", "others", to(t, "12155550100"), oob.Overloaded},
		} {
			w, err := r.hub.Watch(c.account, c.key)
			if c.want == nil && err != nil || c.want != nil && (!errors.Is(err, c.want) || w != nil) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}
