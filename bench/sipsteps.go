package main

import (
	"context"
	"slices"
)

// climber looks for the highest rate at which one server is clean in every round.
type climber struct {
	server sipServer
	next   int // index into the steps of what is tried next
	missed int // steps in a row that were not clean
	best   int // index of the highest step that may be clean; -1 when none is
	proven int // rounds in which it was
}

// missesMost is how many steps in a row end the climb.
const missesMost = 2

// climb finds the highest clean rates. It goes up in single slices, all servers on the same step, and then repeats each
// server's highest clean step until it was clean in every round; else the next lower one. Each slice has a server of its own,
// because one that was overrun is still busy long afterwards.
func (c *sipComparison) climb(ctx context.Context, transport string) error {
	if len(c.Steps) == 0 {
		return nil
	}
	var list []*climber
	for _, s := range c.judged() {
		first := c.firstStep(transport, s)
		list = append(list, &climber{server: s, next: first, best: first - 1})
	}
	if err := c.inTurns(ctx, transport, list, c.climbs, (*climber).up); err != nil {
		return err
	}
	if err := c.inTurns(ctx, transport, list, c.repeats, (*climber).down); err != nil {
		return err
	}
	c.highest[transport] = map[string]int{}
	for _, one := range list {
		if one.best >= 0 {
			c.highest[transport][one.server.name] = c.Steps[one.best]
		}
	}
	return nil
}

// inTurns lets every climber that goes on try a step, until none does.
func (c *sipComparison) inTurns(ctx context.Context, transport string, list []*climber,
	goesOn func(*climber) (step int, ok bool), tell func(one *climber, clean bool)) error {
	for busy := true; busy; {
		busy = false
		for _, one := range list {
			step, ok := goesOn(one)
			if !ok {
				continue
			}
			clean, err := c.step(ctx, one.server, transport, c.Steps[step])
			if err != nil {
				return err
			}
			tell(one, clean)
			busy = true
		}
	}
	return nil
}

func (c *sipComparison) climbs(one *climber) (step int, ok bool) {
	return one.next, one.missed < missesMost && one.next < len(c.Steps)
}

func (one *climber) up(clean bool) {
	if clean {
		one.best, one.missed, one.proven = one.next, 0, 1
	} else {
		one.missed++
	}
	one.next++
}

func (c *sipComparison) repeats(one *climber) (step int, ok bool) {
	return one.best, one.best >= 0 && one.proven < c.Rounds
}

func (one *climber) down(clean bool) {
	if clean {
		one.proven++
	} else {
		one.best, one.proven = one.best-1, 0
	}
}

// firstStep is the last below what the processor time per call promises, which is less than a busy server can do.
func (c *sipComparison) firstStep(transport string, s sipServer) int {
	perCall := median(each(c.paced[transport][s.name], volley.cpuMicroseconds))
	if perCall == 0 { // there is no /proc
		return 0
	}
	at, _ := slices.BinarySearch(c.Steps, int(1e6/perCall))
	return max(at-1, 0)
}

// A step that was not clean while other work on the machine took more than this, in percent of a core, is tried again.
const (
	disturbance = 15
	triesMost   = 3
)

// step tries one rate, each time with a fresh server.
func (c *sipComparison) step(ctx context.Context, s sipServer, transport string, rate int) (clean bool, err error) {
	for range triesMost {
		v, err := c.stepOnce(ctx, s, transport, rate)
		if err != nil || v.clean() || v.foreign < disturbance {
			return v.clean(), err
		}
	}
	return false, nil
}

func (c *sipComparison) stepOnce(ctx context.Context, s sipServer, transport string, rate int) (volley, error) {
	running, err := s.start(ctx, c.with)
	if err != nil {
		return volley{}, err
	}
	defer running.stop()
	if _, err := c.volley(ctx, s, running, transport, c.Rate, warming); err != nil {
		return volley{}, err
	}
	v, err := c.volley(ctx, s, running, transport, rate, c.StepSlice)
	if err == nil && v.outrun() {
		c.Log("%s %s %d/s: the load generator does not keep its schedule", s.name, transport, rate)
	}
	return v, err
}
