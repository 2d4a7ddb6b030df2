package numbering_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

func number(t testing.TB, text string) tn.Number {
	t.Helper()
	n, err := tn.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// wants looks a number up and wants these codes, or a Fault of a kind.
func wants(t testing.TB, source oob.Numbering, n tn.Number, kind oob.Kind, spcs ...string) {
	t.Helper()
	got, err := source.SPCs(t.Context(), n)
	switch {
	case len(spcs) > 0 && (err != nil || !slices.Equal(got, spcs)):
		t.Errorf("got %v, %v, want %v", got, err, spcs)
	case len(spcs) == 0 && (got != nil || !errors.Is(err, kind) || oob.FaultOf(err).Kind != kind):
		t.Errorf("got %v, %v, want %v", got, err, kind)
	case err != nil && strings.Contains(err.Error(), n.String()):
		t.Errorf("the number is in %q", err)
	}
}

// script answers questions as it is told to, and counts them.
type script struct {
	mu       sync.Mutex
	asked    int           // guarded by mu
	spcs     []string      // guarded by mu
	lifetime time.Duration // guarded by mu
	err      error         // guarded by mu
	takes    time.Duration // guarded by mu; it takes no longer than it is given
}

func (s *script) ask(ctx context.Context, _ tn.Number) ([]string, time.Duration, error) {
	s.mu.Lock()
	s.asked++
	takes, spcs, lifetime, err := s.takes, s.spcs, s.lifetime, s.err
	s.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	return spcs, lifetime, err
}

// becomes changes the script.
func (s *script) becomes(change func(s *script)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func inBubble(t *testing.T, cfg numbering.CacheConfig, f func(t *testing.T, s *script, c *numbering.Cache)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &script{spcs: []string{"567A"}, lifetime: -1}
		c := numbering.NewCache(cfg, s.ask)
		defer c.Close()
		f(t, s, c)
	})
}

func TestCache_AnswersLiveAsLongAsTheyMay(t *testing.T) {
	for _, c := range []struct {
		name     string
		spcs     []string
		lifetime time.Duration
		want     time.Duration
	}{
		{"one that does not say", []string{"567A"}, -1, 5 * time.Minute},
		{"as it says", []string{"567A"}, 90 * time.Second, 90 * time.Second},
		{"not at all is a little", []string{"567A"}, 0, 10 * time.Second},
		{"for ever is an hour", []string{"567A"}, 1000 * time.Hour, time.Hour},
		{"nothing known, for long", nil, time.Hour, time.Minute},
		{"nothing known, for short", nil, 20 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, numbering.CacheConfig{Stale: -1}, func(t *testing.T, s *script, cache *numbering.Cache) {
				s.spcs, s.lifetime = c.spcs, c.lifetime
				n := number(t, "12155550121")
				wants(t, cache, n, oob.NotFound, c.spcs...)
				time.Sleep(c.want - time.Nanosecond)
				wants(t, cache, n, oob.NotFound, c.spcs...)
				if s.count() != 1 {
					t.Errorf("asked %d times within its life", s.count())
				}
				time.Sleep(time.Nanosecond)
				wants(t, cache, n, oob.NotFound, c.spcs...)
				if s.count() != 2 {
					t.Errorf("asked %d times after its life", s.count())
				}
			})
		})
	}
}

func TestCache_AStaleAnswerIsGivenWhileItIsAskedAgain(t *testing.T) {
	inBubble(t, numbering.CacheConfig{}, func(t *testing.T, s *script, c *numbering.Cache) {
		n := number(t, "12155550121")
		wants(t, c, n, 0, "567A")
		time.Sleep(5 * time.Minute)
		s.becomes(func(s *script) { s.spcs, s.takes = []string{"NEW1"}, 500*time.Millisecond })
		before := time.Now()
		for range 10 { // at once, and one question for all
			wants(t, c, n, 0, "567A")
		}
		if time.Since(before) != 0 || s.count() > 2 {
			t.Errorf("took %v, asked %d times", time.Since(before), s.count())
		}
		time.Sleep(time.Second)
		wants(t, c, n, 0, "NEW1")
		if stats := c.Stats(); stats.Stale != 10 || stats.Asked != 2 || stats.Entries != 1 || stats.Hits != 11 || stats.Misses != 1 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestCache_AStaleAnswerEnds(t *testing.T) {
	inBubble(t, numbering.CacheConfig{}, func(t *testing.T, s *script, c *numbering.Cache) {
		n := number(t, "12155550121")
		wants(t, c, n, 0, "567A")
		s.becomes(func(s *script) { s.err = errors.New("down") })
		time.Sleep(10*time.Minute - time.Nanosecond)
		wants(t, c, n, 0, "567A")
		time.Sleep(time.Nanosecond)
		wants(t, c, n, oob.PeerFailed)
		s.becomes(func(s *script) { s.err = nil })
		wants(t, c, n, 0, "567A")
		s.becomes(func(s *script) { s.spcs = nil }) // it has been given back
		time.Sleep(5 * time.Minute)
		wants(t, c, n, 0, "567A")
		synctest.Wait()
		wants(t, c, n, oob.NotFound)
	})
}

func TestCache_NobodyWaitsLongerThanHeLikes(t *testing.T) {
	inBubble(t, numbering.CacheConfig{}, func(t *testing.T, s *script, c *numbering.Cache) {
		n := number(t, "12155550121")
		s.takes = 800 * time.Millisecond
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := c.SPCs(ctx, n); !errors.Is(err, oob.PeerTimeout) || time.Since(begun) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		var all sync.WaitGroup
		for range 50 { // who asks now joins the question under way
			all.Go(func() { wants(t, c, n, 0, "567A") })
		}
		all.Wait()
		if time.Since(begun) != 800*time.Millisecond || s.count() != 1 {
			t.Errorf("after %v, asked %d times", time.Since(begun), s.count())
		}
		s.takes = time.Hour
		begun = time.Now()
		wants(t, c, number(t, "12155550122"), oob.PeerTimeout)
		if time.Since(begun) != time.Second {
			t.Errorf("after %v", time.Since(begun))
		}
	})
}

func TestCache_AServerThatHangsIsLeftAlone(t *testing.T) {
	inBubble(t, numbering.CacheConfig{}, func(t *testing.T, s *script, c *numbering.Cache) {
		s.takes = time.Hour
		for i := range 5 {
			wants(t, c, number(t, fmt.Sprintf("1215555012%d", i)), oob.PeerTimeout)
		}
		begun := time.Now()
		_, err := c.SPCs(t.Context(), number(t, "12155550130"))
		if fault := oob.FaultOf(err); fault.Kind != oob.PeerFailed || fault.RetryAfter != time.Second || time.Since(begun) != 0 || s.count() != 5 {
			t.Errorf("%v, after %v", err, time.Since(begun))
		}
		for _, pause := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			time.Sleep(pause * time.Second)
			asked := s.count()
			var all sync.WaitGroup
			for i := range 20 { // one of them is let through to see
				all.Go(func() { _, _ = c.SPCs(t.Context(), number(t, fmt.Sprintf("121555502%02d", i))) })
			}
			all.Wait()
			if s.count() != asked+1 {
				t.Errorf("asked %d times after %v", s.count()-asked, pause)
			}
			if !c.Stats().Paused {
				t.Error("not paused")
			}
		}
		s.becomes(func(s *script) { s.takes = 0 })
		time.Sleep(30 * time.Second)
		wants(t, c, number(t, "12155550140"), 0, "567A")
		wants(t, c, number(t, "12155550141"), 0, "567A")
		if stats := c.Stats(); stats.Paused || stats.Failures != 12 || stats.Refused == 0 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestCache_AsksSoManyAtATime(t *testing.T) {
	inBubble(t, numbering.CacheConfig{AskingMax: 2}, func(t *testing.T, s *script, c *numbering.Cache) {
		s.takes = 600 * time.Millisecond
		var all sync.WaitGroup
		var mu sync.Mutex
		kinds := map[string]int{}
		for i := range 40 {
			all.Go(func() {
				_, err := c.SPCs(t.Context(), number(t, fmt.Sprintf("121555501%02d", i)))
				mu.Lock()
				defer mu.Unlock()
				if kinds["answered"]++; err != nil {
					kinds["answered"]--
					kinds[oob.FaultOf(err).Kind.String()]++
				}
			})
		}
		all.Wait()
		// Two are asked at once and two in their second half; the time of the latter is over before they end. Eight of 40 do not
		// even wait: 16 for each place may.
		if kinds["answered"] != 2 || kinds["peer-timeout"] != 2 || kinds["overloaded"] != 36 || s.count() != 4 {
			t.Errorf("%v, asked %d times", kinds, s.count())
		}
		if stats := c.Stats(); stats.Paused || stats.Refused != 36 || stats.Failures != 2 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestCache_ForgetsWhatWasNotUsedForLongest(t *testing.T) {
	inBubble(t, numbering.CacheConfig{NumbersMax: 3}, func(t *testing.T, s *script, c *numbering.Cache) {
		for _, step := range []struct {
			number string
			asked  int
		}{{"1", 1}, {"2", 2}, {"3", 3}, {"1", 3}, {"4", 4}, {"1", 4}, {"3", 4}, {"2", 5}, {"1", 5}, {"4", 6}} {
			wants(t, c, number(t, step.number), 0, "567A")
			if s.count() != step.asked || c.Stats().Entries > 3 {
				t.Fatalf("%s: asked %d times, %+v", step.number, s.count(), c.Stats())
			}
		}
	})
}

func TestCache_ALyingServerIsNotBelieved(t *testing.T) {
	for name, spcs := range map[string][]string{
		"too many":   slices.Repeat([]string{"567A"}, numbering.SPCsMax+1),
		"none":       {""},
		"with space": {"56 7A"},
		"too long":   {strings.Repeat("A", 33)},
	} {
		inBubble(t, numbering.CacheConfig{}, func(t *testing.T, s *script, c *numbering.Cache) {
			s.spcs = spcs
			wants(t, c, number(t, "12155550121"), oob.PeerFailed)
			if c.Stats().Entries != 0 {
				t.Errorf("%s: it is remembered", name)
			}
		})
	}
}

func TestCache_ClosingEndsWhatIsUnderWay(t *testing.T) {
	inBubble(t, numbering.CacheConfig{Timeout: time.Hour}, func(t *testing.T, s *script, c *numbering.Cache) {
		wants(t, c, number(t, "12155550120"), 0, "567A")
		s.takes = time.Hour
		done := make(chan error)
		go func() {
			_, err := c.SPCs(t.Context(), number(t, "12155550121"))
			done <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-done; err == nil {
			t.Error("answered")
		}
		wants(t, c, number(t, "12155550122"), oob.PeerFailed)
		wants(t, c, number(t, "12155550120"), 0, "567A")
		if c.Stats().Paused {
			t.Error("our hanging up counts against the server")
		}
	})
}

func BenchmarkCache_Hit(b *testing.B) {
	c := numbering.NewCache(numbering.CacheConfig{}, (&script{}).ask)
	b.Cleanup(c.Close)
	var numbers []tn.Number
	for i := range 100_000 {
		numbers = append(numbers, number(b, fmt.Sprint(12_000_000_000+i)))
		c.Keep(numbers[i], "567A")
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := c.SPCs(b.Context(), numbers[i*7919%len(numbers)]); err != nil {
			b.Fatal(err)
		}
	}
}
