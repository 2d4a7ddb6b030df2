package natslog

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

const (
	balanceEvery = 2 * time.Second // one lead is given away each time
	handOverMost = 3 * time.Second // for giving away all, at the end
	handOverLook = 20 * time.Millisecond
)

// balance gives leads to nodes that have fewer, one at a time, so that each of three leads two. After a restart one would
// lead nearly all.
func (l *Log) balance(ctx context.Context) {
	for l.pause(ctx, balanceEvery) {
		near, leads := l.near(), l.engine.leads()
		if len(near)+1 < len(l.cfg.Nodes) || len(leads) < 2 {
			continue
		}
		fewest := near[0]
		for _, p := range near {
			if p.leads < fewest.leads {
				fewest = p
			}
		}
		if !fewest.behind && len(leads) > fewest.leads+1 {
			l.giveLead(ctx, leads[0], fewest.Node)
		}
	}
}

// giveLead has a node lead a stream, or whom the engine chooses if node is "".
func (l *Log) giveLead(ctx context.Context, stream int, node string) {
	request := []byte(nil)
	if node != "" {
		type placement struct {
			Preferred string `json:"preferred"`
		}
		request, _ = json.Marshal(map[string]placement{"placement": {strings.ReplaceAll(node, "/", "-")}}) // cannot fail
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if _, err := l.nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+streamOf(l.cfg.Site, stream), request); err == nil {
		l.count.handed.Add(1)
	}
}

// handOver gives away all leads, so that no append waits for an election when this node is gone.
func (l *Log) handOver(ctx context.Context) error {
	if !l.cfg.clustered() || len(l.near()) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, handOverMost)
	defer cancel()
	for {
		leads := l.engine.leads()
		if len(leads) == 0 {
			return nil
		}
		for _, i := range leads {
			l.giveLead(ctx, i, "")
		}
		if !l.pause(ctx, handOverLook) {
			return ctx.Err()
		}
	}
}
