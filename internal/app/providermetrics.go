package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

var (
	descSubscribers    = describe("cps_subscribers", "Streams that are told of what is published, now.")
	descWaiters        = describe("cps_waiting_requests", "Retrievals that wait for something to be published, now.")
	descPushed         = describe("cps_pushed_records_total", "Records put into the queue of a subscriber, each counted for each.")
	descPushStale      = describe("cps_pushed_stale_total", "Of these, those that expired before their subscriber took them.")
	descSlow           = describe("cps_slow_subscribers_total", "Subscribers that were cut off because they did not take what they were told.")
	descGaps           = describe("cps_push_gaps_total", "Subscribers that were told that records may have been missed.")
	descPushRefused    = describe("cps_refused_subscriptions_total", "Subscriptions and waits that were one too many.")
	descLookupFailures = describe("cps_number_lookup_failures_total", "Questions for the provider of a called number, asked to find its subscribers, without an answer.")
	descLookupExpired  = describe("cps_number_lookup_expired_total", "Records that expired before it was known whose number they are for.")
	descHookDelivered  = describe("cps_webhook_records_total", "Records given to receivers of webhooks, by what came of it: delivered, dropped, dead.", "webhook", "outcome")
	descConsumed       = describe("consumed_records_total", "Calls of which CPSs were told that they have come, by trunk and outcome: done, failed, left (too many at a time).", "trunk", "outcome")
	descHeldAlready    = describe("unless_held_total", "Calls for which a CPS had a PASSporT already, so that none was published, by trunk.", "trunk")
	descFound          = describe("discovery_questions_total", "Questions for CPSs, by source and what came of them: remembered, stale (and asked for again), asked, failed, slow, busy. Of sources that ask somebody.", "source", "outcome")
	descAdverts        = describe("discovery_advertised_resources", "Numbers, ranges and providers that are advertised, now.")
	descConflicts      = describe("discovery_conflicts", "Resources for which signers of advertisements disagree, now.")
	descAdvertsTaken   = describe("discovery_advertisements_total", "Advertisements by outcome: accepted, refused, equivocated, withdrawn.", "outcome")
	descAdvertSource   = describe("discovery_advertisement_source_up", "1 when the last look at this source of advertisements was good.", "url")
	descListAlarm      = describe("discovery_list_alarm", "1 while there is something wrong with the list of CPSs that the STI-PA signs.")
	descInboxCalls     = describe("inbox_calls_total", "Calls whose PASSporT was looked for where CPSs push, by how it was had: held (it was there before the call), pushed (waited for), pulled (fetched), nothing.", "how")
	descInboxRecords   = describe("inbox_records", "Records that CPSs have pushed, held now.")
	descInboxDropped   = describe("inbox_dropped_records_total", "Pushed records that ended before their time, for want of room.")
	descInboxUp        = describe("inbox_subscriptions_up", "Subscriptions at CPSs of which a stream is up now.")
	descNumberRows     = describe("numbers_rows", "Rows of the number file in use.")
	descNumberLoaded   = describe("numbers_loaded_timestamp_seconds", "When the number file in use was loaded.")
	descNumberFault    = describe("numbers_file_fault", "1 when the number file that was tried last cannot be used, and an older one goes on being used.")
	descNumberAsked    = describe("numbers_questions_total", "Questions for the provider of a number, by who was asked and what came of it: remembered, answered, failed, refused.", "source", "outcome")
	descNumberPaused   = describe("numbers_source_paused", "1 while a source does not answer and is left alone.", "source")
)

// collectPush gives the counters of the hub and of webhooks.
func (r *cpsRole) collectPush(gauge func(*prometheus.Desc, int64), counter func(*prometheus.Desc, int64, ...string)) {
	if r.hub == nil {
		return
	}
	s := r.hub.Stats()
	gauge(descSubscribers, int64(s.Subscribers))
	gauge(descWaiters, int64(s.Watchers))
	counter(descPushed, int64(s.Told))
	counter(descPushStale, int64(s.Stale))
	counter(descSlow, int64(s.Slow))
	counter(descGaps, int64(s.Gaps))
	counter(descPushRefused, int64(s.Refused))
	counter(descLookupFailures, int64(s.LookupFailures))
	counter(descLookupExpired, int64(s.LookupsExpired))
	for _, h := range r.hooks {
		stats := h.to.Stats()
		counter(descHookDelivered, int64(stats.Delivered), h.name, "delivered")
		counter(descHookDelivered, int64(stats.Dropped), h.name, "dropped")
		counter(descHookDelivered, int64(stats.Dead), h.name, "dead")
	}
}

// collect gives how CPSs are found.
func (d *discovered) collect(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	for source, n := range d.resolver.Stats() {
		for outcome, count := range map[string]int64{
			"remembered": n.Hits, "stale": n.Stale, "asked": n.Asked, "failed": n.Failures, "slow": n.TooSlow, "busy": n.Busy,
		} {
			counter(descFound, count, source, outcome)
		}
	}
	if d.list != nil {
		level(descListAlarm, truth(d.list.State().Alarm != stipa.NoAlarm))
	}
	if d.book == nil {
		return
	}
	s := d.book.Stats()
	level(descAdverts, float64(s.Entries))
	level(descConflicts, float64(s.Conflicts))
	refused := int64(0)
	for _, n := range s.Refusals {
		refused += n
	}
	for outcome, n := range map[string]int64{"accepted": s.Accepted, "refused": refused, "equivocated": s.Equivocations, "withdrawn": s.Withdrawn} {
		counter(descAdvertsTaken, n, outcome)
	}
	for _, source := range d.fetcher.States() {
		level(descAdvertSource, truth(source.LastError == "" && !source.LastSuccess.IsZero()), source.URL)
	}
}

// collectInboxes gives how calls were answered where CPSs push.
func (r *switchRole) collectInboxes(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	boxes := r.boxes()
	if len(boxes) == 0 {
		return
	}
	var all cpsclient.InboxStats
	up := 0.0
	for _, box := range boxes {
		s := box.Stats()
		up += truth(s.Up)
		all.Records += s.Records
		all.Dropped += s.Dropped
		all.Held += s.Held
		all.Pushed += s.Pushed
		all.Pulled += s.Pulled
		all.Nothing += s.Nothing
	}
	level(descInboxUp, up)
	level(descInboxRecords, float64(all.Records))
	counter(descInboxDropped, all.Dropped)
	for how, n := range map[string]int64{"held": all.Held, "pushed": all.Pushed, "pulled": all.Pulled, "nothing": all.Nothing} {
		counter(descInboxCalls, n, how)
	}
}

// collect gives how those stand who know whose numbers are whose.
func (n *numbers) collect(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	if n.file != nil {
		s := n.file.State()
		level(descNumberRows, float64(s.Rows))
		level(descNumberLoaded, float64(s.Loaded.Unix()))
		level(descNumberFault, truth(s.Fault != nil))
	}
	of := func(source string, s numbering.CacheStats) {
		counter(descNumberAsked, s.Hits, source, "remembered")
		counter(descNumberAsked, s.Asked-s.Failures, source, "answered")
		counter(descNumberAsked, s.Failures, source, "failed")
		counter(descNumberAsked, s.Refused, source, "refused")
		level(descNumberPaused, truth(s.Paused), source)
	}
	if n.http != nil {
		of("http", n.http.Stats())
	}
	if n.dns != nil {
		of("dns", n.dns.Stats())
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
