package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
)

// Run tries every provider, fills the stock, warms up, and measures step by step. It can be run again, one run at a time. When
// ctx ends it sends nothing more, and reports what there is.
func (l *Load) Run(ctx context.Context) (*Report, error) {
	if err := l.try(ctx); err != nil {
		return nil, err
	}
	return l.measure(ctx, l.config.Steps)
}

// measure is Run without trying.
func (l *Load) measure(ctx context.Context, steps []Step) (*Report, error) {
	d := &drive{Load: l, schedule: l.schedule(steps, l.config.Warmup), record: newRecorder(steps, len(l.config.Providers))}
	runtime.GC() // of what was made before
	if err := d.run(ctx); err != nil {
		return nil, err
	}
	return d.report(ctx.Err() != nil), nil
}

// drive sends one schedule.
type drive struct {
	*Load
	schedule schedule
	record   *recorder
	stock    *stock
	begin    time.Time // of the clock
	filling  time.Duration
	step     int // that is being sent

	work chan *shot // to those who wait for some
	crew int        // goroutines that send
	all  sync.WaitGroup
}

func (d *drive) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	if d.stock, err = d.prepare(ctx, d.schedule); err != nil {
		return err
	}
	d.stock.wait(ctx)
	d.filling = time.Since(began)
	if d.filling+d.config.Ahead > tokenLife {
		return fmt.Errorf("the stock expires before it is used: it took %s to sign what is due in the first %s, and a token is sent within %s; prepare fewer requests, or less time ahead",
			d.filling.Round(time.Second), d.config.Ahead, tokenLife)
	}
	d.begin = d.stock.begin
	if now := time.Now(); now.After(d.begin) {
		d.begin = now
	}
	d.work, d.step = make(chan *shot), noStep
	defer d.all.Wait()
	defer close(d.work)
	for c := range d.stock.chunks {
		if err := d.sendChunk(ctx, c); err != nil || ctx.Err() != nil {
			return err
		}
	}
	d.turn(noStep)
	return nil
}

// sendChunk hands the shots of a chunk over, each when it is due.
func (d *drive) sendChunk(ctx context.Context, c *chunk) error {
	select {
	case <-c.ready:
	default:
		select {
		case <-c.ready:
		case <-ctx.Done():
			return nil
		}
		if d.begin.Add(c.arrivals[0].due).Before(time.Now()) {
			d.record.waited(c.arrivals[0].step, len(c.arrivals))
		}
	}
	if c.err != nil {
		return c.err
	}
	for i := range c.shots {
		s := &c.shots[i]
		if due := d.begin.Add(s.due); time.Until(due) > 0 {
			d.config.sleep(ctx, due)
		}
		if ctx.Err() != nil {
			return nil
		}
		if s.step != d.step {
			d.turn(s.step)
		}
		d.hand(context.WithoutCancel(ctx), s)
	}
	return nil
}

// turn goes over to another step.
func (d *drive) turn(step int) {
	u := usage{processor: processorTime(), connections: d.wires.dialled.Load(), waits: readWaits()}
	d.record.turn(d.step, step, d.begin.Add(d.schedule.beginOf(step)), u)
	d.step = step
}

// hand gives a shot to a goroutine that has none, or to a new one.
func (d *drive) hand(ctx context.Context, s *shot) {
	select {
	case d.work <- s:
		return
	default:
	}
	if d.crew == d.config.InFlight {
		d.refuse(s, "not sent: too many under way")
		return
	}
	d.crew++
	d.all.Go(func() {
		d.shoot(ctx, s)
		for s := range d.work {
			d.shoot(ctx, s)
		}
	})
}

// refuse is for a shot that is not sent.
func (d *drive) refuse(s *shot, why string) {
	late := time.Since(d.begin.Add(s.due))
	d.record.sent(s.step, late)
	d.record.came(s.arrival, s.op, late, why, time.Now())
}

// shoot sends a shot, and what follows it.
func (d *drive) shoot(ctx context.Context, s *shot) {
	due, now := d.begin.Add(s.due), time.Now()
	switch {
	case now.Sub(due) > d.config.Timeout:
		d.refuse(s, "not sent: the generator was late by more than the timeout")
		return
	case now.Sub(s.signed) > tokenLife:
		d.refuse(s, "not sent: its token had expired")
		return
	}
	d.record.sent(s.step, now.Sub(due))
	answer := d.send(ctx, s.first, s.target, s.actor())
	now = time.Now()
	took, failure := now.Sub(due), judge(s.op, answer)
	if s.op != Call {
		d.record.came(s.arrival, s.op, took, failure, now)
		return
	}
	d.record.came(s.arrival, CallPublish, took, failure, now)
	if failure == "" {
		if d.config.Trunk > 0 {
			pause(ctx, d.config.Trunk)
		}
		from := time.Now()
		answer = d.send(ctx, s.then, s.thenTo, s.reader)
		now = time.Now()
		if failure = judge(Retrieve, answer); failure == "" && !slices.Contains(answer.Passports, s.passport) {
			failure = "another PASSporT than was published"
		}
		d.record.came(s.arrival, CallRetrieve, now.Sub(from), failure, now)
		took += now.Sub(from)
	}
	d.record.came(s.arrival, Call, took, failure, now)
}

func (l *Load) send(ctx context.Context, p cpsclient.Prepared, target, provider int) cpsclient.Answer {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout)
	defer cancel()
	return p.Send(ctx, l.wires.to(target, provider))
}

// judge gives the kind of failure of an answer; none where it is as it should be.
func judge(op Operation, answer cpsclient.Answer) string {
	fault := answer.Fault
	switch {
	case op == Miss && fault == nil:
		return "found what nobody has published"
	case op == Miss && fault.Kind == oob.NotFound, fault == nil:
		return ""
	case answer.Status == 0:
		return fault.Kind.String()
	}
	return fmt.Sprintf("%d %s", answer.Status, fault.Kind.String())
}

const (
	triesMax  = 2000
	tryAgain  = 3 // times in all
	tryPause  = 300 * time.Millisecond
	triesOpen = 16
)

// try has every provider do once what will be measured, so that a key which nobody believes is told now; the CPS has all
// certificates then, and all connections are open.
func (l *Load) try(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan arrival)
	var all sync.WaitGroup
	for range triesOpen {
		all.Go(func() {
			for a := range work {
				if err := l.tryOne(ctx, a); err != nil {
					cancel(err)
				}
			}
		})
	}
	src := l.source()
	op := l.config.Mix.trial()
	for i := range min(max(len(l.config.Providers), l.config.Connections*len(l.targets)), triesMax) {
		a := src.between(0, noStep, op, i%len(l.config.Providers), 0)
		a.reader = src.far(a.publisher)
		select {
		case work <- a:
		case <-ctx.Done():
		}
	}
	close(work)
	all.Wait()
	l.numbers.serial = src.serial
	return context.Cause(ctx)
}

// trial is the operation that shows whether a mixture can be done.
func (m Mix) trial() Operation {
	switch {
	case m.Weight[Call] > 0 || m.Weight[Retrieve] > 0:
		return Call
	case m.Weight[Publish] > 0:
		return Publish
	}
	return Miss
}

// tryOne does one operation, again where the CPS may only not have been ready.
func (l *Load) tryOne(ctx context.Context, a arrival) error {
	for left := tryAgain; ; left-- {
		s, err := l.shotOf(a, time.Now())
		if err != nil {
			return err
		}
		who, what := a.actor(), a.op
		if a.op == Call {
			what = Publish
		}
		answer := l.send(ctx, s.first, s.target, who)
		if judge(what, answer) == "" && a.op == Call {
			who, what = a.reader, Retrieve
			answer = l.send(ctx, s.then, s.thenTo, who)
		}
		if judge(what, answer) == "" || ctx.Err() != nil { // somebody else has failed
			return nil
		}
		if left == 1 || final(answer) || !pause(ctx, tryPause) {
			return fmt.Errorf("provider %s cannot %s: %w", l.config.Providers[who].SPC, what, reason(answer))
		}
	}
}

// final tells of a refusal that would come again.
func final(answer cpsclient.Answer) bool {
	return answer.Fault != nil && answer.Status/100 == 4 && answer.Fault.Kind != oob.NotFound && answer.Fault.Kind != oob.CredentialUnreachable
}

func reason(answer cpsclient.Answer) error {
	if answer.Fault == nil {
		return errors.New("there is what nobody has published")
	}
	return answer.Fault
}
