package app

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	descClusterAppended = describe("cluster_events_total", "Events that this node gave to the log, by what came of it: acknowledged, failed, dropped (uses of tokens that the others were not told of).", "outcome")
	descClusterMoved    = describe("cluster_events_moved_total", "Events that another stream took, because their own did not answer.")
	descClusterBatches  = describe("cluster_batches_total", "Messages that these events went in.")
	descClusterApplied  = describe("cluster_events_applied_total", "Events of all nodes applied here.")
	descClusterBroken   = describe("cluster_unreadable_total", "Batches and events of the log that could not be read: written by a later version, or not by a node.")
	descClusterMessages = describe("cluster_messages_total", "Messages of the log that came otherwise than by themselves and once: filled (read from a stream), repeated, lost (no more there when they were read).", "how")
	descClusterResets   = describe("cluster_stream_resets_total", "Streams that began anew and were read from the start.")
	descClusterLag      = describe("cluster_lag_seconds", "For how long this node's view has not been level with the log of a site.", "site")
	descClusterLeads    = describe("cluster_streams_led", "Streams that this node leads now.")
	descClusterBytes    = describe("cluster_log_bytes", "What the log takes here now.")
	descClusterBytesMax = describe("cluster_log_bytes_max", "What the log may take here; the oldest goes when it is full.")
	descClusterUnlike   = describe("cluster_nodes_unlike", "Other nodes of the site that are heard and have another list of nodes in their configuration.")
	descClusterHanded   = describe("cluster_leads_handed_over_total", "Leads that were given to other nodes.")
	descClusterWipes    = describe("cluster_log_rebuilds_total", "Times that this node gave up its copy of the log and took that of the others.")
	descClusterSound    = describe("cluster_log_up", "1 while this node's copy of the log works.")
	descClusterRestarts = describe("cluster_log_restarts_total", "Times that the engine of the log had given up here, and was started again.")
	descClusterUp       = describe("cluster_node_up", "1 while another node is heard.", "node")
	descClusterReady    = describe("cluster_node_ready", "1 while another node says that it is ready.", "node")
	descClusterSkew     = describe("cluster_clock_skew_seconds", "How far another node's clock is ahead of this one's.", "node")
)

// peerUp is how long ago a node that is there was heard at most.
const peerUp = 2 * time.Second

// collect gives the counters of the log.
func (c *clusterRole) collect(level func(*prometheus.Desc, float64, ...string), counter func(*prometheus.Desc, int64, ...string)) {
	s := c.log.Stats()
	for outcome, n := range map[string]uint64{"acknowledged": s.Appended, "failed": s.Failed, "dropped": s.Dropped} {
		counter(descClusterAppended, int64(n), outcome)
	}
	for how, n := range map[string]uint64{"filled": s.Gaps, "repeated": s.Repeated, "lost": s.Lost} {
		counter(descClusterMessages, int64(n), how)
	}
	counter(descClusterMoved, int64(s.Moved))
	counter(descClusterBatches, int64(s.Batches))
	counter(descClusterApplied, int64(s.Applied))
	counter(descClusterBroken, int64(s.Unreadable))
	counter(descClusterResets, int64(s.Resets))
	counter(descClusterHanded, int64(s.Handed))
	counter(descClusterWipes, int64(s.Wipes))
	counter(descClusterRestarts, int64(s.Restarts))
	level(descClusterSound, truth(s.Up))
	level(descClusterLeads, float64(s.Leaders))
	level(descClusterBytes, float64(s.Bytes))
	level(descClusterBytesMax, float64(c.bytesMax))
	level(descClusterUnlike, float64(len(c.log.Unlike())))
	level(descClusterLag, s.Lag.Seconds(), c.site)
	for site, lag := range s.SiteLag {
		level(descClusterLag, lag.Seconds(), site)
	}
	now := clock()
	for _, p := range c.log.Peers() {
		up := now.Sub(p.LastHeard) < peerUp
		level(descClusterUp, truth(up), p.Node)
		level(descClusterReady, truth(up && p.Ready), p.Node)
		level(descClusterSkew, p.Skew.Seconds(), p.Node)
	}
	if certificate := c.certificate.Load(); certificate != nil {
		level(descExpiry, float64(certificate.Leaf.NotAfter.Unix()), "cluster")
	}
}
