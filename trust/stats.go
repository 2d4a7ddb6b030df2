package trust

import "sync/atomic"

// Stats counts what a Verifier has done since it was made, and says how full it is.
type Stats struct {
	Hits          int64 // certificates given from the cache
	StaleServed   int64 // of which past their cache lifetime, while the repository is asked again
	Misses        int64 // certificates that were not cached
	FailedBefore  int64 // of which refused because the URL had just failed
	Fetches       int64 // requests to repositories
	FetchFailures int64 // of which brought no trusted certificate
	Refetches     int64 // fetches asked for because a signature did not verify
	Busy          int64 // fetches that our own limits refused
	ChainBuilds   int64 // chains built, trusted or not
	Evictions     int64 // certificates that had to make room
	DiskFailures  int64 // files that could not be written or removed

	Certificates int64 // in the cache now
	Unproven     int64 // kept for a short time, because no signature has verified with them yet
	Failures     int64 // URLs remembered as failed now
}

type counters struct {
	hits, staleServed, misses, failedBefore atomic.Int64
	fetches, fetchFailures, refetches, busy atomic.Int64
	chainBuilds, evictions, diskFailures    atomic.Int64
}

// Stats gives the counts now.
func (v *Verifier) Stats() Stats {
	c := &v.counters
	return Stats{
		Hits: c.hits.Load(), StaleServed: c.staleServed.Load(), Misses: c.misses.Load(),
		FailedBefore: c.failedBefore.Load(), Fetches: c.fetches.Load(), FetchFailures: c.fetchFailures.Load(),
		Refetches: c.refetches.Load(), Busy: c.busy.Load(), ChainBuilds: c.chainBuilds.Load(),
		Evictions: c.evictions.Load(), DiskFailures: c.diskFailures.Load(),
		Certificates: int64(v.cache.len()), Unproven: int64(v.unproven.len()), Failures: int64(v.failures.len()),
	}
}
