package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/heap"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// restartPlan says how many records lie in the log of a site when one of its nodes starts again.
type restartPlan struct {
	Records int
	Keep    time.Duration // how long a record lives: longer than filling the log and all starts take
	Starts  int           // of a node, each ended by a kill; with none, the logs are made and nothing is measured
	Sizes   []int         // nodes of the sites, one site after the other
	Kept    string        // folder in which logs are left, and looked for before any are made; empty: they are made, and taken away
}

func newRestartPlan() restartPlan {
	return restartPlan{Records: 3_000_000, Keep: 3 * time.Hour, Starts: 3, Sizes: []int{1, 3}}
}

// shrink makes a plan that only shows that everything works.
func (p *restartPlan) shrink() { p.Records, p.Starts = 3_000, 1 }

// readSizes reads how many nodes sites have, with a comma between them: 1, 3 or 5 each.
func readSizes(text string) (sizes []int, err error) {
	for size := range strings.SplitSeq(text, ",") {
		if size != "1" && size != "3" && size != "5" {
			return nil, fmt.Errorf("no site of %q nodes", size)
		}
		sizes = append(sizes, int(size[0]-'0'))
	}
	return sizes, nil
}

const (
	fillers = 512 // appends at one time, so that batches are full

	siteFile = "site.json" // in the folder of a site: that its logs have been made, and how
)

// restartSite is a site whose logs lie in a folder.
type restartSite struct {
	Dir     string
	Records int
	Keep    time.Duration
	Nodes   []natslog.Address
}

// restartPart is what a process is told of its part in a restart.
type restartPart struct {
	restartSite
	Node string // which one it is
}

// measureRestart has three million records lie in the log of files of a node that is alone, and of three nodes, and kills and
// starts one of them again and again, while the others have all of it: how long it takes from the start of its process until it is
// ready, with all records on its shelf. Each node is a process: the log and the shelf, without what serves. The log is filled
// with events as the CPS makes them, but not through it. All have both cores.
func measureRestart(ctx context.Context, p restartPlan) (figures []figure, err error) {
	for _, size := range p.Sizes {
		more, err := p.measure(ctx, size)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func (p restartPlan) measure(ctx context.Context, size int) (figures []figure, err error) {
	if p.Kept == "" {
		if p.Kept, err = os.MkdirTemp("", "viaduct-bench-"); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(p.Kept)) }()
	}
	dir := filepath.Join(p.Kept, fmt.Sprintf("nodes-%d", size))
	var site restartSite
	text, err := os.ReadFile(filepath.Join(dir, siteFile))
	if err == nil {
		err = json.Unmarshal(text, &site)
	} else if errors.Is(err, os.ErrNotExist) {
		site, err = p.make(ctx, dir, size)
	}
	if err != nil || p.Starts == 0 {
		return nil, err
	}
	return site.startAgain(ctx, p.Starts)
}

// make makes a site, and has all records lie in its log.
func (p restartPlan) make(ctx context.Context, dir string, size int) (site restartSite, err error) {
	site = restartSite{Dir: dir, Records: p.Records, Keep: p.Keep}
	if err := os.MkdirAll(p.Kept, 0o700); err != nil {
		return site, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil { // what is there already was not made to its end
		return site, err
	}
	addresses, err := freeAddresses(size)
	if err != nil {
		return site, err
	}
	hosts := map[string]string{}
	for i, address := range addresses {
		name := fmt.Sprintf("n%d", i+1)
		site.Nodes, hosts[name] = append(site.Nodes, natslog.Address{Name: name, Address: address}), "127.0.0.1"
	}
	if err := certifyNodes(dir, hosts); err != nil {
		return site, err
	}
	var parts []*part
	for i, n := range site.Nodes {
		role := roleRestarted
		if i == 0 {
			role = roleFilling
		}
		one, err := site.start(ctx, role, n.Name)
		if err != nil {
			return site, err
		}
		parts = append(parts, one)
	}
	_, err = parts[0].said()
	for _, one := range parts {
		err = errors.Join(err, one.end())
	}
	if err != nil {
		return site, err
	}
	text, err := json.Marshal(site)
	if err != nil {
		return site, err
	}
	return site, os.WriteFile(filepath.Join(dir, siteFile), text, 0o600)
}

// startAgain starts the first node several times, while the others run.
func (s restartSite) startAgain(ctx context.Context, starts int) (figures []figure, err error) {
	var others []*part
	defer func() {
		for _, one := range others {
			err = errors.Join(err, one.end())
		}
	}()
	for _, n := range s.Nodes[1:] {
		one, err := s.start(ctx, roleRestarted, n.Name)
		if err != nil {
			return nil, err
		}
		others = append(others, one)
	}
	var seconds, cpu, beside, resident []float64
	for i := range starts + 1 { // at the first the nodes have yet to find each other
		before, began := cpuOfAll(others), time.Now()
		node, err := s.start(ctx, roleRestarted, s.Nodes[0].Name)
		if err != nil {
			return nil, err
		}
		err = node.saidAll(s.Records)
		if i > 0 {
			seconds = append(seconds, time.Since(began).Seconds())
			cpu = append(cpu, cpuOf(node.command.Process.Pid).Seconds())
			beside = append(beside, (cpuOfAll(others) - before).Seconds())
			resident = append(resident, float64(residentOf(node.command.Process.Pid))/float64(s.Records))
		}
		if i == 0 {
			for _, one := range others {
				if err == nil {
					err = one.saidAll(s.Records)
				}
			}
		}
		_ = node.command.Process.Kill()
		_ = node.end() // it was killed
		if err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("%d resident records, node alone", s.Records)
	if len(s.Nodes) > 1 {
		name = fmt.Sprintf("%d resident records, node of %d", s.Records, len(s.Nodes))
	}
	return []figure{
		{Name: "restart until ready, " + name, Unit: "s", Value: median(seconds), Most: aimReplay},
		{Name: "the longest of them", Unit: "s", Value: slices.Max(seconds)},
		{Name: "processor time of it, " + name, Unit: "s", Value: median(cpu)},
		{Name: "processor time of the other nodes meanwhile, on the same cores", Unit: "s", Value: median(beside)},
		{Name: "resident memory when ready, of each record, " + name, Unit: "B", Value: median(resident)},
	}, nil
}

// cpuOfAll is the processor time of several processes.
func cpuOfAll(parts []*part) (total time.Duration) {
	for _, one := range parts {
		total += cpuOf(one.command.Process.Pid)
	}
	return total
}

// part is a process that has a part in a restart.
type part struct {
	command *exec.Cmd
	stdin   io.Closer
	out     *bufio.Reader
}

func (s restartSite) start(ctx context.Context, role, node string) (*part, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	plan, err := json.Marshal(restartPart{s, node})
	if err != nil {
		return nil, err
	}
	one := &part{command: exec.CommandContext(ctx, self)}
	one.command.Env = append(os.Environ(), roleVariable+"="+role, planVariable+"="+string(plan))
	one.command.Stderr = os.Stderr
	if one.stdin, err = one.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := one.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	one.out = bufio.NewReader(out)
	return one, one.command.Start()
}

// said is what the process says when it has done its part: how many records it has.
func (p *part) said() (records int, err error) {
	_, err = fmt.Fscanln(p.out, &records)
	return records, err
}

// saidAll waits until the process says that it has all records.
func (p *part) saidAll(want int) error {
	records, err := p.said()
	if err == nil && records != want {
		err = fmt.Errorf("%d of %d records are there after a restart", records, want)
	}
	return err
}

// end lets the process end, and waits for it.
func (p *part) end() error {
	_ = p.stdin.Close()
	return p.command.Wait()
}

// playRestart is the life of such a process.
func playRestart(role string, in io.Reader, out io.Writer) error {
	var p restartPart
	if err := json.Unmarshal([]byte(os.Getenv(planVariable)), &p); err != nil {
		return err
	}
	room := int64(p.Records) * 5 / 4
	shelf := store.Config{
		Records: room, Bytes: room * (passportLeast + passportMost) / 2, Tokens: room, PublisherRecords: math.MaxInt64, PublisherBytes: math.MaxInt64,
	}
	defer heap.Tune(shelf.Memory(), 384<<20)() // as serve does
	view := store.NewView(shelf)
	l, err := p.open(view)
	if err != nil {
		return err
	}
	for l.Ready() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	if role == roleFilling {
		err = p.fill(l)
	}
	if err == nil {
		_, err = fmt.Fprintln(out, view.Stats().Records)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	_ = l.Close(context.Background()) // the nodes of a site end together: the last have nobody to give their leads to
	return err
}

// open opens the log of the node.
func (p restartPart) open(view *store.View) (*natslog.Log, error) {
	cfg := natslog.Config{Site: "main", Node: p.Node, Dir: filepath.Join(p.Dir, "log-"+p.Node), KeepMax: p.Keep + time.Minute, BytesMax: 16 << 30}
	if len(p.Nodes) > 1 {
		cfg.Nodes = p.Nodes
		certificate, err := tls.LoadX509KeyPair(filepath.Join(p.Dir, "keys", p.Node+".pem"), filepath.Join(p.Dir, "keys", p.Node+".key"))
		if err != nil {
			return nil, err
		}
		root, err := os.ReadFile(filepath.Join(p.Dir, "keys", "cluster-ca.pem"))
		if err != nil {
			return nil, err
		}
		cfg.Roots = x509.NewCertPool()
		cfg.Roots.AppendCertsFromPEM(root)
		cfg.Certificate = func() (*tls.Certificate, error) { return &certificate, nil }
		for _, n := range p.Nodes {
			if n.Name == p.Node {
				cfg.Listen = n.Address
			}
		}
	}
	return natslog.Open(view, cfg)
}

// fill appends all records.
func (p restartPart) fill(l *natslog.Log) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make(chan error, fillers)
	for range fillers {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < p.Records; i = int(next.Add(1)) - 1 {
				now := time.Now()
				one := residentPublication(i, now, p.Keep)
				var err error
				for range 20 { // it may be refused for a moment
					if _, err = l.Append(context.Background(), store.Event{Act: store.Laid, At: now, Publication: one}); err == nil {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(failed)
	return <-failed
}
