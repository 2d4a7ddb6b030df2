package advert

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// BookConfig says what a Book keeps. The zero value of every field but Checker is useful.
type BookConfig struct {
	Checker *Checker // needed

	// Directory keeps advertisements across restarts; empty for memory alone. Whoever can write to it can take us back to
	// older ones that were signed by the right ones, until a source is read; he cannot make us believe others.
	Directory string

	EntriesMax       int // members of all advertisements, about 200 to 300 bytes each; default 1,000,000
	SignerEntriesMax int // members of all advertisements of one signer; default 50,000
	SetsMax          int // sets of resources, of which the newest seq is remembered; default 100,000
	SignerSetsMax    int // of one signer; default 256

	Recheck time.Duration // after which the certificates of all that is held are judged anew; default 5 min

	Log *slog.Logger // default: none
	Now func() time.Time
}

func (c BookConfig) withDefaults() BookConfig {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.EntriesMax, 1_000_000}, {&c.SignerEntriesMax, 50_000}, {&c.SetsMax, 100_000}, {&c.SignerSetsMax, 256}} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if c.Recheck <= 0 {
		c.Recheck = 5 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Book holds the advertisements that are believed, and finds the CPS of a number or provider in them. It is a
// discovery.Source, and safe for concurrent use.
type Book struct {
	cfg     BookConfig
	index   atomic.Pointer[index]
	taking  sync.Mutex // held while advertisements are taken: what mu guards is changed by one at a time
	waiting []string   // names of files whose signers could not be asked yet; guarded by taking

	mu      sync.Mutex // guards what follows
	sets    map[setID]*set
	signers map[string]*usage
	stats   Stats
	doubles []Equivocation // the latest, at most equivocationsMax
}

// set is what is known of one: the newest advertisement, and its number, which is remembered for as long as an older one
// could come.
type set struct {
	account string // whose it counts as
	seq     uint64
	content [sha256.Size]byte
	until   time.Time // forgotten after that
	live    *Checked  // nil when it has expired; without Taken when its certificate is not believed any more
}

type usage struct{ sets, entries int }

// NewBook makes a Book and takes up what is on disk, as far as its signers are believed without asking anybody for long.
func NewBook(ctx context.Context, cfg BookConfig) (*Book, error) {
	cfg = cfg.withDefaults()
	if cfg.Checker == nil {
		return nil, errors.New("a book of advertisements needs a checker")
	}
	b := &Book{
		cfg: cfg, sets: make(map[setID]*set), signers: make(map[string]*usage),
		stats: Stats{Refusals: make(map[Problem]int64), Members: make(map[Problem]int64)},
	}
	b.index.Store(newIndex(nil))
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("advertisements on disk: %w", err)
	}
	return b, nil
}

// Report is what has become of a document.
type Report struct {
	Accepted int       // advertisements that are news
	Repeated int       // that are held already
	Refused  []Refusal // advertisements, in the order of the document
	Members  map[Problem]int
}

// Refusal says why an advertisement was refused.
type Refusal struct {
	Line int // from 1; 0 for the whole document
	Err  error
}

// Again reports whether it may be worth offering the same document again: somebody could not be reached.
func (r Report) Again() bool {
	return slices.ContainsFunc(r.Refused, func(r Refusal) bool { return errors.Is(r.Err, Unreachable) || errors.Is(r.Err, NotYetValid) })
}

// Add takes what is good of a document: advertisements, one in a line. What is news is found when it returns.
func (b *Book) Add(ctx context.Context, document []byte) Report {
	report := Report{Members: map[Problem]int{}}
	lines, err := Lines(document)
	if err != nil {
		report.Refused = append(report.Refused, b.refuse(0, err))
	}
	for i, line := range lines {
		checked, err := b.check(ctx, line) // which may wait for a repository
		news := false
		if err == nil {
			news, err = b.accept(checked)
		}
		switch {
		case err != nil:
			report.Refused = append(report.Refused, b.refuse(i+1, err))
		case news:
			report.Accepted++
			for problem, places := range checked.Refused {
				report.Members[problem] += len(places)
			}
		default:
			report.Repeated++
		}
	}
	if report.Accepted > 0 {
		b.taking.Lock()
		b.rebuild()
		b.taking.Unlock()
	}
	return report
}

// accept is take that keeps what is news on disk.
func (b *Book) accept(checked *Checked) (news bool, err error) {
	b.taking.Lock()
	defer b.taking.Unlock()
	if news, err = b.take(checked); news {
		b.keep(checked)
		checked.shed()
	}
	return news, err
}

func (b *Book) check(ctx context.Context, line string) (*Checked, error) {
	signed, err := Parse(line)
	if err != nil {
		return nil, err
	}
	return b.cfg.Checker.Check(ctx, signed)
}

// take puts an advertisement in the place of the one before, if it is newer and there is room. It tells whether it is news.
func (b *Book) take(checked *Checked) (news bool, err error) {
	now := b.cfg.Now()
	id := checked.id
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.sets[id]
	if was != nil {
		switch {
		case checked.Seq < was.seq:
			return false, Backwards
		case checked.Seq == was.seq && checked.content != was.content:
			b.equivocate(checked, now)
			return false, Contradicting
		case checked.Seq == was.seq && was.live != nil:
			b.stats.Repeated++
			return false, nil
		}
	}
	use := b.signers[checked.account]
	if use == nil {
		use = &usage{}
	}
	sets, entries := 1, len(checked.Entries)
	if was != nil {
		if sets = 0; was.live != nil {
			entries = 0 // of the same set there are as many
		}
	}
	if use.sets+sets > b.cfg.SignerSetsMax || use.entries+entries > b.cfg.SignerEntriesMax ||
		len(b.sets)+sets > b.cfg.SetsMax || b.stats.Entries+entries > b.cfg.EntriesMax {
		return false, Full
	}
	use.sets, use.entries = use.sets+sets, use.entries+entries
	b.signers[checked.account] = use
	b.stats.Entries += entries
	b.sets[id] = &set{
		account: checked.account, seq: checked.Seq, content: checked.content, live: checked,
		// An older one was issued before now, and holds no longer than this.
		until: now.Add(b.cfg.Checker.cfg.LifetimeMax + ClockSkewMax),
	}
	b.stats.Accepted++
	for problem, places := range checked.Refused {
		b.stats.Members[problem] += int64(len(places))
	}
	return true, nil
}

func (b *Book) refuse(line int, err error) Refusal {
	problem, typed := errors.AsType[Problem](err)
	if !typed {
		problem, err = Malformed, fmt.Errorf("%w: %w", Malformed, err)
	}
	b.mu.Lock()
	b.stats.Refusals[problem]++
	b.mu.Unlock()
	return Refusal{line, err}
}

// rebuild takes out what has expired, forgets numbers that nobody can come back with, and makes what is left be found. It is
// called with taking held.
func (b *Book) rebuild() {
	now := b.cfg.Now()
	var live []*Checked
	var gone []setID
	b.mu.Lock()
	for id, s := range b.sets {
		if s.live != nil && !now.Before(s.live.Expires) {
			s.live = nil
		}
		switch {
		case s.live != nil:
			live = append(live, s.live)
		case !now.Before(s.until):
			gone = append(gone, id)
			delete(b.sets, id)
		}
	}
	b.recount()
	b.mu.Unlock()
	next := newIndex(live)
	b.index.Store(next)
	for _, id := range gone {
		b.drop(id)
	}
	b.mu.Lock()
	before := b.stats.Conflicts
	b.stats.Live, b.stats.Conflicts = len(live), next.conflictCount
	b.mu.Unlock()
	if next.conflictCount > before {
		b.cfg.Log.Warn("advertisements: signers disagree", "resources", next.conflictCount)
	}
}

// recount is called with mu held. A set counts with its members for as long as they are held.
func (b *Book) recount() {
	clear(b.signers)
	b.stats.Entries = 0
	for _, s := range b.sets {
		use := b.signers[s.account]
		if use == nil {
			use = &usage{}
			b.signers[s.account] = use
		}
		use.sets++
		if s.live != nil {
			use.entries += len(s.live.Entries)
			b.stats.Entries += len(s.live.Entries)
		}
	}
}

// Judge judges all that is held anew: a certificate may have been revoked, a number ported away.
func (b *Book) Judge() {
	b.taking.Lock()
	defer b.taking.Unlock()
	b.mu.Lock()
	var held []*set
	for _, s := range b.sets {
		if s.live != nil {
			held = append(held, s)
		}
	}
	b.mu.Unlock()
	for _, s := range held {
		anew := *s.live
		believed := anew.stands() == nil
		anew.Taken = nil
		if believed {
			b.cfg.Checker.cover(&anew)
		}
		withdrawn := len(anew.Taken) == 0 && len(s.live.Taken) > 0
		b.mu.Lock()
		if withdrawn {
			b.stats.Withdrawn++
		}
		s.live = &anew
		b.mu.Unlock()
		if withdrawn {
			b.cfg.Log.Warn("advertisement: not believed any more", "signer", anew.Signer)
		}
	}
	b.rebuild()
}

// Run takes out what expires, judges all that is held anew every Recheck, and takes up what on disk could not be judged yet,
// until ctx ends.
func (b *Book) Run(ctx context.Context) {
	judge := b.cfg.Now().Add(b.cfg.Recheck)
	for {
		next := judge
		if x := b.index.Load(); !x.expires.IsZero() && x.expires.Before(next) {
			next = x.expires
		}
		timer := time.NewTimer(max(next.Sub(b.cfg.Now()), settleEvery))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		if b.cfg.Now().Before(judge) {
			b.taking.Lock()
			b.rebuild()
			b.taking.Unlock()
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askTime)
		b.retry(asking)
		cancel()
		b.Judge()
		judge = b.cfg.Now().Add(b.cfg.Recheck)
	}
}
