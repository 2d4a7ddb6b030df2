package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	openloop "github.com/viaduct-oob/viaduct/internal/load"
)

// clusterPlan says how much is published to one node and to three, in turns; how many records are timed from site to site; and
// at which rates the load tool draws its picture.
type clusterPlan struct {
	Publishes []float64 // a second; the last is that of a busy cluster, for which the aim is
	Turns     int       // at each rate
	Turn      time.Duration
	Records   int // between sites
	Apart     time.Duration
	Rates     []float64
	Picture   string // file name; empty for none

	ProfileDir string // for CPU profiles of nodes; empty for none
}

func newClusterPlan() clusterPlan {
	return clusterPlan{
		Publishes: []float64{500, 1500}, Turns: 6, Turn: 4 * time.Second, Records: 500, Apart: 15 * time.Millisecond, Rates: []float64{250, 500, 1000},
	}
}

// shrink makes a plan that only shows that everything works.
func (p *clusterPlan) shrink() {
	p.Publishes, p.Turns, p.Turn, p.Records, p.Rates = []float64{50}, 1, 200*time.Millisecond, 5, []float64{50}
}

const (
	clusterNodes = 3
	aimCluster   = 1.6 // of the processor time of one node, for all three together

	failedMost = 0.001 // of requests, or a comparison is none
	aimFlood   = 20.0  // ms
)

// measureCluster compares the processor time that a publication takes on one node, in memory, with what it takes on three, with
// a log of files: all three together, following included. All nodes have one core together, and the load has another; they are
// loaded in turns. A turn's processor time is that of all that was published in it.
func measureCluster(ctx context.Context, p clusterPlan) ([]figure, error) {
	if err := pinLoad(); err != nil {
		return nil, err
	}
	lab, err := newNodeLab(p.ProfileDir)
	if err != nil {
		return nil, err
	}
	figures, err := lab.compareCluster(ctx, p)
	return figures, errors.Join(err, lab.close())
}

func (l *nodeLab) compareCluster(ctx context.Context, p clusterPlan) ([]figure, error) {
	single, err := l.start(ctx, "single", "")
	if err != nil {
		return nil, err
	}
	three, err := l.startThree(ctx)
	if err != nil {
		return nil, err
	}
	figures := []figure{idle(three, p.Turn)}
	for i, rate := range p.Publishes {
		compared, err := l.compareAt(ctx, rate, p, []*process{single}, three)
		if err != nil {
			return nil, err
		}
		if i == len(p.Publishes)-1 {
			compared[0].Most = aimCluster
		}
		figures = append(figures, compared...)
	}
	return figures, nil
}

// idle is the processor time of nodes to whom nobody publishes.
func idle(nodes []*process, length time.Duration) figure {
	t := turns{nodes: nodes}
	before, began := t.cpu(), time.Now()
	time.Sleep(length)
	return figure{
		Name: "three nodes, nothing published, CPU", Unit: "ms/s",
		Value: 1000 * (t.cpu() - before).Seconds() / time.Since(began).Seconds(),
	}
}

// compareAt publishes at a rate to one and to three, in turns.
func (l *nodeLab) compareAt(ctx context.Context, rate float64, p clusterPlan, single, three []*process) ([]figure, error) {
	step := openloop.Step{PerSecond: rate, For: p.Turn}
	one, err := l.newTurns(step, single)
	if err != nil {
		return nil, err
	}
	defer one.load.Close()
	all, err := l.newTurns(step, three)
	if err != nil {
		return nil, err
	}
	defer all.load.Close()
	var ratios []float64
	for range p.Turns + 1 { // the first lets heaps find their size
		if err := errors.Join(one.turn(ctx), all.turn(ctx)); err != nil {
			return nil, err
		}
		ratios = append(ratios, last(all.each)/last(one.each))
	}
	f := figure{
		Name: fmt.Sprintf("publish at %.0f/s, CPU of three nodes together with a log of files ÷ of one node in memory", rate), Unit: "µs/request",
		Floor: median(one.each[1:]), Value: median(all.each[1:]), Ratio: median(ratios[1:]),
	}
	if failed := one.failed + all.failed; float64(failed) > failedMost*float64(one.good+all.good) {
		f.Failed = fmt.Sprintf("%d of %d requests failed on one node (%s), %d of %d on three (%s)",
			one.failed, one.good+one.failed, one.why, all.failed, all.good+all.failed, all.why)
	}
	return []figure{
		f, {Name: "the same, median", Unit: "ms", Floor: median(one.p50[1:]), Value: median(all.p50[1:])},
		{Name: "the same, p99", Unit: "ms", Floor: median(one.p99[1:]), Value: median(all.p99[1:])},
	}, nil
}

func last(list []float64) float64 { return list[len(list)-1] }

// startThree starts three nodes of one site.
func (l *nodeLab) startThree(ctx context.Context) ([]*process, error) {
	hosts, nodes := map[string]string{}, []string{}
	var addresses []string
	for i := range clusterNodes {
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("n%d", i+1)
		hosts[name], addresses = "127.0.0.1", append(addresses, address)
		nodes = append(nodes, fmt.Sprintf("{name: %s, address: %q}", name, address))
	}
	if err := certifyNodes(l.dir, hosts); err != nil {
		return nil, err
	}
	var started []*process
	for i, address := range addresses {
		name := fmt.Sprintf("n%d", i+1)
		node, err := l.start(ctx, name, fmt.Sprintf("cluster: {node: %s, dir: %q, listen: %q, nodes: [%s], tls: {certificate: keys/%[1]s.pem, key: keys/%[1]s.key, roots: [keys/cluster-ca.pem]}}\n",
			name, filepath.Join(l.dir, "log-"+name), address, strings.Join(nodes, ", ")))
		if err != nil {
			return nil, err
		}
		started = append(started, node)
	}
	for _, node := range started {
		if err := node.ready(ctx); err != nil {
			return nil, err
		}
	}
	return started, nil
}

// turns are those of one node or of several.
type turns struct {
	load  *openloop.Load
	nodes []*process
	each  []float64 // µs of processor time for each publication, of each turn
	p50   []float64 // ms
	p99   []float64 // ms

	good, failed int64  // requests
	why          string // the last of them did
}

func (l *nodeLab) newTurns(step openloop.Step, nodes []*process) (*turns, error) {
	c, err := l.config("publish=1", []openloop.Step{step}, nodes...)
	if err != nil {
		return nil, err
	}
	t := &turns{nodes: nodes}
	t.load, err = openloop.New(c)
	return t, err
}

// turn publishes for a while. What is published to try the keys takes processor time, too, and is counted.
func (t *turns) turn(ctx context.Context) error {
	before := t.cpu()
	r, err := t.load.Run(ctx)
	if err != nil {
		return err
	}
	if len(r.Steps) != 1 || len(r.Steps[0].Operations) != 1 {
		return errors.New("a turn in which nothing was published")
	}
	published := r.Steps[0].Operations[0]
	all := published.Good + published.Failed + int64(max(providers, nodeConnections*len(t.nodes)))
	t.each = append(t.each, float64((t.cpu()-before).Microseconds())/float64(all))
	for kind := range r.Steps[0].Failures {
		t.why = kind
	}
	t.p50, t.p99 = append(t.p50, published.P50), append(t.p99, published.P99)
	t.good, t.failed = t.good+published.Good, t.failed+published.Failed
	return nil
}

// cpu is the processor time of all nodes.
func (t *turns) cpu() (total time.Duration) {
	for _, node := range t.nodes {
		total += node.cpu()
	}
	return total
}
