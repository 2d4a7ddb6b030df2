// Package nice has work done that can wait, by a thread that gives way to all others of the machine.
//
// Knows: threads, their nice values, how long somebody is prepared to wait. Never hears of: what the work is.
//
// Go has no priorities; the kernel has, for threads. Any thread may lower its own and none may raise it again, so that there is one
// thread for all such work of a process, which does nothing else.
//
// A thread that has given way keeps what it holds: a processor of the runtime, so that there is none of this where the runtime has one
// alone; locks, so that the work best holds none that others wait for; and a collection of garbage waits for it. So it is one thread,
// and it is not put off for ever: see niceness. Whoever has waited for it for as long as he is prepared to does his work himself.
//
// # Limits
//
// One thread, which ends when there has been nothing to do for idle. Who waits is bounded by who asks.
//
// # Failures
//
// None: where there are no such threads, everybody does his work himself.
package nice

import (
	"runtime"
	"time"
)

const (
	// niceness is how much the thread gives way: beside a thread that does not, it has a tenth of a core; what wants to run for less
	// than some milliseconds goes first.
	niceness = 10

	idle = 5 * time.Second
)

// Thread does work, one after the other. It is safe for concurrent use.
type Thread struct {
	work  chan *errand
	hired chan struct{} // holds one when there is a thread
}

type errand struct {
	do    func()
	ended chan any // takes what do panicked with, or nil
}

// New makes one that nobody has to close. It is nil, of which Do is as good, where a thread cannot give way, or would hold up all
// others while it does: with a single processor.
func New() *Thread {
	if !able || runtime.GOMAXPROCS(0) < 2 {
		return nil
	}
	return &Thread{work: make(chan *errand), hired: make(chan struct{}, 1)}
}

// Do does the work and returns when that is done: on the thread, or on the caller's goroutine, when others have kept the thread busy for
// as long as patience. A panic is the caller's.
func (t *Thread) Do(patience time.Duration, work func()) {
	if t == nil {
		work()
		return
	}
	e := &errand{do: work, ended: make(chan any, 1)}
	if !t.hand(patience, e) {
		work()
		return
	}
	if panicked := <-e.ended; panicked != nil {
		panic(panicked) // the work's own, where its caller expects it
	}
}

// hand gives the errand to the thread, unless that is busy for too long.
func (t *Thread) hand(patience time.Duration, e *errand) bool {
	select {
	case t.work <- e:
		return true
	case t.hired <- struct{}{}:
		go t.run(e)
		return true
	default:
	}
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case t.work <- e:
	case t.hired <- struct{}{}:
		go t.run(e)
	case <-enough.C:
		return false
	}
	return true
}

// run is the life of the thread, which ends with this goroutine: it is never unlocked.
func (t *Thread) run(e *errand) {
	defer func() { <-t.hired }()
	runtime.LockOSThread()
	giveWay(niceness)
	bored := time.NewTimer(idle)
	defer bored.Stop()
	for {
		e.run()
		bored.Reset(idle)
		select {
		case e = <-t.work:
		case <-bored.C:
			return
		}
	}
}

func (e *errand) run() {
	defer func() { e.ended <- recover() }()
	e.do()
}
