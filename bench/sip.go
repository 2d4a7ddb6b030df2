package main

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"os"
	"slices"
	"time"
)

// sipPlan says what is measured of SIP, and for how long.
type sipPlan struct {
	Servers    []sipServer // the first is the one that the others are compared with
	Transports []string
	Rate       int           // calls a second at which processor time is compared
	Turns      int           // volleys at that, of each server
	Slice      time.Duration // length of each
	Patience   time.Duration // how long after its last call answers count
	Rest       time.Duration // after the last turn over UDP, until the last transaction has ended

	Steps     []int // calls a second, ascending, among which the highest clean rate is looked for
	StepSlice time.Duration
	Rounds    int // in which the highest has to be clean

	SippCalls   int // for the check with sipp; 0 to leave it out
	MemoryCalls int // 0 to leave memory out
	MemoryRate  int
	Log         func(format string, arguments ...any)
}

// timerI is how long a transaction over UDP lives on after the ACK (RFC 3261 §17.2.1). What its end costs belongs to the
// call.
const timerI = 5 * time.Second

func newSIPPlan() sipPlan {
	return sipPlan{
		Servers: sipServers, Transports: []string{udp, tcp},
		Rate: 3000, Turns: 13, Slice: 500 * time.Millisecond, Patience: 2 * time.Second, Rest: timerI + 500*time.Millisecond,
		Steps: []int{500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 11_000, 12_000, 13_000, 14_000, 16_000,
			18_000, 20_000, 23_000, 26_000, 30_000},
		StepSlice: 800 * time.Millisecond, Rounds: 3, SippCalls: 3000, MemoryCalls: 50_000, MemoryRate: 5000,
		Log: func(string, ...any) {},
	}
}

// million is a plan that measures memory alone.
func (p sipPlan) million() sipPlan {
	p.Transports, p.MemoryCalls = nil, 1_000_000
	return p
}

// shrink makes a plan that only shows that everything works.
func (p *sipPlan) shrink() {
	p.Rate, p.Turns, p.Slice, p.Patience, p.Rest, p.Rounds = 100, 1, 200*time.Millisecond, time.Minute, 0, 1
	p.Steps, p.StepSlice, p.SippCalls, p.MemoryCalls, p.MemoryRate = []int{50, 100}, 200*time.Millisecond, 20, 20, 100
}

// sipComparison is a run of all servers under the same calls.
type sipComparison struct {
	sipPlan
	exchange
	with   signer
	absent map[string]error // by name of the server: why it is not there

	// By transport and name of the server.
	paced   map[string]map[string][]volley // the i-th of each belong together
	highest map[string]map[string]int      // in calls a second
	sipp    map[string]map[string]float64  // percent answered

	memory map[string]growth // by name of the server
}

// growth is what a server takes before its first call and after its last.
type growth struct{ before, after int64 }

func (g growth) mebibytes() float64 { return float64(g.after-g.before) / (1 << 20) }

// compareSIP measures the servers that are here and gives the figures.
func compareSIP(ctx context.Context, p sipPlan) ([]figure, error) {
	dir, err := os.MkdirTemp("", "bench-sip-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	with, id, err := newSigner(dir)
	if err != nil {
		return nil, err
	}
	c := newSIPComparison(p, with, &id.Key.PublicKey)
	calm, err := calmLoad()
	if err != nil {
		return nil, err
	}
	defer calm()
	if c.awake, err = keepAwake(ctx); err != nil {
		return nil, err
	}
	if c.awake != nil {
		defer c.awake.stop()
	}
	for _, transport := range c.Transports {
		for _, phase := range []func(context.Context, string) error{c.pace, c.climb, c.checkWithSipp} {
			if err := phase(ctx, transport); err != nil {
				return nil, fmt.Errorf("SIP over %s: %w", transport, err)
			}
		}
	}
	if err := c.remember(ctx); err != nil {
		return nil, err
	}
	return c.figures(), nil
}

func newSIPComparison(p sipPlan, with signer, key *ecdsa.PublicKey) *sipComparison {
	c := &sipComparison{
		sipPlan: p, with: with, absent: map[string]error{}, paced: map[string]map[string][]volley{},
		highest: map[string]map[string]int{}, memory: map[string]growth{}, sipp: map[string]map[string]float64{},
	}
	c.patience = p.Patience
	c.check = func(value string, placed call) error { return checkSignature(value, placed, key, with.X5U) }
	for _, s := range p.Servers {
		if s.here != nil {
			if err := s.here(); err != nil {
				c.absent[s.name] = err
				p.Log("%s is left out: %v", s.name, err)
			}
		}
	}
	return c
}

// present are the servers that can be measured.
func (c *sipComparison) present() []sipServer {
	return slices.DeleteFunc(slices.Clone(c.Servers), func(s sipServer) bool { return c.absent[s.name] != nil })
}

// judged are those of them that a bound is about: our own, and the one that they are compared with. What takes long is done
// with these alone.
func (c *sipComparison) judged() []sipServer {
	return slices.DeleteFunc(c.present(), func(s sipServer) bool { return !s.ours && s.name != c.Servers[0].name })
}

// volley is one slice against one server.
func (c *sipComparison) volley(ctx context.Context, s sipServer, running *process, transport string, rate int, length time.Duration) (volley, error) {
	v, err := c.fire(ctx, running, transport, rate, length)
	if err != nil {
		return volley{}, fmt.Errorf("%s: %w", s.name, err)
	}
	c.Log("%s %s %d/s: %v", s.name, transport, rate, v)
	if v.answered == 0 && v.fault != nil {
		return volley{}, fmt.Errorf("%s: %w", s.name, v.fault)
	}
	return v, nil
}

// pace measures at a rate that every server stands, the servers in turns. Short turns, because what else the machine does
// changes from second to second, and each is compared with the one beside it. Processor time counts until the server's next
// turn: what a server does behind its answers, the end of its transactions and the collection of its garbage, belongs to its
// calls.
func (c *sipComparison) pace(ctx context.Context, transport string) error {
	servers := c.present()
	running, before := make([]*process, len(servers)), make([]time.Duration, len(servers))
	for i, s := range servers {
		var err error
		if running[i], err = s.start(ctx, c.with); err != nil {
			return err
		}
		defer running[i].stop()
		if _, err := c.volley(ctx, s, running[i], transport, c.Rate, warming); err != nil {
			return err
		}
		before[i] = running[i].cpu()
	}
	paced := map[string][]volley{}
	c.paced[transport] = paced
	account := func(i int) { // the time since the server's turn began
		now := running[i].cpu()
		if turns := paced[servers[i].name]; len(turns) > 0 {
			turns[len(turns)-1].cpu = now - before[i]
		}
		before[i] = now
	}
	for round := range c.Turns {
		for turn := range servers {
			i := (turn + round) % len(servers) // everybody is first once
			s := servers[i]
			account(i)
			v, err := c.volley(ctx, s, running[i], transport, c.Rate, c.Slice)
			if err != nil {
				return err
			}
			paced[s.name] = append(paced[s.name], v)
		}
	}
	if transport == udp { // a transaction over TCP ends with the ACK
		time.Sleep(c.Rest)
	}
	for i := range servers {
		account(i)
	}
	return nil
}

// warming is how long a server gets calls that are not measured, to fill its caches and grow its heap.
const warming = 200 * time.Millisecond

// remember measures memory over UDP, of our own servers or, where there is none, of all.
func (c *sipComparison) remember(ctx context.Context) error {
	if c.MemoryCalls == 0 {
		return nil
	}
	servers := slices.DeleteFunc(c.present(), func(s sipServer) bool { return !s.ours })
	if len(servers) == 0 {
		servers = c.present()
	}
	for _, s := range servers {
		running, err := s.start(ctx, c.with)
		if err != nil {
			return err
		}
		g := growth{before: running.memory()}
		length := time.Duration(float64(c.MemoryCalls) / float64(c.MemoryRate) * float64(time.Second))
		_, err = c.volley(ctx, s, running, udp, c.MemoryRate, length)
		g.after = running.memory()
		_ = running.stop() // its exit status tells nothing that the volley has not
		if err != nil {
			return err
		}
		c.memory[s.name] = g
	}
	return nil
}
