package stipa_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// kept is a Keeper of a trust list, with what it has told its surroundings.
type kept struct {
	*stipa.Keeper[*stipa.List]
	log *logbook

	mu   sync.Mutex // the passing of time orders nothing, as the race detector sees it
	used []uint64   // sequences
	gone int
}

// accepted gives the sequences of the lists that were put to use.
func (k *kept) accepted() []uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.used)
}

func (k *kept) withdrawn() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gone
}

// logbook is what was logged, a line for each.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSuffix(l.text.String(), "\n"), "\n")
}

// keeper makes a Keeper of what the laboratory serves.
func (l *laboratory) keeper(edit func(*stipa.Config[*stipa.List])) *kept {
	l.t.Helper()
	k := &kept{log: &logbook{}}
	cfg := stipa.Config[*stipa.List]{
		Name: "sti-ca-list", Source: l.source(), Check: l.pinned().Check, Refresh: time.Hour, Timeout: time.Minute,
		Accept:   func(list *stipa.List) { k.mu.Lock(); defer k.mu.Unlock(); k.used = append(k.used, list.Sequence) },
		Withdraw: func() { k.mu.Lock(); defer k.mu.Unlock(); k.gone++ },
		Log:      slog.New(slog.NewTextHandler(k.log, nil)),
	}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	if k.Keeper, err = stipa.New(cfg); err != nil {
		l.t.Fatal(err)
	}
	return k
}

func (l *laboratory) source() stipa.Source {
	return stipa.Source{URL: l.host.URL + "/ca-list", Accept: "application/jose+json", Roots: l.pki.TLSRoots()}
}

// during runs a Keeper while the test goes on, in a bubble.
func (k *kept) during(t *testing.T, do func()) {
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { k.Run(ctx) })
	synctest.Wait()
	do()
	stop()
	running.Wait()
}

// pass lets time pass in a bubble, for whatever is waiting for it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (k *kept) wants(t *testing.T, what string, accepted []uint64, alarm stipa.Alarm) {
	t.Helper()
	if s := k.State(); !slices.Equal(k.accepted(), accepted) || s.Alarm != alarm || s.Believed != (len(accepted) > k.withdrawn()) {
		t.Errorf("%s: accepted %v, want %v; alarm %s, want %s; believed %t; last problem %s", what, k.accepted(), accepted, s.Alarm, alarm, s.Believed, s.LastProblem.Name())
	}
}

func TestKeeper_TakesWhatIsNewer(t *testing.T) {
	l := newLaboratory(t)
	list := func(sequence uint64, certs ...*x509.Certificate) string {
		return l.list(oobtest.TrustListConfig{Sequence: sequence, Expires: epoch.Add(30 * 24 * time.Hour), Certificates: certs})
	}
	one, two := l.pki.Root.Certificate, l.pki.Intermediate.Certificate
	first, same, other := list(5, one), list(5, one), list(5, two)
	renumbered, second, older := list(6, one), list(7, one, two), list(6, one, two)
	prolonged := l.list(oobtest.TrustListConfig{Sequence: 7, Expires: epoch.Add(60 * 24 * time.Hour), Certificates: []*x509.Certificate{two, one}})
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(nil)
		k.wants(t, "made", nil, stipa.AlarmNone)
		l.serveText(first)
		k.during(t, func() {
			k.wants(t, "the first", []uint64{5}, stipa.NoAlarm)
			for _, step := range []struct {
				name     string
				body     string
				accepted []uint64
				number   int64
				problem  stipa.Problem
			}{
				{"the same, signed anew", same, []uint64{5}, 5, 0},
				{"the same number, other content", other, []uint64{5}, 5, stipa.Contradicting},
				{"a higher number, the same content", renumbered, []uint64{5}, 6, 0},
				{"the old number", first, []uint64{5}, 6, stipa.Backwards},
				{"news", second, []uint64{5, 7}, 7, 0},
				{"older news", older, []uint64{5, 7}, 7, stipa.Backwards},
				{"prolonged", prolonged, []uint64{5, 7}, 7, 0},
				{"not prolonged", second, []uint64{5, 7}, 7, 0},
			} {
				l.serveText(step.body)
				before := k.State()
				pass(66 * time.Minute)
				k.wants(t, step.name, step.accepted, stipa.NoAlarm)
				after := k.State()
				if after.Number.Int64() != step.number {
					t.Errorf("%s: number %s, want %d", step.name, after.Number, step.number)
				}
				if step.problem == 0 && after.Successes == before.Successes || step.problem != 0 && after.Refusals[step.problem] == before.Refusals[step.problem] {
					t.Errorf("%s: not counted: %+v", step.name, after)
				}
			}
			if s := k.State(); !s.Expires.Equal(epoch.Add(60*24*time.Hour)) || s.Entries != 2 {
				t.Errorf("not prolonged: %+v", s)
			}
		})
	})
}

// TestKeeper_WhateverIsServedNothingIsLost: lying, broken and hostile answers are each refused for what they are.
func TestKeeper_WhateverIsServedNothingIsLost(t *testing.T) {
	l := newLaboratory(t)
	stranger, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.TrustList(oobtest.TrustListConfig{Sequence: 9})
	if err != nil {
		t.Fatal(err)
	}
	good := l.list(oobtest.TrustListConfig{Sequence: 3})
	next := l.list(oobtest.TrustListConfig{Sequence: 4})
	serve := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte("a"), 1<<16)); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   stipa.Problem
	}{
		{"gone", http.NotFound, stipa.WrongAnswer},
		{"failing", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, next, http.StatusInternalServerError) }, stipa.WrongAnswer},
		{"moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, stipa.WrongAnswer},
		{"endless", endless, stipa.WrongAnswer},
		{"one byte too long", serve(strings.Repeat(" ", stipa.ListBytesMax+1)), stipa.WrongAnswer},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			fmt.Fprint(w, next)
		}, stipa.Unreachable},
		{"hanging up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, stipa.Unreachable},
		{"a long header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("x", 64<<10))
			fmt.Fprint(w, next)
		}, stipa.Unreachable},
		{"a page", serve("<html>maintenance</html>"), stipa.Malformed},
		{"nothing", serve(""), stipa.Malformed},
		{"cut short", serve(next[:len(next)/2]), stipa.Malformed},
		{"another signature", serve(next[:strings.LastIndex(next, ".")] + good[strings.LastIndex(good, "."):]), stipa.WrongSignature},
		{"a stranger's", serve(forged), stipa.WrongSignature},
		{"empty", serve(l.list(oobtest.TrustListConfig{Sequence: 9, Entries: []string{}})), stipa.Empty},
		{"expired", serve(l.list(oobtest.TrustListConfig{Sequence: 9, Expires: epoch})), stipa.Expired},
		{"from the future", serve(l.list(oobtest.TrustListConfig{Sequence: 9, Payload: map[string]any{"iat": epoch.Add(7 * time.Minute).Unix()}})), stipa.NotYetValid},
		{"downgraded", serve(l.list(oobtest.TrustListConfig{Sequence: 2})), stipa.Backwards},
		{"contradicting", serve(l.list(oobtest.TrustListConfig{Sequence: 3, Certificates: []*x509.Certificate{l.pki.Intermediate.Certificate}})), stipa.Contradicting},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.serveText(good)
			synctest.Test(t, func(t *testing.T) {
				k := l.keeper(nil)
				k.during(t, func() {
					l.serve(c.answer)
					k.Refresh()
					synctest.Wait()
					k.wants(t, "refused", []uint64{3}, stipa.NoAlarm)
					if s := k.State(); s.Refusals[c.want] != 1 || s.LastProblem != c.want || !s.LastFailure.Equal(time.Now()) {
						t.Errorf("want %s: %+v", c.want.Name(), s)
					}
					l.serveText(next)
					pass(time.Minute) // the first pause after a failure
					if s := k.State(); s.Number.Int64() != 4 {
						t.Errorf("not taken up again: %+v", s)
					}
				})
				if logged := strings.Join(k.log.lines(), "\n"); strings.Count(logged, "problem="+c.want.Name()) != 1 || !strings.Contains(logged, "the source is good again") {
					t.Errorf("logged:\n%s", logged)
				}
			})
		})
	}
}

// TestKeeper_SlowHostsHaveTheirTime: outside of a bubble, because a host that says nothing holds its time.
func TestKeeper_SlowHostsHaveTheirTime(t *testing.T) {
	l := newLaboratory(t)
	for name, answer := range map[string]http.HandlerFunc{
		"says nothing": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, "a")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(time.Millisecond):
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l.serve(answer)
			ctx, stop := context.WithCancel(t.Context())
			k := l.keeper(func(cfg *stipa.Config[*stipa.List]) {
				cfg.Timeout = 100 * time.Millisecond
				cfg.Now = func() time.Time { return epoch.Add(time.Minute) }
				cfg.Log = slog.New(slog.NewTextHandler(stopper{stop}, nil))
			})
			k.Run(ctx) // ends with the first line of the log
			if s := k.State(); s.Refusals[stipa.Unreachable] != 1 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// stopper ends a Keeper when it logs.
type stopper struct{ stop context.CancelFunc }

func (s stopper) Write(p []byte) (int, error) { s.stop(); return len(p), nil }

func TestKeeper_AsksOthersAgain(t *testing.T) {
	l := newLaboratory(t)
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(nil)
		var at []time.Duration
		l.serve(func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
		k.during(t, func() {
			for began, asked := time.Now(), 0; time.Since(began) < 5*time.Hour; pass(time.Second) {
				if n := l.asked(); n != asked {
					asked = n
					at = append(at, time.Since(began).Round(time.Second))
				}
			}
		})
		for i, want := range []time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
			if i == 0 {
				continue
			}
			if i >= len(at) {
				t.Fatalf("asked at %v", at)
			}
			if pause := at[i] - at[i-1]; pause < want*9/10-2*time.Second || pause > want*11/10+2*time.Second {
				t.Errorf("pause %d was %s, want about %s", i, pause, want)
			}
		}
		// Hours of failing are two lines: what failed, and that nothing is held.
		if lines := k.log.lines(); len(lines) != 2 {
			t.Errorf("logged %d lines:\n%s", len(lines), strings.Join(lines, "\n"))
		}
	})
}

func TestKeeper_AlarmAndExpiry(t *testing.T) {
	l := newLaboratory(t)
	list := l.list(oobtest.TrustListConfig{Sequence: 1, Expires: epoch.Add(48 * time.Hour)})
	renewed := l.list(oobtest.TrustListConfig{Sequence: 2, Expires: epoch.Add(480 * time.Hour)})
	for _, stops := range []bool{false, true} {
		t.Run(fmt.Sprintf("stops %t", stops), func(t *testing.T) {
			l.serveText(list)
			synctest.Test(t, func(t *testing.T) {
				k := l.keeper(func(cfg *stipa.Config[*stipa.List]) { cfg.StopWhenExpired = stops })
				k.during(t, func() {
					l.serve(http.NotFound)
					pass(23 * time.Hour)
					k.wants(t, "23 h of silence", []uint64{1}, stipa.NoAlarm)
					pass(2 * time.Hour)
					k.wants(t, "25 h of silence", []uint64{1}, stipa.AlarmStale)
					pass(23*time.Hour - time.Second)
					k.wants(t, "a second before it expires", []uint64{1}, stipa.AlarmStale)
					pass(time.Second)
					k.wants(t, "expired", []uint64{1}, stipa.AlarmExpired)
					if (k.withdrawn() == 1) != stops {
						t.Errorf("withdrawn %d times", k.withdrawn())
					}
					pass(100 * time.Hour)
					l.serveText(renewed)
					pass(2 * time.Hour)
					if s := k.State(); s.Alarm != stipa.NoAlarm || !s.Believed || s.Number.Int64() != 2 {
						t.Errorf("not taken up again: %+v", s)
					}
					// The same certificates were in use all the time, or have to be put to use anew.
					if want := map[bool][]uint64{false: {1}, true: {1, 2}}[stops]; !slices.Equal(k.accepted(), want) {
						t.Errorf("accepted %v, want %v", k.accepted(), want)
					}
				})
				want := 7 // accepted, refused, stale, expired, good again, accepted, over
				if stops {
					want++
				}
				if lines := k.log.lines(); len(lines) != want {
					t.Errorf("logged %d lines, want %d:\n%s", len(lines), want, strings.Join(lines, "\n"))
				}
			})
		})
	}
}

func TestKeeper_LooksBeforeItExpires(t *testing.T) {
	l := newLaboratory(t)
	l.serveText(l.list(oobtest.TrustListConfig{Expires: epoch.Add(20 * time.Minute)}))
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(nil)
		k.during(t, func() {
			asked := l.asked()
			pass(12 * time.Minute)
			if l.asked() != asked+1 {
				t.Errorf("asked %d times", l.asked()-asked)
			}
		})
	})
}

func TestKeeper_NewCheckJudgesWhatIsHeld(t *testing.T) {
	l := newLaboratory(t)
	stranger, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := stranger.TrustList(oobtest.TrustListConfig{Sequence: 2})
	if err != nil {
		t.Fatal(err)
	}
	l.serveText(l.list(oobtest.TrustListConfig{Sequence: 9}))
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(nil)
		k.SetCheck(l.pinned().Check)
		k.during(t, func() {
			k.SetCheck(l.pinned().Check)
			k.wants(t, "the same", []uint64{9}, stipa.NoAlarm)
			k.SetCheck(l.signers(stipa.SignersConfig{Pinned: []*x509.Certificate{stranger.Signer.Certificate}}).Check)
			if s := k.State(); s.Believed || s.Number != nil || k.withdrawn() != 1 {
				t.Errorf("still believed: %+v", s)
			}
			l.serveText(theirs)
			k.Refresh()
			synctest.Wait()
			if s := k.State(); !s.Believed || s.Number.Cmp(big.NewInt(2)) != 0 {
				t.Errorf("the number of one signer binds another: %+v", s)
			}
		})
	})
}

func TestKeeper_AcrossARestart(t *testing.T) {
	l := newLaboratory(t)
	stranger, err := l.pki.NewPolicyAdministrator()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.TrustList(oobtest.TrustListConfig{Sequence: 99})
	if err != nil {
		t.Fatal(err)
	}
	list := l.list(oobtest.TrustListConfig{Sequence: 5, Expires: epoch.Add(time.Hour)})
	older := l.list(oobtest.TrustListConfig{Sequence: 4, Expires: epoch.Add(20 * time.Hour)})
	for _, c := range []struct {
		name     string
		edit     func(t *testing.T, file string)
		wait     time.Duration
		stops    bool
		accepted []uint64 // from disk
		after    []uint64 // when an older list is served
		problem  stipa.Problem
	}{
		{"good", nil, 0, false, []uint64{5}, []uint64{5}, 0},
		{"expired, used on", nil, 2 * time.Hour, false, []uint64{5}, []uint64{5}, 0},
		{"expired, not used, and still the newest", nil, 2 * time.Hour, true, nil, nil, stipa.Expired},
		{"gone", func(t *testing.T, file string) { remove(t, file) }, 0, false, nil, []uint64{4}, 0},
		{"empty", func(t *testing.T, file string) { write(t, file, "") }, 0, false, nil, []uint64{4}, stipa.Malformed},
		{"a byte changed", func(t *testing.T, file string) { write(t, file, "x"+list) }, 0, false, nil, []uint64{4}, stipa.Malformed},
		{"a stranger's", func(t *testing.T, file string) { write(t, file, forged) }, 0, false, nil, []uint64{4}, stipa.WrongSignature},
		{"too long", func(t *testing.T, file string) { write(t, file, strings.Repeat("a", 5<<20)) }, 0, false, nil, []uint64{4}, stipa.Unreachable},
		{"a folder", func(t *testing.T, file string) {
			remove(t, file)
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		}, 0, false, nil, []uint64{4}, stipa.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "cache")
			file := filepath.Join(dir, "sti-ca-list.kept")
			edit := func(cfg *stipa.Config[*stipa.List]) { cfg.Directory, cfg.StopWhenExpired = dir, c.stops }
			l.serveText(list)
			synctest.Test(t, func(t *testing.T) {
				l.keeper(edit).during(t, func() {})
				if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
					t.Fatalf("%v, %v", entries, err)
				}
				if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", info.Mode(), err)
				}
				if c.edit != nil {
					c.edit(t, file)
				}
				l.serveText(older)
				pass(c.wait)
				k := l.keeper(edit)
				if !slices.Equal(k.accepted(), c.accepted) || k.State().LastProblem != c.problem {
					t.Errorf("accepted %v, %s; want %v, %s", k.accepted(), k.State().LastProblem.Name(), c.accepted, c.problem.Name())
				}
				k.during(t, func() {})
				if !slices.Equal(k.accepted(), c.after) {
					t.Errorf("then accepted %v, want %v", k.accepted(), c.after)
				}
			})
		})
	}
}

func TestKeeper_ThatCannotKeepGoesOn(t *testing.T) {
	l := newLaboratory(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	l.serveText(l.list(oobtest.TrustListConfig{}))
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(func(cfg *stipa.Config[*stipa.List]) { cfg.Directory = filepath.Join(file, "below a file") })
		k.during(t, func() { k.wants(t, "accepted", []uint64{1}, stipa.NoAlarm) })
		if s := k.State(); s.DiskFailures != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}
