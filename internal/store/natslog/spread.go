package natslog

import (
	"context"
	"time"
)

// At an external NATS nobody else sees to it that all servers lead: after some restarts one would lead every stream, and when it
// failed there would be none to go on with.

const spreadMost = 2 * time.Second // for asking who leads

// spread gives leads from the server that has most to one that has fewer, one at a time. Of the nodes of the site the first by name
// does it.
func (l *Log) spread(ctx context.Context) {
	for l.pause(ctx, balanceEvery) {
		first := true
		for _, p := range l.near() {
			first = first && l.Node() < p.Node
		}
		if !first {
			continue
		}
		if stream, to := l.uneven(ctx); to != "" {
			l.giveLead(ctx, stream, to)
		}
	}
}

// uneven is a stream that another server should lead, and which; "" when there is none, or that is not known.
func (l *Log) uneven(ctx context.Context) (stream int, to string) {
	ctx, cancel := context.WithTimeout(ctx, spreadMost)
	defer cancel()
	var leader [streams]string
	var could [streams][]string // the other servers that have all of the stream
	count := map[string]int{}
	for i := range streams {
		s, err := l.js.Stream(ctx, streamOf(l.cfg.Site, i))
		if err != nil {
			return 0, ""
		}
		cluster := s.CachedInfo().Cluster
		if cluster == nil || cluster.Leader == "" {
			return 0, ""
		}
		leader[i] = cluster.Leader
		count[cluster.Leader]++
		for _, p := range cluster.Replicas {
			if p.Current && !p.Offline {
				could[i] = append(could[i], p.Name)
			}
		}
	}
	for i := range streams {
		for _, other := range could[i] {
			if count[leader[i]] > count[other]+1 {
				return i, other
			}
		}
	}
	return 0, ""
}
