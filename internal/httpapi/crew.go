package httpapi

import "time"

// crew are goroutines that requests are served on. net/http starts a goroutine for each request, with a small stack; to
// grow that, frame by frame, until a signature can be verified costs a tenth of the signature. A goroutine of the crew
// keeps the stack that it has grown, and goes home when there has been nothing to do for a while. A crew of none lets
// everybody do their own work.
type crew struct {
	errands chan *errand
	hired   chan struct{}
}

type errand struct {
	do    func()
	ended chan any // takes what do panicked with, or nil
}

const crewIdle = 5 * time.Second

func newCrew(most int) *crew {
	return &crew{errands: make(chan *errand), hired: make(chan struct{}, most)}
}

// run lets one of the crew do it and waits for that. When all are busy, the caller does it. A panic is the caller's.
func (c *crew) run(do func()) {
	e := &errand{do, make(chan any, 1)}
	select {
	case c.errands <- e:
	default:
		select {
		case c.hired <- struct{}{}:
			go c.work(e)
		default:
			do()
			return
		}
	}
	if panicked := <-e.ended; panicked != nil {
		panic(panicked)
	}
}

func (c *crew) work(e *errand) {
	defer func() { <-c.hired }()
	idle := time.NewTimer(crewIdle)
	defer idle.Stop()
	for {
		e.ended <- e.run()
		idle.Reset(crewIdle)
		select {
		case e = <-c.errands:
		case <-idle.C:
			return
		}
	}
}

func (e *errand) run() (panicked any) {
	defer func() { panicked = recover() }()
	e.do()
	return nil
}
