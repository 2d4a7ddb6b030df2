package app

import (
	"math/big"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// keptDescs are the metrics of one signed document that is kept up to date.
type keptDescs struct {
	used, number, expires, entries, skipped, success, failure, alarm, successes, refusals, disk *prometheus.Desc
}

func describeKept(prefix, what string) keptDescs {
	return keptDescs{
		used:      describe(prefix+"_used", "1 while "+what+" is in use."),
		number:    describe(prefix+"_number", "Number of "+what+" that is held: its sequence or CRL number."),
		expires:   describe(prefix+"_expires_seconds", "When what is held expires, in Unix time."),
		entries:   describe(prefix+"_entries", "Entries of what is held."),
		skipped:   describe(prefix+"_skipped_entries", "Entries of what is held that are not used, because they are no CA certificates or stand there twice."),
		success:   describe(prefix+"_last_success_seconds", "When the source last gave something good, in Unix time; 0 for never since the start."),
		failure:   describe(prefix+"_last_failure_seconds", "When the source last gave nothing good, in Unix time; 0 for never since the start."),
		alarm:     describe(prefix+"_alarm", "1 for the reason why somebody should look at "+what+".", "reason"),
		successes: describe(prefix+"_successes_total", "Times that the source gave something good."),
		refusals:  describe(prefix+"_refusals_total", "Times that the source gave nothing good, by what was wrong.", "problem"),
		disk:      describe(prefix+"_disk_failures_total", "Times that what was accepted could not be written to disk."),
	}
}

var (
	descsList       = describeKept("trust_list", "the list of trusted STI-CAs")
	descsRevocation = describeKept("trust_revocation", "the revocation list")

	descAnchors           = describe("trust_anchors", "Trust anchors in use, of files and the list together.")
	descRevocationChecks  = describe("trust_revocation_checks_total", "Trusted chains of which the revocation list was asked, once for each chain and list.")
	descRevoked           = describe("trust_revoked_total", "Of which had a revoked certificate.")
	descTables            = describe("trust_tables", "Keys that have a table to verify their signatures with, now.")
	descTablesBuilt       = describe("trust_tables_built_total", "Tables that were made.")
	descTableAnswers      = describe("trust_table_answers_total", "Signatures verified with a table, good or bad.")
	descTablesOff         = describe("trust_tables_off", "1 when a table has given another answer than crypto/ecdsa, since when none is used.")
	descRevocationUnknown = describe("trust_revocation_unknown_total", "Of which nothing is known, by the reason.", "reason")
)

// collect reads what is known of lists, anchors and revocation.
func (t *trusted) collect(gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	stats := t.verifier.Stats()
	gauge(descAnchors, float64(t.anchorCount()))
	gauge(descTables, float64(stats.Tables))
	counter(descTablesBuilt, stats.TablesBuilt)
	counter(descTableAnswers, stats.TableAnswers)
	gauge(descTablesOff, truth(stats.TablesOff))
	if t.list != nil {
		descsList.collect(t.list.State(), gauge, counter)
	}
	if t.revocation == nil {
		return
	}
	descsRevocation.collect(t.revocation.State(), gauge, counter)
	counter(descRevocationChecks, stats.RevocationChecks)
	counter(descRevoked, stats.Revoked)
	counter(descRevocationUnknown, stats.UnknownNoList, "no_list")
	counter(descRevocationUnknown, stats.UnknownListExpired, "list_expired")
	counter(descRevocationUnknown, stats.UnknownNoPoint, "no_point")
	counter(descRevocationUnknown, stats.UnknownForeignPoint, "foreign_point")
}

func (d keptDescs) collect(s stipa.State, gauge func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	gauge(d.used, truth(s.Believed))
	if s.Number != nil {
		n, _ := new(big.Float).SetInt(s.Number).Float64()
		gauge(d.number, n)
		gauge(d.expires, unix(s.Expires))
		gauge(d.entries, float64(s.Entries))
		gauge(d.skipped, float64(s.Skipped))
	}
	gauge(d.success, unix(s.LastSuccess))
	gauge(d.failure, unix(s.LastFailure))
	for _, alarm := range stipa.Alarms() {
		gauge(d.alarm, truth(s.Alarm == alarm), alarm.String())
	}
	counter(d.successes, s.Successes)
	for _, problem := range stipa.Problems() {
		counter(d.refusals, s.Refusals[problem], problem.Name())
	}
	counter(d.disk, s.DiskFailures)
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Unix())
}
