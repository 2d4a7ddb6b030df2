package httpapi

import (
	"net/http"
	"sync"
	"time"
)

// crew are goroutines that requests are served on. net/http starts a goroutine for each request, with a small stack; to
// grow that, frame by frame, until a signature can be verified costs a tenth of the signature. A goroutine of the crew
// keeps the stack that it has grown, and goes home when there has been nothing to do for a while. A crew of none lets
// everybody do their own work.
type crew struct {
	errands chan *errand
	hired   chan struct{}
	spare   sync.Pool // of *errand: to allocate one would already make the small stack grow
}

// errand is one request.
type errand struct {
	handler http.Handler
	w       http.ResponseWriter
	r       *http.Request
	ended   chan any // takes what handler panicked with, or nil
}

const crewIdle = 5 * time.Second

func newCrew(most int) *crew {
	return &crew{
		errands: make(chan *errand), hired: make(chan struct{}, most),
		spare: sync.Pool{New: func() any { return &errand{ended: make(chan any, 1)} }},
	}
}

// serve lets one of the crew serve a request and waits for that. When all are busy, the caller does it. A panic is the
// caller's.
func (c *crew) serve(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	e := c.spare.Get().(*errand)
	e.handler, e.w, e.r = handler, w, r
	select {
	case c.errands <- e:
	default:
		select {
		case c.hired <- struct{}{}:
			go c.work(e)
		default:
			c.put(e)
			handler.ServeHTTP(w, r)
			return
		}
	}
	panicked := <-e.ended
	c.put(e)
	if panicked != nil {
		panic(panicked) // the handler's own, where its caller expects it
	}
}

func (c *crew) put(e *errand) {
	e.handler, e.w, e.r = nil, nil, nil
	c.spare.Put(e)
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
	e.handler.ServeHTTP(e.w, e.r)
	return nil
}
