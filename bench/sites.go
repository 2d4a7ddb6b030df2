package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// measureSites publishes records to one site, one after the other, and times how long they take to whoever has subscribed to
// them on another. Each site has one node with a log of files. What goes from one to the other is held back on the way, both
// ways, by so much as they are apart; nodes are listened for at one address, and certified for another, that of who holds it
// back: going past it fails. The first figure counts from when a record is sent, and so holds its acknowledgement, too.
func measureSites(ctx context.Context, p clusterPlan) ([]figure, error) {
	if err := pinLoad(); err != nil {
		return nil, err
	}
	lab, err := newNodeLab(p.ProfileDir)
	if err != nil {
		return nil, err
	}
	figures, err := lab.timeSites(ctx, p)
	return figures, errors.Join(err, lab.close())
}

// Where nodes listen for other sites, and where these find them.
const (
	siteHost = "127.0.0.2"
	farHost  = "127.0.0.3"
)

func (l *nodeLab) timeSites(ctx context.Context, p clusterPlan) ([]figure, error) {
	names := []string{"east", "west"}
	if err := certifyNodes(l.dir, map[string]string{names[0]: farHost, names[1]: farHost}); err != nil {
		return nil, err
	}
	var addresses, far []string
	for range names {
		address, err := freeOn(siteHost)
		if err != nil {
			return nil, err
		}
		line, err := newDelayed(address, p.Apart)
		if err != nil {
			return nil, err
		}
		defer line.close()
		addresses, far = append(addresses, address), append(far, line.listener.Addr().String())
	}
	var nodes []*process
	for i, name := range names {
		other := 1 - i
		node, err := l.start(ctx, name, fmt.Sprintf("cluster: {node: %s, site: %[1]s, dir: %q, sites: {listen: %q, others: [{name: %s, addresses: [%q]}]}, tls: {certificate: keys/%[1]s.pem, key: keys/%[1]s.key, roots: [keys/cluster-ca.pem]}}\n",
			name, filepath.Join(l.dir, "log-"+name), addresses[i], names[other], far[other]))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	for _, node := range nodes {
		if err := node.ready(ctx); err != nil {
			return nil, err
		}
	}
	f, err := l.newFlood(ctx, nodes[0], nodes[1])
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := f.run(ctx, p.Records); err != nil {
		return nil, err
	}
	return f.figures(p.Apart)
}

// freeOn finds an address of a host that nobody listens on.
func freeOn(host string) (string, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// flood times records.
type flood struct {
	lab                 *nodeLab
	publisher, reader   *cpsclient.Client
	arrived             chan tn.Identity
	fromSent, fromAcked []float64 // ms
	acknowledged        []float64
}

func (l *nodeLab) newFlood(ctx context.Context, here, there *process) (*flood, error) {
	f := &flood{lab: l, arrived: make(chan tn.Identity, 100)}
	roots := x509.NewCertPool()
	roots.AddCert(l.pki.TLSRoot.Certificate)
	var err error
	if f.publisher, err = cpsclient.New(cpsclient.Config{
		CPSs: []cpsclient.CPS{{URL: here.URL, Audience: oobtest.CPSAudience}}, Certificate: l.providers[0].Certificate, RootCAs: roots,
	}); err != nil {
		return nil, err
	}
	if f.reader, err = cpsclient.New(cpsclient.Config{
		CPSs: []cpsclient.CPS{{URL: there.URL, Audience: oobtest.CPSAudience}}, Certificate: l.providers[1].Certificate, RootCAs: roots,
	}); err != nil {
		f.publisher.Close()
		return nil, err
	}
	numbers, err := tn.NewRange(l.providers[1].Numbers.First, ownCount)
	if err != nil {
		f.close()
		return nil, err
	}
	up := make(chan bool, 1)
	_, err = f.reader.Subscribe(ctx, cpsclient.SubscribeConfig{
		Profile: oob.RFC9888, Resources: []stircert.Resource{stircert.ResourceOf(numbers)},
		Receive: func(e cpsclient.Event) { f.arrived <- e.Key.Dest },
		Alive: func(alive bool) {
			if alive {
				up <- true
			}
		},
	})
	if err != nil {
		f.close()
		return nil, err
	}
	select {
	case <-up:
		return f, nil
	case <-time.After(readyPatience):
		err = errors.New("nobody can subscribe")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	f.close()
	return nil, err
}

func (f *flood) close() {
	f.publisher.Close()
	f.reader.Close()
}

// floodPatience is how long a record may take.
const floodPatience = 10 * time.Second

// run publishes records, each when the one before has arrived. The first few open connections.
func (f *flood) run(ctx context.Context, records int) error {
	const first = 5
	for i := range first + records {
		if err := f.one(ctx, i); err != nil {
			return err
		}
		if i < first {
			f.fromSent, f.fromAcked, f.acknowledged = nil, nil, nil
		}
	}
	return nil
}

func (f *flood) one(ctx context.Context, i int) error {
	from := f.lab.providers[0]
	orig, err := number(1_202_555_0000 + i%9973)
	if err != nil {
		return err
	}
	dest, err := number(firstCalled + ownCount + i)
	if err != nil {
		return err
	}
	token, err := passport.Sign(from.Key, passport.Shaken, from.X5U, passport.Claims{
		IAT: time.Now(), Orig: orig, Dest: []tn.Identity{dest}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		return err
	}
	sent := time.Now()
	answered := make(chan error, 1)
	var acked time.Time
	go func() {
		err := f.publisher.Publish(ctx, oob.Publication{Key: oob.Key{Profile: oob.RFC9888, Dest: dest, Orig: orig}, Passports: []string{token}})
		acked = time.Now()
		answered <- err
	}()
	select {
	case arrived := <-f.arrived:
		if arrived != dest {
			return errors.New("another record arrived than was published")
		}
	case <-time.After(floodPatience):
		return errors.New("a record does not arrive on the other site")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	there := time.Now()
	if err := <-answered; err != nil {
		return err
	}
	f.fromSent = append(f.fromSent, float64(there.Sub(sent).Microseconds())/1000)
	f.fromAcked = append(f.fromAcked, float64(there.Sub(acked).Microseconds())/1000)
	f.acknowledged = append(f.acknowledged, float64(acked.Sub(sent).Microseconds())/1000)
	return nil
}

func (f *flood) figures(apart time.Duration) ([]figure, error) {
	least := float64(apart.Microseconds()) / 1000
	if fastest := percentile(f.fromSent, 0); fastest < least {
		return nil, fmt.Errorf("a record took %.1f ms between sites that are %s apart: what holds it back was gone past", fastest, apart)
	}
	name := fmt.Sprintf("record published to a site, to the subscriber of another %s away", apart)
	return []figure{
		{Name: name + ", from when it was sent, median", Unit: "ms", Value: median(f.fromSent), Most: aimFlood},
		{Name: "the same, p99", Unit: "ms", Value: percentile(f.fromSent, 99)},
		{Name: "the same, from when 201 was read, median", Unit: "ms", Value: median(f.fromAcked)},
		{Name: "the same, until 201 was read, median", Unit: "ms", Value: median(f.acknowledged)},
	}, nil
}

// delayed carries connections to an address, and holds what they say back, both ways.
type delayed struct {
	listener net.Listener
	to       string
	delay    time.Duration
	closed   atomic.Bool
	open     sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn // guarded by mu
}

func newDelayed(to string, delay time.Duration) (*delayed, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(farHost, "0"))
	if err != nil {
		return nil, err
	}
	l := &delayed{listener: listener, to: to, delay: delay}
	l.open.Go(l.accept)
	return l, nil
}

func (l *delayed) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		away, err := net.Dial("tcp", l.to)
		if err != nil {
			_ = near.Close() // whose owner tries again
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, near, away)
		l.mu.Unlock()
		if l.closed.Load() {
			_, _ = near.Close(), away.Close() // close may have missed them
		}
		l.open.Go(func() { l.carry(near, away) })
		l.open.Go(func() { l.carry(away, near) })
	}
}

// piece is what was read at an instant.
type piece struct {
	at    time.Time
	bytes []byte
}

// carry passes on what it reads when it is due, in order, until either end is closed.
func (l *delayed) carry(from, to net.Conn) {
	pieces := make(chan piece, 10_000)
	go func() {
		defer close(pieces)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				pieces <- piece{time.Now(), buffer[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at.Add(l.delay)))
		if _, err := to.Write(p.bytes); err != nil {
			break
		}
	}
	_, _ = from.Close(), to.Close() // the other direction does the same
	for range pieces {              // until the reader has seen it
	}
}

func (l *delayed) close() {
	l.closed.Store(true)
	_ = l.listener.Close() // closed once
	l.mu.Lock()
	for _, conn := range l.conns {
		_ = conn.Close() // it may be closed already
	}
	l.mu.Unlock()
	l.open.Wait()
}
