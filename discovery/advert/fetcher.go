package advert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/trust"
)

// How a Fetcher goes about it.
const (
	BackoffMin = 30 * time.Second // after the first failure; doubled up to FetcherConfig.Refresh
	SourcesMax = 10_000
	fetchesMax = 8   // at a time
	jitter     = 0.1 // of an interval, either way
)

// FetcherConfig says where advertisements are fetched.
type FetcherConfig struct {
	Book *Book // needed

	// URLs are those of documents, mostly https://host/.well-known/stir-cps. They are an operator's, and keep the rules for
	// x5u's all the same: no private addresses, no redirects, no port but 443 and 8443. Laboratory hosts are exempted.
	URLs       []string
	Laboratory trust.Laboratory

	Refresh time.Duration // between two looks at one source; default 15 min
	Timeout time.Duration // of one look; default 10 s

	Log *slog.Logger // default: none
}

// Fetcher keeps a Book filled. It is safe for concurrent use.
type Fetcher struct {
	cfg        FetcherConfig
	repository *trust.Repository
	turns      chan struct{}

	mu     sync.Mutex
	states []SourceState // in the order of URLs; guarded by mu
}

// SourceState is what operators see of a source.
type SourceState struct {
	URL         string
	LastSuccess time.Time // zero for never
	LastFailure time.Time
	LastError   string // of the last look; empty when it was good
	Failures    int    // in a row
	Successes   int64
	Unchanged   int64 // of the successes
	LastReport  Report

	etag string
}

// NewFetcher makes a Fetcher.
func NewFetcher(cfg FetcherConfig) (*Fetcher, error) {
	switch {
	case cfg.Book == nil:
		return nil, errors.New("a fetcher of advertisements needs a book")
	case len(cfg.URLs) > SourcesMax:
		return nil, fmt.Errorf("more than %d sources of advertisements", SourcesMax)
	}
	if cfg.Refresh <= 0 {
		cfg.Refresh = 15 * time.Minute
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fetcher{
		cfg: cfg, turns: make(chan struct{}, fetchesMax),
		repository: trust.NewRepository(trust.RepositoryConfig{Deadline: cfg.Timeout, Laboratory: cfg.Laboratory}),
	}
	seen := map[string]bool{}
	for i, url := range cfg.URLs {
		if err := trust.CheckX5U(url, cfg.Laboratory); err != nil || seen[url] {
			return nil, fmt.Errorf("source %d of advertisements: not such as may be fetched, or there twice: %w", i+1, err)
		}
		seen[url] = true
		f.states = append(f.states, SourceState{URL: url})
	}
	return f, nil
}

// Run looks at all sources until ctx ends: at once, then every Refresh, sooner after a failure.
func (f *Fetcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	for i := range f.states {
		running.Go(func() { f.watch(ctx, i) })
	}
	running.Wait()
}

func (f *Fetcher) watch(ctx context.Context, i int) {
	for {
		failures := f.look(ctx, i)
		timer := time.NewTimer(f.pause(failures))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// pause is how long to wait for the next look, after so many failures.
func (f *Fetcher) pause(failures int) time.Duration {
	pause := f.cfg.Refresh
	if failures > 0 {
		pause = min(pause, BackoffMin<<min(failures-1, 20))
	}
	return time.Duration(float64(pause) * (1 - jitter + 2*jitter*rand.Float64()))
}

// look reads a source once, and gives how often in a row that has failed.
func (f *Fetcher) look(ctx context.Context, i int) (failures int) {
	select {
	case f.turns <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	defer func() { <-f.turns }()
	f.mu.Lock()
	s := f.states[i]
	f.mu.Unlock()
	document, err := f.repository.Document(ctx, s.URL, MediaType, s.etag, DocumentBytesMax)
	if ctx.Err() != nil {
		return 0 // we are leaving; nobody failed
	}
	now := f.cfg.Book.cfg.Now()
	switch {
	case err != nil:
		s.LastFailure, s.LastError = now, fmt.Sprintf("%s: %s", Unreachable, err)
	case document.Unchanged:
		s.Successes, s.Unchanged = s.Successes+1, s.Unchanged+1
		s.LastSuccess, s.LastError, s.Failures = now, "", 0
	default:
		s = f.offer(ctx, s, document, now)
	}
	if s.LastError != "" {
		if s.Failures++; s.Failures == 1 {
			f.cfg.Log.Warn("advertisements: a source is not good", "url", s.URL, "error", s.LastError)
		}
	}
	f.mu.Lock()
	f.states[i] = s
	f.mu.Unlock()
	return s.Failures
}

// offer gives a document to the Book. One of which nothing is good is a failure of its source, so that it is read again
// soon; one of which something could not be judged is read again whether it has changed or not.
func (f *Fetcher) offer(ctx context.Context, s SourceState, document trust.Document, now time.Time) SourceState {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout) // for the certificates that it wants to be fetched
	defer cancel()
	report := f.cfg.Book.Add(ctx, document.Body)
	s.LastReport, s.etag = report, document.ETag
	if len(report.Refused) > 0 && (report.Again() || report.Accepted+report.Repeated == 0) {
		s.etag = ""
		s.LastFailure, s.LastError = now, report.Refused[0].Err.Error()
		return s
	}
	s.Successes++
	s.LastSuccess, s.LastError, s.Failures = now, "", 0
	return s
}

// States tells how the sources stand, in their order.
func (f *Fetcher) States() []SourceState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]SourceState(nil), f.states...)
}
