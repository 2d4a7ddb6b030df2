package cpsclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/tn"
)

// found is a resolver that knows the CPSs of called numbers.
type found map[tn.Identity][]cpsclient.CPS

func (f found) find(_ context.Context, k oob.Key) ([]cpsclient.CPS, error) { return f[k.Dest], nil }

func cpsAt(urls ...string) (all []cpsclient.CPS) {
	for _, url := range urls {
		all = append(all, cpsclient.CPS{URL: url})
	}
	return all
}

// pool opens a pool in the bubble.
func (n *network) pool(id *oobtest.Identity, cfg cpsclient.PoolConfig) *cpsclient.Pool {
	n.t.Helper()
	cfg.Client = cpsclient.WithDial(n.as(id), n.dial)
	p, err := cpsclient.NewPool(cfg)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(p.Close)
	return p
}

// called is the key of a call to one of many numbers.
func called(i int) oob.Key {
	k := keyOf(oob.RFC9888)
	k.Dest = number(fmt.Sprint(12015550000 + i))
	return k
}

func TestPoolAsksTheCPSsOfTheCall(t *testing.T) {
	for _, form := range forms {
		t.Run(form.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, n *network) {
				a, b := n.serve("a.example", n.newCPS(t, "a.example").ServeHTTP), n.serve("b.example", n.newCPS(t, "b.example").ServeHTTP)
				where := found{number(dest): cpsAt(b+"/", a, "http://c.example", b)} // one that cannot be used, and one twice
				up, down := n.pool(n.upstream, cpsclient.PoolConfig{Find: where.find}), n.pool(n.downstream, cpsclient.PoolConfig{Find: where.find})
				p := n.publication(t, form)
				if err := up.Publish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // the other one has it too
				if got, err := down.Retrieve(t.Context(), p.Key); err != nil || !slices.Equal(got, p.Passports) {
					t.Errorf("got %d, %v", len(got), err)
				}
				if states := down.States(); len(states) != 2 || states[0].URL != a || states[1].URL != b || states[0].Outcomes[cpsclient.Success] != 1 {
					t.Errorf("%+v", states)
				}
				if form.Row().Consumed {
					if err := down.Consume(t.Context(), p.Key, []string{oob.PassportID(p.Passports[0])}); err != nil {
						t.Error(err)
					}
				}
				where[number(dest)] = cpsAt(a, b) // the same two in another order
				if err := up.Publish(t.Context(), p); err != nil {
					t.Fatal(err)
				}
				if stats := up.Stats(); stats.Clients != 1 || stats.Opened != 1 {
					t.Errorf("%+v", stats)
				}
				n.laboratory.checkNobody(t, down, where)
			})
		})
	}
}

// checkNobody asks for calls of which no CPS is known.
func (*laboratory) checkNobody(t *testing.T, p *cpsclient.Pool, where found) {
	t.Helper()
	unknown := called(0)
	_, err := p.Retrieve(t.Context(), unknown)
	wantFault(t, err, oob.NotFound)
	where[unknown.Dest] = cpsAt("http://a.example", "https://a.example/?x", "https://u:p@a.example", ":")
	_, err = p.Retrieve(t.Context(), unknown)
	if fault := wantFault(t, err, oob.PeerFailed); strings.Contains(fault.Error(), "u:p") {
		t.Error(fault)
	}
}

// TestPoolPassesOnWhatItsFinderSays, and gives it no more than the budget.
func TestPoolPassesOnWhatItsFinderSays(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		var answer error
		p := n.pool(n.upstream, cpsclient.PoolConfig{Find: func(ctx context.Context, _ oob.Key) ([]cpsclient.CPS, error) {
			if answer == nil {
				<-ctx.Done()
				return nil, oob.Faultf(oob.PeerTimeout, "the resolver").Because(ctx.Err())
			}
			return nil, answer
		}})
		took := since(func() { wantFault(t, p.Publish(t.Context(), n.publication(t, oob.RFC9888)), oob.PeerTimeout) })
		if took != time.Second {
			t.Errorf("took %v", took)
		}
		answer = errors.New("x")
		wantFault(t, p.Publish(t.Context(), n.publication(t, oob.RFC9888)), oob.Internal)
		answer = oob.Faultf(oob.Overloaded, "x")
		wantFault(t, p.Publish(t.Context(), n.publication(t, oob.RFC9888)), oob.Overloaded)
	})
}

// TestAHangingCPSHoldsUpNobodyElse, as many calls as go there.
func TestAHangingCPSHoldsUpNobodyElse(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		where := found{
			called(1).Dest: cpsAt(n.serve("hangs.example", hanging)), called(2).Dest: cpsAt(n.serve("good.example", holding(`"a.b.c"`))),
		}
		p := n.pool(n.downstream, cpsclient.PoolConfig{Find: where.find, ClientsMax: 2})
		var calls sync.WaitGroup
		for range 500 {
			calls.Go(func() {
				if _, err := p.Retrieve(t.Context(), called(1)); err == nil {
					t.Error("a CPS that hangs has answered")
				}
			})
		}
		synctest.Wait()
		if took := since(func() {
			if _, err := p.Retrieve(t.Context(), called(2)); err != nil {
				t.Error(err)
			}
		}); took != 0 {
			t.Errorf("took %v", took)
		}
		calls.Wait()
	})
}

// TestAResolverCannotOpenConnectionsWithoutEnd: the clients are bounded, those last used stay, those in use are left alone, and
// what there is no room for fails at once.
func TestAResolverCannotOpenConnectionsWithoutEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		where := found{}
		var open openConnections
		for i := range 50 {
			where[called(i).Dest] = cpsAt(n.serve(fmt.Sprintf("%d.example", i), holding(`"a.b.c"`)))
		}
		for i := range 50 {
			where[called(100+i).Dest] = cpsAt(n.serve(fmt.Sprintf("hangs%d.example", i), hanging))
		}
		cfg := cpsclient.PoolConfig{Find: where.find, ClientsMax: 4, Client: cpsclient.WithDial(n.as(n.downstream), open.counting(n.dial))}
		p, err := cpsclient.NewPool(cfg)
		if err != nil {
			t.Fatal(err)
		}
		retrieve := func(i int) error { _, err := p.Retrieve(t.Context(), called(i)); return err }
		for range 3 {
			for i := range 50 {
				if err := retrieve(0); err != nil { // always among the last used
					t.Fatal(err)
				}
				if err := retrieve(i); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		if stats := p.Stats(); stats.Clients != 4 || open.most() > 8 || n.dialed("0.example") != 1 || stats.Refused != 0 {
			t.Errorf("%+v, at most %d connections, %d to the one in use", stats, open.most(), n.dialed("0.example"))
		}
		var calls sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for i := range 50 {
			calls.Go(func() {
				err := retrieve(100 + i)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case errors.Is(err, oob.Overloaded):
					refused++
				case !errors.Is(err, oob.PeerTimeout):
					t.Error(err)
				}
			})
		}
		calls.Wait()
		synctest.Wait()
		if stats := p.Stats(); refused != 46 || stats.Refused != 46 || stats.Clients != 4 || open.most() > 8 {
			t.Errorf("%d refused, %+v, at most %d connections", refused, stats, open.most())
		}
		if err := retrieve(7); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		p.Close()
		synctest.Wait()
		if open.now() != 0 {
			t.Errorf("%d connections are left", open.now())
		}
		wantFault(t, retrieve(7), oob.Draining)
	})
}

// TestIdleClientsAreClosed.
func TestIdleClientsAreClosed(t *testing.T) {
	inBubble(t, func(t *testing.T, n *network) {
		where := found{called(1).Dest: cpsAt(n.serve("a.example", holding(`"a.b.c"`))), called(2).Dest: cpsAt(n.serve("b.example", holding(`"a.b.c"`)))}
		p := n.pool(n.downstream, cpsclient.PoolConfig{Find: where.find, Idle: time.Minute})
		for range 5 {
			if _, err := p.Retrieve(t.Context(), called(1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Second)
			if _, err := p.Retrieve(t.Context(), called(2)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if stats := p.Stats(); stats.Clients != 2 || stats.Opened != 2 {
			t.Errorf("in use: %+v", stats)
		}
		time.Sleep(3 * time.Minute)
		if stats := p.Stats(); stats.Clients != 0 || stats.Evicted != 0 {
			t.Errorf("idle: %+v", stats)
		}
		if _, err := p.Retrieve(t.Context(), called(1)); err != nil || p.Stats().Opened != 3 {
			t.Errorf("%v, %+v", err, p.Stats())
		}
	})
}

func TestNewPoolRefuses(t *testing.T) {
	l := openLaboratory()
	for name, cfg := range map[string]cpsclient.PoolConfig{
		"nobody who finds": {Client: l.as(l.upstream)},
		"no credential":    {Find: found{}.find},
	} {
		if p, err := cpsclient.NewPool(cfg); err == nil || p != nil {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

// TestControlSeesEveryAddress: one that it refuses is not connected to.
func TestControlSeesEveryAddress(t *testing.T) {
	l := openLaboratory()
	server := start(t, created, true)
	cfg := l.as(l.upstream, server.URL)
	cfg.Control = func(_, address string, _ syscall.RawConn) error {
		if address != server.Listener.Addr().String() {
			t.Errorf("asked about %s", address)
		}
		return errors.New("it is ours")
	}
	wantFault(t, open(t, cfg).Publish(t.Context(), l.publication(t, oob.Mesh)), oob.PeerFailed)
}

// openConnections counts connections.
type openConnections struct {
	mu          sync.Mutex
	open, atMax int // guarded by mu
}

func (o *openConnections) counting(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		o.add(1)
		return &countedConnection{Conn: conn, close: sync.OnceFunc(func() { o.add(-1) })}, nil
	}
}

func (o *openConnections) add(n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open += n
	o.atMax = max(o.atMax, o.open)
}

func (o *openConnections) most() int { o.mu.Lock(); defer o.mu.Unlock(); return o.atMax }
func (o *openConnections) now() int  { o.mu.Lock(); defer o.mu.Unlock(); return o.open }

type countedConnection struct {
	net.Conn
	close func()
}

func (c *countedConnection) Close() error {
	c.close()
	return c.Conn.Close()
}
