package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// shot is an arrival that is ready to be sent.
type shot struct {
	arrival
	first    cpsclient.Prepared
	target   int                // where to, an index of Load.targets
	then     cpsclient.Prepared // of a call, the retrieval
	thenTo   int
	passport string // that was published, of a call: it must come back
	signed   time.Time
}

const (
	chunkLength = 64
	chunkSpan   = 100 * time.Millisecond
)

// chunk is a few arrivals that one goroutine signs for, one after the other.
type chunk struct {
	arrivals []arrival
	shots    []shot        // as many, when it is ready
	ready    chan struct{} // closed when it is, or err is set
	err      error
	first    *sync.WaitGroup // of those that are signed before the clock starts; nil for others
}

// shotOf signs for an arrival. begin is when the clock will start, or has started.
func (l *Load) shotOf(a arrival, begin time.Time) (s shot, err error) {
	c := &l.config
	s = shot{arrival: a, signed: time.Now()}
	orig, dest, err := l.numbers.parties(a)
	if err != nil {
		return shot{}, err
	}
	k := oob.Key{Profile: c.Form, Orig: orig, Dest: dest}
	switch row := c.Form.Row(); {
	case row.KeyedBySPC:
		k.SPC = c.Providers[a.publisher].SPC
	case row.ForSPC:
		k.SPC = c.Providers[a.reader].SPC
	}
	reading := l.read[a.caller%int64(len(l.read))]
	if a.op == Retrieve || a.op == Miss {
		s.target = reading
		s.first, err = l.clients[a.reader].PrepareRetrieve(reading, k)
		return s, err
	}
	from := c.Providers[a.publisher]
	if s.passport, err = passport.Sign(from.Key, passport.Shaken, from.X5U, passport.Claims{
		IAT: s.signed, Orig: orig, Dest: []tn.Identity{dest}, Attest: "A", OrigID: uuid.New(),
	}); err != nil {
		return shot{}, err
	}
	s.target = l.published[a.caller%int64(len(l.published))]
	publication := oob.Publication{Key: k, Passports: []string{s.passport}, Expires: begin.Add(a.due + c.Keep)}
	if latest := s.signed.Add(c.Form.Row().RetentionMax); publication.Expires.After(latest) {
		publication.Expires = latest
	}
	if s.first, err = l.clients[a.publisher].PreparePublish(s.target, publication); err != nil {
		return shot{}, err
	}
	if a.op == Call {
		s.thenTo = reading
		s.then, err = l.clients[a.reader].PrepareRetrieve(reading, k)
	}
	return s, err
}

// sign makes a chunk ready.
func (l *Load) sign(c *chunk, begin time.Time) {
	if c.first != nil {
		defer c.first.Done()
	}
	defer close(c.ready)
	c.shots = make([]shot, len(c.arrivals))
	for i, a := range c.arrivals {
		if c.shots[i], c.err = l.shotOf(a, begin); c.err != nil {
			c.err = fmt.Errorf("provider %s cannot sign: %w", l.config.Providers[a.actor()].SPC, c.err)
			return
		}
	}
}

// stock is what is prepared of a schedule.
type stock struct {
	begin  time.Time     // when the clock is to start; see Load.prepare
	chunks chan *chunk   // in the order in which they are due
	full   chan struct{} // closed when the stock is, or the schedule ends
	first  sync.WaitGroup
	signed int // before the clock starts, when first is done
}

// prepare starts signing. It refuses a stock that would expire: how long it takes to fill it is tried beforehand.
func (l *Load) prepare(ctx context.Context, s schedule) (*stock, error) {
	take, err := l.rehearse(s)
	if err != nil {
		return nil, err
	}
	if take+l.config.Ahead > tokenLife {
		return nil, fmt.Errorf("the stock would expire before it is used: to sign what is due in the first %s takes %s, and a token is sent within %s; prepare fewer requests, or less time ahead",
			l.config.Ahead, take.Round(time.Second), tokenLife)
	}
	st := &stock{
		begin: time.Now().Add(take), chunks: make(chan *chunk, max(1, l.config.AheadMax/chunkLength)), full: make(chan struct{}),
	}
	signing := make(chan *chunk)
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for c := range signing {
				l.sign(c, st.begin)
			}
		}()
	}
	go func() {
		defer close(st.chunks)
		defer close(signing)
		st.feed(ctx, s, l.config.Ahead, signing)
	}()
	return st, nil
}

// wait returns when the stock is full and signed, or ctx has ended and nothing more is put in.
func (st *stock) wait(ctx context.Context) {
	<-st.full // at once when ctx ends
	signed := make(chan struct{})
	go func() {
		st.first.Wait()
		close(signed)
	}()
	select {
	case <-signed:
	case <-ctx.Done():
	}
}

// feed cuts the schedule into chunks, and has each signed when its time has come and there is room.
func (st *stock) feed(ctx context.Context, s schedule, ahead time.Duration, signing chan<- *chunk) {
	filling := true
	fill := func() { // the stock is full
		if filling {
			filling = false
			close(st.full)
		}
	}
	defer fill()
	pass := func(c *chunk) bool {
		if wait := time.Until(st.begin.Add(c.arrivals[0].due - ahead)); c.arrivals[0].due > ahead && wait > 0 {
			fill()
			if !pause(ctx, wait) {
				return false
			}
		}
		if len(st.chunks) == cap(st.chunks) {
			fill()
		}
		if filling {
			c.first = &st.first
			st.first.Add(1)
			st.signed += len(c.arrivals)
		}
		select {
		case signing <- c:
		case <-ctx.Done():
			if c.first != nil {
				c.first.Done() // nobody will sign it
			}
			return false
		}
		select {
		case st.chunks <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	next := &chunk{ready: make(chan struct{})}
	for a := range s.arrivals {
		if n := len(next.arrivals); n == chunkLength || n > 0 && a.due-next.arrivals[0].due > chunkSpan {
			if !pass(next) {
				return
			}
			next = &chunk{ready: make(chan struct{})}
		}
		next.arrivals = append(next.arrivals, a)
	}
	if len(next.arrivals) > 0 {
		pass(next)
	}
}

// rehearse tells how long it will take to fill the stock: as long as it takes for the first arrivals, in proportion.
func (l *Load) rehearse(s schedule) (time.Duration, error) {
	var sample []*chunk
	n := 0
	for a := range s.arrivals {
		if a.op == Stock {
			continue
		}
		sample = append(sample, &chunk{arrivals: []arrival{a}, ready: make(chan struct{})})
		if n++; n == chunkLength {
			break
		}
	}
	if n == 0 {
		return 0, errors.New("nothing would be due: choose a higher rate, or a longer time")
	}
	began := time.Now()
	var all sync.WaitGroup
	for worker := range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := worker; i < n; i += runtime.GOMAXPROCS(0) {
				l.sign(sample[i], began)
			}
		})
	}
	all.Wait()
	each := time.Since(began) / time.Duration(n)
	for _, c := range sample {
		if c.err != nil {
			return 0, c.err
		}
	}
	expected := min(s.dueWithin(l.config.Ahead), float64(l.config.AheadMax))
	return 100*time.Millisecond + time.Duration(1.25*expected*float64(each)), nil
}

// dueWithin is about how many are due in the first while.
func (s schedule) dueWithin(ahead time.Duration) float64 {
	expected := 0.0
	for _, step := range append([]Step{{PerSecond: s.steps[0].PerSecond, For: s.begin}}, s.steps...) {
		expected += step.PerSecond * min(step.For, ahead).Seconds()
		ahead -= min(step.For, ahead)
	}
	return expected
}

// pause waits; it is false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
