package load

import (
	"iter"
	"math/rand/v2"
	"time"
)

// arrival is one request, or whole call, of a schedule.
type arrival struct {
	due       time.Duration // after the clock has started
	step      int           // noStep while nothing is measured
	op        Operation
	publisher int   // in whose name is published, has been, or of what is missed, has not
	reader    int   // whose number is called, who reads it
	caller    int64 // which number calls
	called    int64 // which of the reader's numbers is called
}

// noStep is that of a request which is not measured.
const noStep = -1

// actor is the provider to whom a request counts.
func (a arrival) actor() int {
	if a.op == Retrieve || a.op == Miss {
		return a.reader
	}
	return a.publisher
}

// schedule is arrivals in the order in which they are due: first the stock is laid, where something is retrieved, then the warm-up
// at the rate of the first step, then all steps. The stock is renewed meanwhile.
type schedule struct {
	arrivals iter.Seq[arrival]
	steps    []Step
	begin    time.Duration // of the first step
}

// A record of the stock is retrieved when it is so old that it has been laid surely, and so young that it is there surely.
const (
	stockYoung = time.Second
	stockOld   = 2 * time.Second // before its end
	fillRate   = 500.0           // records a second, or fewer where the first step is slower; more where it would take too long
)

// renewal is the time between two records of the stock: so many may be retrieved at any time as Stock says.
func (c *Config) renewal() time.Duration {
	return (c.Keep - stockYoung - stockOld) / time.Duration(c.Stock)
}

// beginOf is when a step begins; noStep is the end of all.
func (s schedule) beginOf(step int) time.Duration {
	at := s.begin
	for i, before := range s.steps {
		if i == step {
			break
		}
		at += before.For
	}
	return at
}

// source draws arrivals. It is used by one goroutine.
type source struct {
	*rand.Rand
	config    *Config
	serial    int64
	popular   *rand.Zipf  // nil: another called number for each call
	operation []float64   // running sums of weights, in the order of mixed
	provider  []float64   // of shares
	ordinary  []int       // providers with no more than their share
	laid      [][]arrival // of each reader, the stock that may still be there, oldest first
	turn      int         // who reads the next record of the stock
}

// schedule draws the arrivals of some steps. Serial numbers begin with that of the load, which is told how far they went.
func (l *Load) schedule(steps []Step, warmup time.Duration) schedule {
	s := schedule{steps: steps, begin: warmup}
	fills := l.config.Mix.Weight[Retrieve] > 0
	every := min(time.Duration(float64(time.Second)/min(steps[0].PerSecond, fillRate)), l.config.renewal()/2)
	laid := time.Duration(l.config.Stock) * every
	if fills {
		s.begin += laid + stockYoung
	}
	s.arrivals = func(yield func(arrival) bool) {
		src := l.source()
		defer func() { l.numbers.serial = src.serial }()
		if !fills {
			src.run(steps, 0, warmup, yield)
			return
		}
		for i := range l.config.Stock {
			if !yield(src.restock(time.Duration(i)*every, noStep)) {
				return
			}
		}
		src.run(steps, laid+stockYoung, warmup, src.renewing(laid, yield))
	}
	return s
}

func (l *Load) source() *source {
	c := &l.config
	s := &source{
		Rand: rand.New(rand.NewPCG(c.Seed, uint64(l.numbers.serial))), config: c, serial: l.numbers.serial,
		laid: make([][]arrival, len(c.Providers)),
	}
	if c.Called > 0 {
		s.popular = rand.NewZipf(s.Rand, 1.1, 1, uint64(c.Called-1))
	}
	for _, op := range mixed {
		s.operation = append(s.operation, c.Mix.Weight[op])
	}
	for i, p := range c.Providers {
		s.provider = append(s.provider, p.Share)
		if p.Share <= 1 {
			s.ordinary = append(s.ordinary, i)
		}
	}
	for _, sums := range [][]float64{s.operation, s.provider} {
		for i := 1; i < len(sums); i++ {
			sums[i] += sums[i-1]
		}
	}
	return s
}

// run yields the warm-up and all steps, from an instant on.
func (s *source) run(steps []Step, from, warmup time.Duration, yield func(arrival) bool) {
	if !s.keep(noStep, steps[0].PerSecond, from, from+warmup, yield) {
		return
	}
	from += warmup
	for i, step := range steps {
		if !s.keep(i, step.PerSecond, from, from+step.For, yield) {
			return
		}
		from += step.For
	}
}

// keep yields arrivals at a rate, until an instant; it is false when no more are wanted. One behind the end is drawn anew at the
// rate that follows.
func (s *source) keep(step int, rate float64, from, end time.Duration, yield func(arrival) bool) bool {
	rate *= s.provider[len(s.provider)-1] / float64(len(s.provider)) // more where a provider has more than its share
	mean := float64(time.Second) / rate
	for n := 0.5; ; n++ {
		at := from + time.Duration(n*mean)
		if s.config.Arrivals == Poisson {
			from += time.Duration(mean * s.ExpFloat64())
			at = from
		}
		if at >= end {
			return true
		}
		if !yield(s.arrive(at, step)) {
			return false
		}
	}
}

// pick draws an index by running sums of weights.
func (s *source) pick(sums []float64) int {
	at := s.Float64() * sums[len(sums)-1]
	for i, sum := range sums {
		if at < sum {
			return i
		}
	}
	return len(sums) - 1
}

// far draws the other side of a call: another provider, where there is one. One with more than its share has no part in the
// calls of others, so that what they are measured with is the same whatever it does.
func (s *source) far(provider int) int {
	if len(s.ordinary) == 0 {
		return provider
	}
	i := s.IntN(len(s.ordinary))
	if s.ordinary[i] == provider {
		i = (i + 1) % len(s.ordinary)
	}
	return s.ordinary[i]
}

// arrive draws what is due.
func (s *source) arrive(due time.Duration, step int) arrival {
	op, actor := mixed[s.pick(s.operation)], s.pick(s.provider)
	if op == Retrieve {
		return s.found(due, step, actor)
	}
	a := s.between(due, step, op, actor, s.far(actor))
	if op == Miss {
		a.publisher, a.reader = a.reader, a.publisher
	}
	return a
}

func (s *source) between(due time.Duration, step int, op Operation, publisher, reader int) arrival {
	a := arrival{due: due, step: step, op: op, publisher: publisher, reader: reader, caller: s.serial, called: s.serial}
	if s.popular != nil && op != Stock {
		a.called = int64(s.popular.Uint64())
	}
	s.serial++
	return a
}

// restock is an arrival that lays a record which a provider may retrieve. Providers take turns.
func (s *source) restock(due time.Duration, step int) arrival {
	reader := s.turn % len(s.laid)
	s.turn++
	a := s.between(due, step, Stock, s.far(reader), reader)
	s.laid[reader] = append(s.laid[reader], a)
	return a
}

// found draws a record of the stock that is there.
func (s *source) found(due time.Duration, step, reader int) arrival {
	list := s.laid[reader]
	for len(list) > 1 && list[0].due < due-s.config.Keep+stockOld {
		list = list[1:]
	}
	s.laid[reader] = list
	sure := len(list)
	for sure > 1 && list[sure-1].due > due-stockYoung {
		sure--
	}
	a := list[s.IntN(sure)]
	a.due, a.step, a.op = due, step, Retrieve
	return a
}

// renewing puts the renewal of the stock between other arrivals, from an instant on: as many are there at any time as at first.
func (s *source) renewing(from time.Duration, yield func(arrival) bool) func(arrival) bool {
	every := s.config.renewal()
	at := from + every
	return func(a arrival) bool {
		for ; at <= a.due; at += every {
			if !yield(s.restock(at, a.step)) {
				return false
			}
		}
		return yield(a)
	}
}
