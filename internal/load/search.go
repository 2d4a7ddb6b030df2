package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	searchGrow   = 1.6
	searchClose  = 1.05 // between a rate that keeps the bound and one that does not
	searchTrials = 30

	failedShareMax = 0.001
	achievedMin    = 0.98 // of what was due
)

// Find searches the highest rate at which every operation's p99 is at most a bound, one request in a thousand fails at most, and
// answers keep up with what is due. It begins with the first step and keeps each rate as long as that. A rate at which the
// generator itself is too slow ends the search. All rates that were tried are steps of the report.
func (l *Load) Find(ctx context.Context, p99Max time.Duration) (*Report, error) {
	if p99Max < 100*time.Microsecond || p99Max > timeoutMax {
		return nil, fmt.Errorf("the bound of the p99 is 100µs to %s", timeoutMax)
	}
	if err := l.try(ctx); err != nil {
		return nil, err
	}
	var whole *Report
	found := &Found{P99Max: rounded(float64(p99Max) / 1e6)}
	step, good, above := l.config.Steps[0], 0.0, 0.0
	for range searchTrials {
		r, err := l.measure(ctx, []Step{step})
		if err != nil {
			return nil, err
		}
		whole = whole.with(r)
		if r.Interrupted || len(r.Steps) == 0 {
			break
		}
		trial := &r.Steps[0]
		if trial.keeps(found.P99Max) {
			good = max(good, step.PerSecond)
		} else {
			above = step.PerSecond
			if len(trial.Doubts) > 0 {
				found.Limited = trial.Doubts[0]
				break
			}
		}
		if good > 0 && above > 0 && above/good < searchClose {
			break
		}
		if step.PerSecond = between(good, above); step.check() != nil {
			found.Limited = "a generator sends no more, and no fewer, than that"
			break
		}
	}
	if whole == nil {
		return nil, errors.New("nothing was measured")
	}
	found.Rate = rounded(good * l.config.factor())
	whole.Found = found
	return whole, nil
}

// between is the rate to try next, of the highest that is known to be good and the lowest known to be too high.
func between(good, high float64) float64 {
	switch {
	case high == 0:
		return good * searchGrow
	case good == 0:
		return high / searchGrow / searchGrow
	}
	return (good + high) / 2
}

// keeps tells whether a rate is carried, with a p99 of at most so many milliseconds.
func (r *StepReport) keeps(p99Max float64) bool {
	var failed int64
	for _, n := range r.Failures {
		failed += n
	}
	if float64(failed) > failedShareMax*float64(r.Due) || r.Achieved < achievedMin*float64(r.Due)/r.Seconds {
		return false
	}
	for _, o := range r.Operations {
		if o.P99 > p99Max {
			return false
		}
	}
	return true
}

// with is a report with the steps of another behind its own; of none, the other.
func (r *Report) with(other *Report) *Report {
	if r == nil {
		return other
	}
	r.Steps = append(r.Steps, other.Steps...)
	r.Prepared += other.Prepared
	r.PreparedIn = rounded(r.PreparedIn + other.PreparedIn)
	r.Interrupted = r.Interrupted || other.Interrupted
	for kind, n := range other.Warming {
		r.Warming[kind] += n
	}
	r.ByProvider = nil // of one rate alone
	return r
}
