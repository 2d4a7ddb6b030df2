package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// What is aimed at, of a shelf that is full.
const (
	aimBeside = 300.0 // B of a record beside its PASSporTs
	aimReplay = 15.0  // s until a node that has started again has all of it
	aimPause  = 5.0   // ms
)

// residentPlan says how full the shelf is, and what happens on it.
type residentPlan struct {
	Records   int
	Life      time.Duration // of a record
	Steady    time.Duration // how long the second half takes, in which as many are laid as expire
	Retrieved int           // records a second
}

func newResidentPlan() residentPlan {
	return residentPlan{Records: 3_000_000, Life: time.Minute, Steady: 40 * time.Second, Retrieved: 20_000}
}

func (p *residentPlan) shrink() {
	p.Records, p.Life, p.Steady, p.Retrieved = 30_000, 3*time.Second, 500*time.Millisecond, 2_000
}

const planVariable = "VIADUCT_BENCH_PLAN"

// measureResident fills a shelf in a process of its own, which has both cores and the heap as `viaduct serve` sets it up.
func measureResident(ctx context.Context, p residentPlan) ([]figure, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	plan, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	command := exec.CommandContext(ctx, self)
	command.Env = append(os.Environ(), roleVariable+"="+roleResident, planVariable+"="+string(plan))
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", roleResident, err)
	}
	var figures []figure
	return figures, json.Unmarshal(text, &figures)
}

// reside is the life of that process: it measures, writes what it found, and ends.
func reside(out io.Writer) error {
	var p residentPlan
	if err := json.Unmarshal([]byte(os.Getenv(planVariable)), &p); err != nil {
		return err
	}
	r := &resident{residentPlan: p}
	cfg := store.Config{
		Now:     r.now,
		Records: int64(p.Records) * 5 / 4, Bytes: int64(p.Records) * 5 / 4 * (passportLeast + passportMost) / 2,
		Tokens: int64(p.Records) * 5 / 4, PublisherRecords: math.MaxInt64, PublisherBytes: math.MaxInt64,
	}
	defer heap.Tune(cfg.Memory(), 0)() // as serve does
	begun := time.Now()
	r.held.Store(&begun)
	view := store.NewView(cfg)
	r.replay(view)
	r.weigh(view, "after the replay")
	shelf := store.New(view, applied{view})
	defer shelf.Close()
	r.shift = time.Since(begun)
	r.held.Store(nil)
	if err := r.steady(shelf); err != nil {
		return err
	}
	r.weigh(view, "in steady state")
	return json.NewEncoder(out).Encode(r.figures)
}

// applied is the log of one process: appending is applying.
type applied struct{ view *store.View }

func (a applied) Append(_ context.Context, ev store.Event) (store.Outcome, error) {
	return a.view.Apply(ev), nil
}

func (a applied) Ready() error { return nil }

type resident struct {
	residentPlan
	figures []figure
	held    atomic.Pointer[time.Time] // the time that it is, while the clock stands
	shift   time.Duration             // by which it is late afterwards
	next    atomic.Int64              // the record that is laid next
	refused atomic.Int64              // puts, since that was last asked
	most    int64                     // records there have been at one time
}

// now stands still while the shelf is filled, so that nothing expires in that time.
func (r *resident) now() time.Time {
	if held := r.held.Load(); held != nil {
		return *held
	}
	return time.Now().Add(-r.shift)
}

func (r *resident) add(name, unit string, value, most float64) {
	r.figures = append(r.figures, figure{Name: fmt.Sprintf("%s, %d resident records", name, r.Records), Unit: unit, Value: value, Most: most})
}

// PASSporTs have between 700 and 1100 bytes, 900 on average.
const (
	passportLeast = 700
	passportMost  = 1100
)

var passportText = strings.Repeat("eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0In0.", 18)

// residentPublication is the i-th: scattered called numbers, each its own, five hundred publishers. It shares no memory with others,
// like one that was read from a request or a log.
func residentPublication(i int, now time.Time, life time.Duration) (p oob.Publication) {
	draw := rand.New(rand.NewPCG(uint64(i), 1))
	passport := make([]byte, 0, passportMost)
	passport = fmt.Appendf(passport, "%012d.", i)
	passport = append(passport, passportText[:passportLeast+draw.IntN(passportMost-passportLeast+1)-len(passport)]...)
	p = oob.Publication{
		Key: residentKey(i), Passports: []string{string(passport)}, Publisher: strconv.Itoa(1000 + i%500),
		Received: now, Expires: now.Add(life), Use: oob.TokenUse{Until: now.Add(life)},
	}
	for at := range p.Use.ID {
		p.Use.ID[at] = byte(draw.Uint32())
	}
	return p
}

func residentKey(i int) oob.Key {
	return oob.Key{Profile: oob.Agreed, SPC: "1234", Dest: residentNumber(2_000_000_000 + i*387_420_489%999_999_937), Orig: residentNumber(3_000_000_000 + i%9973)}
}

func residentNumber(n int) tn.Identity {
	number, _ := tn.ParseNumber("1" + strconv.Itoa(n)) // digits alone
	return tn.Of(number)
}

// replay applies what a log gives to a node that starts: records that expire one after the other in the time to come.
func (r *resident) replay(view *store.View) {
	now := r.now()
	run := func(apply func(store.Event)) float64 {
		var next atomic.Int64
		var workers sync.WaitGroup
		began := time.Now()
		for range runtime.GOMAXPROCS(0) {
			workers.Go(func() {
				for i := int(next.Add(1)) - 1; i < r.Records; i = int(next.Add(1)) - 1 {
					left := time.Duration(float64(r.Life) * float64(i+1) / float64(r.Records))
					p := residentPublication(i, now.Add(left-r.Life), r.Life)
					apply(store.Event{Act: store.Laid, At: p.Received, Publication: p})
				}
			})
		}
		workers.Wait()
		return time.Since(began).Seconds()
	}
	r.add("making the events of a replay and nothing else", "s", run(func(store.Event) {}), 0)
	before := collections()
	taken := cpuOf(os.Getpid())
	r.add("replay: making and applying them", "s", run(func(ev store.Event) { view.Apply(ev) }), aimReplay)
	r.add("replay: processor time", "s", (cpuOf(os.Getpid()) - taken).Seconds(), 0)
	r.add("replay: collections", "", collections()-before, 0)
}

func (r *resident) weigh(view *store.View, when string) {
	resident := float64(residentOf(os.Getpid()))
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	stats := view.Stats()
	// The shelf has room for the most that it ever held.
	payload, records := float64(stats.Bytes)/float64(stats.Records), float64(max(r.most, stats.Records))
	r.add("bytes of PASSporTs, of each record, "+when, "B", payload, 0)
	r.add("live heap beside those, "+when, "B", float64(memory.HeapAlloc)/records-payload, aimBeside)
	r.add("resident memory beside those, all of the process, "+when, "B", resident/records-payload, aimBeside)
	r.add("records, "+when, "", float64(stats.Records), 0)
}

// residentOf is what is resident of a process, in bytes.
func residentOf(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // absent: zero
	_, rest, _ := bytes.Cut(text, []byte("\nVmRSS:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kilobytes << 10
}

// steady lays as many records as expire, and retrieves others: as a server does, then in front of all others on the machine, then
// with the processor time of each put and get instead of how long it took. See pauses.go.
func (r *resident) steady(shelf *store.Store) error {
	r.next.Store(int64(r.Records))
	r.timed(shelf, r.Steady, "")
	ctx := context.Background()
	if back, ok := inFront(ctx); ok {
		r.timed(shelf, r.Steady/2, ", in front of all others")
		if err := back(); err != nil {
			return err
		}
	}
	if threadTime() > 0 {
		puts, gets, _ := r.together(shelf, r.Steady/4, threadTime, true)
		r.add("put, longest processor time of its own", "ms", puts.longest, aimPause)
		r.add("get, longest processor time of its own", "ms", gets.longest, aimPause)
	}
	return nil
}

// timed tells how long puts and gets take, and what else there was meanwhile.
func (r *resident) timed(shelf *store.Store, length time.Duration, how string) {
	began := time.Now()
	before, cycles := lookAround(), collections()
	puts, gets, nothing := r.together(shelf, length, func() time.Duration { return time.Since(began) }, false)
	r.add("laid, and expired"+how, "records/s", float64(puts.count-int(r.refused.Swap(0)))/length.Seconds(), 0)
	for _, one := range []struct {
		name string
		of   *latencies
	}{{"put", &puts}, {"get", &gets}} {
		r.add(one.name+", p99.9"+how, "ms", one.of.quantile(0.999), 0)
		r.add(one.name+", longest"+how, "ms", one.of.longest, aimPause)
		r.figures[len(r.figures)-1].Floor = nothing.longest
	}
	r.told(how, before, lookAround(), time.Since(began))
	r.add("collections in "+length.String()+how, "", collections()-cycles, 0)
}

// together has one lay and one retrieve for so long, each record at its instant, and gives what each took by the clock. Beside them
// the same is done without a shelf: what that takes longest is the machine's doing, or the scheduler's. With bound, each has a thread
// of its own, as the clock of a thread needs it.
func (r *resident) together(shelf *store.Store, length time.Duration, clock func() time.Duration, bound bool) (puts, gets, nothing latencies) {
	ctx := context.Background()
	var workers sync.WaitGroup
	begin := func(into *latencies, perSecond float64, do func() time.Duration) {
		workers.Go(func() {
			if bound {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
			}
			*into = pace(length, perSecond, do)
		})
	}
	begin(&puts, float64(r.Records)/r.Life.Seconds(), func() time.Duration {
		i := int(r.next.Add(1)) - 1
		p := residentPublication(i, r.now(), r.Life)
		began := clock()
		_, err := shelf.Publish(ctx, p)
		took := clock() - began
		if err != nil {
			r.refused.Add(1)
		}
		return took
	})
	begin(&gets, float64(r.Retrieved), func() time.Duration {
		k := residentKey(int(r.next.Load()) - 1 - rand.IntN(r.Records/2))
		began := clock()
		_, _ = shelf.Retrieve(ctx, k)
		return clock() - began
	})
	begin(&nothing, float64(r.Retrieved), func() time.Duration {
		r.most = max(r.most, shelf.Stats().Records)
		began := clock()
		_ = residentKey(rand.IntN(r.Records))
		return clock() - began
	})
	workers.Wait()
	return puts, gets, nothing
}

// latencies are counted in classes of a microsecond.
type latencies struct {
	classes [10_000]int
	count   int
	longest float64 // ms
}

func (l *latencies) note(took time.Duration) {
	l.classes[min(int(took.Microseconds()), len(l.classes)-1)]++
	l.count++
	l.longest = max(l.longest, took.Seconds()*1000)
}

// quantile is in ms.
func (l *latencies) quantile(q float64) float64 {
	left := int(math.Ceil(q * float64(l.count)))
	for class, n := range l.classes {
		if left -= n; left <= 0 {
			return float64(class+1) / 1000
		}
	}
	return l.longest
}

// pace does something so many times a second, for so long.
func pace(length time.Duration, perSecond float64, do func() time.Duration) (l latencies) {
	began := time.Now()
	for done := 0; ; {
		passed := time.Since(began)
		if passed >= length {
			return l
		}
		for due := int(passed.Seconds() * perSecond); done < due; done++ {
			l.note(do())
		}
		time.Sleep(200 * time.Microsecond)
	}
}

// collections is how many there have been.
func collections() float64 {
	sample := []runtimemetrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	runtimemetrics.Read(sample)
	return float64(sample[0].Value.Uint64())
}
