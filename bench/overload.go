package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// overloadPlan says how the CPS is overloaded. It serves on one core; requests come over HTTP/1.1 on kept connections, each provider's
// from an address of its own, at random instants, whether or not earlier ones have been answered. Half publish, half retrieve.
type overloadPlan struct {
	Rounds   int           // of which the median counts
	Length   time.Duration // of each phase
	InFlight int           // requests at a time when it is measured how many the CPS can carry
}

func newOverloadPlan() overloadPlan {
	return overloadPlan{Rounds: 5, Length: 5 * time.Second, InFlight: 24}
}

// shrink makes a plan that only shows that everything works.
func (p *overloadPlan) shrink() { *p = overloadPlan{1, 200 * time.Millisecond, 8} }

// What is aimed at.
const (
	normalLoad    = 0.7 // of what it can carry
	overLoad      = 2.0
	othersLoad    = 0.5 // without the greedy one
	aimAccepted   = 3.0 // p99 of what is accepted, against normal
	aimRecovery   = 2.0 // s
	aimOthers     = 1.2 // p99 of others beside a greedy one, against without
	aimGenerator  = 85  // % of its core: beyond, it is the generator that is overloaded
	recoveryPart  = 250 * time.Millisecond
	recoveryParts = 12
)

// overloaded is what is found out, one value a round.
type overloaded struct {
	carries, normal, accepted, goodput, shed, recovery, alone, beside, greedyShare []float64
	told                                                                           []float64 // of refusals, those that say when to come again
	crowdedOut                                                                     []float64 // of others' requests beside the greedy one, those refused
}

// measureOverload measures how the CPS bears more than it can carry.
func measureOverload(ctx context.Context, p overloadPlan) ([]figure, error) {
	calm, err := calmLoad()
	if err != nil {
		return nil, err
	}
	defer calm()
	runtime.GOMAXPROCS(2) // one of them sleeps until the next is due
	subject, err := startProcess(ctx, roleStrained)
	if err != nil {
		return nil, err
	}
	defer subject.stop()
	rush, err := newRush(subject)
	if err != nil {
		return nil, err
	}
	var o overloaded
	for range p.Rounds {
		if err := o.round(ctx, p, rush); err != nil {
			return nil, err
		}
	}
	return append(o.figures(),
		figure{Name: "overload: the generator's core, where it was busiest", Unit: "%", Value: slices.Max(rush.took), Most: aimGenerator},
		figure{Name: "overload: requests handed out late, p99 of the median phase", Unit: "ms", Value: median(rush.late)},
	), nil
}

func (o *overloaded) round(ctx context.Context, p overloadPlan, c *rush) error {
	carried, err := c.saturate(ctx, p)
	if err != nil {
		return err
	}
	everybody := func(rate float64) []asked { return []asked{{rate: rate, who: c.everybody()}} }
	normal, err := c.run(ctx, everybody(normalLoad*carried), p.Length)
	if err != nil {
		return err
	}
	// The load falls without a pause.
	after := recoveryPart * recoveryParts
	steps := append(everybody(overLoad*carried), asked{rate: normalLoad * carried, who: c.everybody(), from: p.Length})
	steps[0].until = p.Length
	over, err := c.run(ctx, steps, p.Length+after)
	if err != nil {
		return err
	}
	during, later := over.split(p.Length)
	base := normal.accepted().percentile(99)
	o.carries = append(o.carries, carried)
	o.normal = append(o.normal, base)
	o.accepted = append(o.accepted, during.accepted().percentile(99))
	o.goodput = append(o.goodput, float64(len(during.accepted()))/p.Length.Seconds()/carried)
	o.shed = append(o.shed, 100*float64(len(during.refused()))/float64(len(during)))
	o.recovery = append(o.recovery, later.recovered(p.Length, base))
	o.told = append(o.told, during.toldLater())

	others := asked{rate: othersLoad * carried, who: c.others()}
	alone, err := c.run(ctx, []asked{others}, p.Length)
	if err != nil {
		return err
	}
	beside, err := c.run(ctx, []asked{others, {rate: (overLoad - othersLoad) * carried, who: c.greedy()}}, p.Length)
	if err != nil {
		return err
	}
	// What the greedy one had to wait with for its connections, it asks when the others have stopped: then it is alone, and no more
	// greedy than anybody.
	mine := beside.of(c.greedy()).filter(func(s *shot) bool { return s.due+s.took < p.Length })
	o.alone = append(o.alone, alone.percentile(99))
	o.beside = append(o.beside, beside.of(c.others()).percentile(99))
	o.crowdedOut = append(o.crowdedOut, 100*float64(len(beside.of(c.others()).refused()))/float64(len(beside.of(c.others()))))
	o.greedyShare = append(o.greedyShare, 100*float64(len(mine.refusedWith(429)))/float64(max(1, len(mine.refused()))))
	return nil
}

func (o *overloaded) figures() []figure {
	ratios := func(a, b []float64) []float64 {
		list := make([]float64, len(a))
		for i := range a {
			list[i] = a[i] / b[i]
		}
		return list
	}
	return []figure{
		{Name: "overload: what one core carries, publish and retrieve", Unit: "requests/s", Value: median(o.carries)},
		{Name: "overload: p99 of what is accepted at twice that, against 70 % of it", Unit: "ms", Floor: median(o.normal), Value: median(o.accepted), Ratio: median(ratios(o.accepted, o.normal)), Most: aimAccepted},
		{Name: "overload: accepted meanwhile, of what it carries", Unit: "ratio", Value: median(o.goodput)},
		{Name: "overload: refused meanwhile", Unit: "%", Value: median(o.shed)},
		{Name: "overload: refusals that say when to come again", Unit: "%", Value: slices.Min(o.told), Least: 100},
		{Name: "overload: until it is as before, after the load has fallen", Unit: "s", Value: median(o.recovery), Most: aimRecovery},
		{Name: "overload: p99 of others beside one greedy provider, against without", Unit: "ms", Floor: median(o.alone), Value: median(o.beside), Ratio: median(ratios(o.beside, o.alone)), Most: aimOthers},
		{Name: "overload: others refused beside it", Unit: "%", Value: median(o.crowdedOut)},
		{Name: "overload: refusals of the greedy one that tell it so", Unit: "%", Value: median(o.greedyShare)},
	}
}

// asked are requests of some providers at a rate, for a part of the time.
type asked struct {
	rate        float64
	who         []*client
	from, until time.Duration // until 0: to the end
}

// run sends what is due and gives what came of it.
func (c *rush) run(ctx context.Context, streams []asked, length time.Duration) (shots, error) {
	var all shots
	for _, s := range streams {
		if s.until == 0 {
			s.until = length
		}
		for at := s.from; at < s.until; at += time.Duration(rand.ExpFloat64() / s.rate * float64(time.Second)) {
			who := s.who[rand.IntN(len(s.who))]
			all = append(all, &shot{due: at, client: who})
		}
	}
	slices.SortFunc(all, func(a, b *shot) int { return int(a.due - b.due) })
	return all, c.fire(ctx, all)
}

// saturate measures how many requests a second are answered when there are always some to be answered.
func (c *rush) saturate(ctx context.Context, p overloadPlan) (float64, error) {
	who := c.everybody()
	const guess = 9000 // a second, more than one core has ever answered
	all := make(shots, int(guess*min(p.Length, 2*time.Second).Seconds()))
	for i := range all {
		all[i] = &shot{client: who[i%len(who)]}
	}
	began := time.Now()
	if err := c.volley(ctx, all, p.InFlight, &began, min(p.Length, 2*time.Second)); err != nil {
		return 0, err
	}
	done := all.accepted()
	last := time.Duration(0)
	for _, s := range done {
		last = max(last, s.due+s.took)
	}
	if len(done) == 0 {
		return 0, errors.New("no request was answered")
	}
	return float64(len(done)) / last.Seconds(), nil
}

// shots are requests in the order in which they are due.
type shots []*shot

func (l shots) filter(keep func(*shot) bool) shots {
	var kept shots
	for _, s := range l {
		if keep(s) {
			kept = append(kept, s)
		}
	}
	return kept
}

func (l shots) accepted() shots {
	return l.filter(func(s *shot) bool { return s.status == 200 || s.status == 201 })
}

func (l shots) refused() shots {
	return l.filter(func(s *shot) bool { return s.status == 429 || s.status == 503 })
}

func (l shots) refusedWith(status int) shots {
	return l.filter(func(s *shot) bool { return s.status == status })
}

func (l shots) of(who []*client) shots {
	return l.filter(func(s *shot) bool { return slices.Contains(who, s.client) })
}

func (l shots) split(at time.Duration) (before, after shots) {
	return l.filter(func(s *shot) bool { return s.due < at }), l.filter(func(s *shot) bool { return s.due >= at })
}

// percentile is of the latencies, in ms, counted from when each was due.
func (l shots) percentile(p float64) float64 {
	return percentile(each(l, func(s *shot) float64 { return float64(s.took.Nanoseconds()) / 1e6 }), p)
}

// toldLater is which percentage of those refused were told when to come again.
func (l shots) toldLater() float64 {
	refused := l.refused()
	if len(refused) == 0 {
		return 100
	}
	return 100 * float64(len(refused.filter(func(s *shot) bool { return s.later }))) / float64(len(refused))
}

// recovered is how long after an instant it took until, for half a second, nothing was refused and the p99 was within what it may
// be under overload; in seconds.
func (l shots) recovered(from time.Duration, normal float64) float64 {
	good := 0
	for i := range recoveryParts {
		begin := from + time.Duration(i)*recoveryPart
		part := l.filter(func(s *shot) bool { return s.due >= begin && s.due < begin+recoveryPart })
		if good++; len(part.accepted()) < len(part) || part.percentile(99) > aimAccepted*normal {
			good = 0
		} else if good == 2 {
			return float64(i-1) * recoveryPart.Seconds()
		}
	}
	return recoveryParts * recoveryPart.Seconds()
}
