package load

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Operation is what is done and measured.
type Operation string

// The operations. A mixture is made of the first four; the others are what a run needs, and what a whole call is made of.
const (
	Publish  Operation = "publish"  // one shaken PASSporT
	Retrieve Operation = "retrieve" // of a record of the stock
	Miss     Operation = "miss"     // a retrieval of what nobody has published: 404 is as it should be
	Call     Operation = "call"     // publish, then retrieve by the far side, which must find that very PASSporT

	Stock        Operation = "stock" // publishes what Retrieve finds
	CallPublish  Operation = "call: publish"
	CallRetrieve Operation = "call: retrieve"
)

// mixed are those of a mixture, in the order in which they are shown.
var mixed = []Operation{Publish, Retrieve, Miss, Call}

// operations are all, in that order.
var operations = []Operation{Publish, Retrieve, Miss, Call, CallPublish, CallRetrieve, Stock}

// Mix is how often which operation is done.
type Mix struct{ Weight map[Operation]float64 }

// ParseMix reads publish=2,retrieve=1: weights of any sum.
func ParseMix(text string) (Mix, error) {
	m := Mix{Weight: map[Operation]float64{}}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		op := Operation(name)
		if !slices.Contains(mixed, op) {
			return Mix{}, fmt.Errorf("%q is none of publish, retrieve, miss and call", name)
		}
		if _, twice := m.Weight[op]; twice {
			return Mix{}, fmt.Errorf("%s is there twice", op)
		}
		weight, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return Mix{}, fmt.Errorf("write %s=NUMBER, its share of the mixture", op)
		}
		m.Weight[op] = weight
	}
	return m, m.check()
}

func (m Mix) check() error {
	sum := 0.0
	for op, weight := range m.Weight {
		if !slices.Contains(mixed, op) || !(weight >= 0 && weight <= weightMax) {
			return fmt.Errorf("the share of %s must be 0 to %d", op, weightMax)
		}
		sum += weight
	}
	if sum == 0 {
		return errors.New("a mixture of nothing")
	}
	return nil
}

// String is the mixture in percent.
func (m Mix) String() string {
	sum := 0.0
	for _, weight := range m.Weight {
		sum += weight
	}
	var parts []string
	for _, op := range mixed {
		if m.Weight[op] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s %%", op, strconv.FormatFloat(math.Round(1000*m.Weight[op]/sum)/10, 'f', -1, 64)))
		}
	}
	return strings.Join(parts, ", ")
}

// Arrivals is how requests are spread over time.
type Arrivals string

// The ways: at equal distances, or independent of each other as calls are.
const (
	Even    Arrivals = "even"
	Poisson Arrivals = "poisson"
)

// Step is a rate that is kept for a while.
type Step struct {
	PerSecond float64 // of providers with the share 1; with greater shares it is more
	For       time.Duration
}

// ParseSteps reads 2000@10s,4000@10s; a rate alone lasts as long as otherwise is said.
func ParseSteps(text string, otherwise time.Duration) ([]Step, error) {
	var steps []Step
	for part := range strings.SplitSeq(text, ",") {
		rate, length, timed := strings.Cut(strings.TrimSpace(part), "@")
		s := Step{For: otherwise}
		var err error
		if s.PerSecond, err = strconv.ParseFloat(rate, 64); err != nil {
			return nil, fmt.Errorf("%q is no rate such as 500, or 2000@10s,4000@10s for one after the other", part)
		}
		if timed {
			if s.For, err = time.ParseDuration(length); err != nil {
				return nil, fmt.Errorf("%q is no time such as 10s", length)
			}
		}
		if err := s.check(); err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

func (s Step) check() error {
	if !(s.PerSecond > 0 && s.PerSecond <= rateMax) {
		return fmt.Errorf("a rate must be above 0, and at most %d a second", rateMax)
	}
	if s.For < 100*time.Millisecond || s.For > 24*time.Hour {
		return errors.New("a step must last 100ms to 24h")
	}
	return nil
}
