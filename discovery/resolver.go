package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// holdersMax bounds for how many of the providers that hold a number a CPS is looked for.
const holdersMax = 4

// NumberingName is the source of a Reason that says who holds the number.
const NumberingName = "numbering"

// Place is a Source and how it is asked.
type Place struct {
	Source Source

	// Pace is that of a source which has to ask somebody. Nil for one that answers at once out of memory: it is asked every
	// time, and nothing is remembered.
	Pace *Pace
}

// Config says where CPSs are looked for.
type Config struct {
	Places []Place // the first that knows of a CPS decides

	Numbering oob.Numbering // who holds a number, portability included; nil when nobody knows
	Numbers   Pace          // how that is asked; Fresh is 1 min by default and Stale none
}

// Resolver finds CPSs. It is safe for concurrent use.
type Resolver struct {
	places  []place
	holders *memory[[]string] // nil when nobody knows
	cfg     Config
}

type place struct {
	source Source
	name   string
	memory *memory[Finding] // nil for one that is local
}

// New makes a Resolver. The caller closes it.
func New(cfg Config) (*Resolver, error) {
	r := &Resolver{cfg: cfg}
	names := map[string]bool{}
	for _, p := range cfg.Places {
		name := p.Source.Name()
		if name == "" || name == NumberingName || names[name] {
			return nil, fmt.Errorf("a source needs a name of its own: %q", name)
		}
		names[name] = true
		asked := place{source: p.Source, name: name}
		if p.Pace != nil {
			asked.memory = newMemory(*p.Pace, asked.find)
		}
		r.places = append(r.places, asked)
	}
	if cfg.Numbering != nil {
		pace := cfg.Numbers
		if pace.Fresh <= 0 {
			pace.Fresh = time.Minute
		}
		if pace.Stale <= 0 {
			pace.Stale = 1 // a number that was ported is somebody else's
		}
		r.holders = newMemory(pace, r.findHolders)
	}
	return r, nil
}

// Close ends what is asked in the background.
func (r *Resolver) Close() {
	for _, p := range r.places {
		if p.memory != nil {
			p.memory.close()
		}
	}
	if r.holders != nil {
		r.holders.close()
	}
}

// Stats gives, by the names of the sources, what those that are slow have done; under NumberingName, the numbering.
func (r *Resolver) Stats() map[string]Counts {
	all := make(map[string]Counts)
	for _, p := range r.places {
		if p.memory != nil {
			all[p.name] = p.memory.state()
		}
	}
	if r.holders != nil {
		all[NumberingName] = r.holders.state()
	}
	return all
}

// find asks a slow source, and lets through only what may be used.
func (p place) find(ctx context.Context, k key) (found Finding, fresh, expires time.Time, err error) {
	found, err = p.source.Find(ctx, Question{Side: k.side, Number: k.number, SPC: k.spc})
	if err == nil {
		found.URLs, err = usable(found.URLs)
	}
	if err != nil {
		return Finding{}, time.Time{}, time.Time{}, err
	}
	return found, found.Fresh, found.Expires, nil
}

// usable gives those URLs that are such as a CPS may have, in their form.
func usable(urls []string) (good []string, err error) {
	for _, text := range urls {
		url, bad := BaseURL(text)
		if bad != nil {
			err = bad
			continue
		}
		if len(good) < URLsMax && !slices.Contains(good, url) {
			good = append(good, url)
		}
	}
	switch {
	case len(good) > 0:
		return good, nil
	case err == nil:
		return nil, Nothing("an answer without a URL")
	}
	return nil, oob.Faultf(oob.PeerFailed, "an answer without a usable URL").Because(err)
}

func (r *Resolver) findHolders(ctx context.Context, k key) (spcs []string, fresh, expires time.Time, err error) {
	spcs, err = r.cfg.Numbering.SPCs(ctx, k.number)
	if err == nil && len(spcs) == 0 {
		err = Nothing("nobody is known to hold it")
	}
	return spcs, time.Time{}, time.Time{}, err
}

// Resolve finds the CPSs for a question. It waits no longer than ctx allows, nor than the shares of the sources that must be
// asked. It has no error: what it does not know, nobody waits for.
func (r *Resolver) Resolve(ctx context.Context, q Question) Answer {
	now := time.Now()
	a := Answer{Reasons: make([]Reason, 0, len(r.places)+1)}
	certain := true
	holders := []string{q.SPC}
	if q.SPC == "" && !q.Number.IsZero() && r.holders != nil {
		said, outcome := r.holders.ask(ctx, key{number: q.Number}, now)
		reason := Reason{Source: NumberingName, Outcome: outcome, Took: tookSince(now, said.at)}
		switch outcome {
		case Found, FoundStale:
			holders = said.value[:min(len(said.value), holdersMax)]
			reason.Detail, reason.Age = said.value[0], ageAt(now, said.at)
		default:
			reason.Detail = detailOf(said.err)
			certain = outcome == Absent
		}
		a.Reasons = append(a.Reasons, reason)
	}
	for i := range r.places {
		reason, found, at := r.places[i].ask(ctx, q, holders)
		a.Reasons = append(a.Reasons, reason)
		switch reason.Outcome {
		case Found, FoundStale:
			a.CPSs, a.Resource, a.Signer = found.URLs, found.Resource, found.Signer
			a.Source, a.Stale, a.Age = reason.Source, reason.Outcome == FoundStale, ageAt(now, at)
			return a
		case Absent, Expired:
		default:
			certain = false
		}
	}
	a.Negative = certain
	return a
}

// ask asks a source for the number and, where several providers hold it, for the others.
func (p *place) ask(ctx context.Context, q Question, holders []string) (reason Reason, found Finding, at time.Time) {
	for i, spc := range holders {
		q.SPC = spc
		if i > 0 && q.Certificate == nil {
			q.Number = tn.Number{}
		}
		if reason, found, at = p.askOne(ctx, q); reason.Outcome != Absent {
			break
		}
	}
	return reason, found, at
}

func (p *place) askOne(ctx context.Context, q Question) (Reason, Finding, time.Time) {
	now := time.Now()
	if p.memory != nil {
		said, outcome := p.memory.ask(ctx, key{q.Side, q.Number, q.SPC}, now)
		reason := Reason{Source: p.name, Outcome: outcome, Took: tookSince(now, said.at), Age: ageAt(now, said.at), Detail: said.value.Detail}
		if said.err != nil {
			reason.Detail = detailOf(said.err)
		}
		if outcome == TooSlow {
			reason.Took = time.Since(now)
		}
		return reason, said.value, said.at
	}
	found, err := p.source.Find(ctx, q)
	switch {
	case err != nil:
		return Reason{Source: p.name, Outcome: outcomeOf(err), Detail: detailOf(err)}, Finding{}, time.Time{}
	case !found.Expires.IsZero() && !now.Before(found.Expires):
		return Reason{Source: p.name, Outcome: Expired, Detail: found.Detail}, Finding{}, time.Time{}
	}
	return Reason{Source: p.name, Outcome: Found, Detail: found.Detail, Age: ageAt(now, found.Issued)}, found, found.Issued
}

// Explain asks every source anew, past all memory, also those behind the first that knows, and tells what each has said. It
// is for people, and takes as long as the slowest sources may take.
func (r *Resolver) Explain(ctx context.Context, q Question) Answer {
	var a Answer
	certain := true
	holders := []string{q.SPC}
	if q.SPC == "" && !q.Number.IsZero() && r.holders != nil {
		reason, spcs := r.explainHolders(ctx, q)
		a.Reasons = append(a.Reasons, reason)
		certain = reason.Outcome == Found || reason.Outcome == Absent
		if len(spcs) > 0 {
			holders = spcs[:min(len(spcs), holdersMax)]
		}
	}
	for i := range r.places {
		began := time.Now()
		reason, found := r.places[i].explain(ctx, q, holders)
		reason.Took = time.Since(began)
		a.Reasons = append(a.Reasons, reason)
		switch {
		case reason.Outcome == Found && a.Source == "":
			a.CPSs, a.Resource, a.Signer, a.Source = found.URLs, found.Resource, found.Signer, reason.Source
			a.Age = reason.Age
		case reason.Outcome == Failed:
			certain = false
		}
	}
	a.Negative = certain && a.Source == ""
	return a
}

func (r *Resolver) explainHolders(ctx context.Context, q Question) (Reason, []string) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.holders.pace.Patience)
	defer cancel()
	spcs, _, _, err := r.findHolders(ctx, key{number: q.Number})
	reason := Reason{Source: NumberingName, Outcome: outcomeOf(err), Took: time.Since(began), Detail: strings.Join(spcs, ", ")}
	if err != nil {
		reason.Detail = err.Error()
	}
	return reason, spcs
}

func (p *place) explain(ctx context.Context, q Question, holders []string) (Reason, Finding) {
	asked := *p
	if p.memory != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.memory.pace.Patience)
		defer cancel()
		asked.memory, asked.source = nil, checked{*p}
	}
	reason, found, _ := asked.ask(ctx, q, holders)
	if reason.Outcome == Found {
		reason.Detail = describe(found)
	}
	return reason, found
}

// checked is a slow source without its memory.
type checked struct{ place }

func (c checked) Name() string { return c.name }

func (c checked) Find(ctx context.Context, q Question) (Finding, error) {
	found, _, _, err := c.find(ctx, key{q.Side, q.Number, q.SPC})
	return found, err
}

func describe(f Finding) string {
	parts := []string{strings.Join(f.URLs, ", ")}
	if f.Resource != (stircert.Resource{}) {
		parts = append(parts, "for "+f.Resource.String())
	}
	if f.Signer != "" {
		parts = append(parts, "by "+f.Signer)
	}
	if !f.Expires.IsZero() {
		parts = append(parts, "until "+f.Expires.UTC().Format(time.RFC3339))
	}
	if f.Detail != "" {
		parts = append(parts, f.Detail)
	}
	return strings.Join(parts, "; ")
}

// detailOf is what of an error a person may see without a log.
func detailOf(err error) string {
	if f, ok := errors.AsType[*oob.Fault](err); ok {
		return f.Detail
	}
	return ""
}

func ageAt(now, at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at))
}

// tookSince is how long after now an answer came; 0 for one that was there.
func tookSince(now, at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, at.Sub(now))
}
