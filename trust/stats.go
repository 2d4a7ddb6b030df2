package trust

import (
	"errors"
	"sync/atomic"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Stats counts what a Verifier has done since it was made, and says how full it is.
type Stats struct {
	Hits          int64 // certificates given from the cache
	StaleServed   int64 // of which past their cache lifetime, while the repository is asked again
	Misses        int64 // certificates that were not cached
	FailedBefore  int64 // of which refused because the URL had just failed
	Fetches       int64 // requests for certificates, and for TNAuthLists that are not in them
	FetchFailures int64 // of which brought no trusted certificate
	Refetches     int64 // fetches asked for because a signature did not verify
	Busy          int64 // fetches, and chains that were shown, that our own limits refused
	ChainBuilds   int64 // chains built, trusted or not

	// Trusted chains of which revocation lists were asked, once for each chain and list, and then what came of it: some
	// certificate of the chain is revoked, or nothing is known of one. See RevocationPolicy for the reasons.
	RevocationChecks    int64
	Revoked             int64
	UnknownNoList       int64
	UnknownListExpired  int64
	UnknownNoPoint      int64
	UnknownForeignPoint int64

	Evictions    int64 // certificates that had to make room
	DiskFailures int64 // files that could not be written or removed
	Contents     int64 // requests for what tokens point to

	Certificates int64 // in the cache now
	Unproven     int64 // kept for a short time, because no signature has verified with them yet
	Failures     int64 // URLs remembered as failed now

	Tables       int64 // keys with a table now; see Config.Tables
	TablesBuilt  int64
	TableAnswers int64 // signatures verified with a table, good or bad
	TablesOff    bool  // a table gave another answer than crypto/ecdsa
}

type counters struct {
	hits, staleServed, misses, failedBefore atomic.Int64
	fetches, fetchFailures, refetches, busy atomic.Int64
	chainBuilds, evictions, diskFailures    atomic.Int64
	revocationChecks, revoked, contents     atomic.Int64
	unknown                                 [doubtEnd]atomic.Int64
}

// stood counts what asking for the revocation of a path has given.
func (c *counters) stood(err error, d doubt) {
	c.revocationChecks.Add(1)
	switch {
	case errors.Is(err, stircert.Revoked):
		c.revoked.Add(1)
	case d != noDoubt:
		c.unknown[d].Add(1)
	}
}

// Stats gives the counts now.
func (v *Verifier) Stats() Stats {
	c, tables := &v.counters, v.tables.Stats()
	return Stats{
		Hits: c.hits.Load(), StaleServed: c.staleServed.Load(), Misses: c.misses.Load(),
		FailedBefore: c.failedBefore.Load(), Fetches: c.fetches.Load(), FetchFailures: c.fetchFailures.Load(),
		Refetches: c.refetches.Load(), Busy: c.busy.Load(), ChainBuilds: c.chainBuilds.Load(),
		Evictions: c.evictions.Load(), DiskFailures: c.diskFailures.Load(), Contents: c.contents.Load(),
		RevocationChecks: c.revocationChecks.Load(), Revoked: c.revoked.Load(),
		UnknownNoList: c.unknown[noList].Load(), UnknownListExpired: c.unknown[listExpired].Load(),
		UnknownNoPoint: c.unknown[noPoint].Load(), UnknownForeignPoint: c.unknown[foreignPoint].Load(),
		Certificates: int64(v.cache.len()), Unproven: int64(v.unproven.len()), Failures: int64(v.failures.len()),
		Tables: tables.Keys, TablesBuilt: tables.Built, TableAnswers: tables.Answers, TablesOff: tables.Off,
	}
}
