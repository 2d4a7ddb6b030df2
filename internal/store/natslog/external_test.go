package natslog_test

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/viaduct-oob/viaduct/internal/store/natslog"
)

// external starts a NATS that belongs to nobody.
func external(t *testing.T) (url string) {
	t.Helper()
	return serve(t, &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT})
}

// serve starts one server of it.
func serve(t *testing.T, opts *server.Options) (url string) {
	t.Helper()
	return start(t, opts).ClientURL()
}

func start(t *testing.T, opts *server.Options) *server.Server {
	t.Helper()
	opts.NoSigs, opts.JetStream, opts.StoreDir = true, true, t.TempDir()
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("no NATS")
	}
	return s
}

// externals starts three servers that are one NATS.
func externals(t *testing.T) (urls []string) {
	t.Helper()
	var routes []*url.URL
	var listen []server.ClusterOpts
	for range 3 {
		host, port, err := net.SplitHostPort(freeAddress(t))
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		listen = append(listen, server.ClusterOpts{Name: "others", Host: host, Port: number})
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: net.JoinHostPort(host, port)})
	}
	for i, cluster := range listen {
		urls = append(urls, serve(t, &server.Options{
			ServerName: "s" + strconv.Itoa(i+1), Host: "127.0.0.1", Port: server.RANDOM_PORT, Cluster: cluster, Routes: routes,
		}))
	}
	return urls
}

// TestLeadsOfAnExternalNATSAreSpread: a server that led all streams would take the whole log with it.
func TestLeadsOfAnExternalNATSAreSpread(t *testing.T) {
	t.Parallel()
	urls := externals(t)
	cfg := natslog.Config{Site: "east", KeepMax: keep, BytesMax: 64 << 20, External: urls, Replicas: 3, Log: complaints(t)}
	var nodes []*node
	for _, name := range []string{"n1", "n2"} {
		cfg.Node = name
		nodes = append(nodes, open(t, cfg))
	}
	ready(t, nodes...)
	nc, err := nats.Connect(urls[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	leads := func() (at []string) {
		for i := range 6 {
			if s, err := js.Stream(t.Context(), "LOG_east_"+strconv.Itoa(i)); err == nil && s.CachedInfo().Cluster != nil {
				at = append(at, s.CachedInfo().Cluster.Leader)
			}
		}
		slices.Sort(at)
		return at
	}
	even := []string{"s1", "s1", "s2", "s2", "s3", "s3"}
	if !eventually(func() bool { return slices.Equal(leads(), even) }) {
		t.Fatalf("led by %v", leads())
	}
	for i := range 6 {
		if _, err := nc.Request("$JS.API.STREAM.LEADER.STEPDOWN.LOG_east_"+strconv.Itoa(i), []byte(`{"placement":{"preferred":"s1"}}`), patience); err != nil {
			t.Fatal(err)
		}
	}
	if !eventually(func() bool { at := leads(); return len(at) == 6 && at[2] == "s1" }) {
		t.Fatalf("none has been given to the one: %v", leads())
	}
	if !eventually(func() bool { return slices.Equal(leads(), even) }) {
		t.Errorf("led by %v", leads())
	}
}

func TestExternalNATS(t *testing.T) {
	url := external(t)
	var nodes []*node
	for _, name := range []string{"east/n1", "east/n2", "west/n1"} {
		nodes = append(nodes, open(t, natslog.Unhurried(natslog.Config{
			Site: name[:4], Node: name[5:], KeepMax: keep, BytesMax: 64 << 20, External: []string{url}, Log: complaints(t),
		})))
	}
	ready(t, nodes...)
	one, two, other := event(), event(), event()
	nodes[0].append(one)
	nodes[1].append(two)
	nodes[2].append(other)
	for _, n := range nodes[:2] {
		n.gets(one, two)
		if n.has(other) {
			t.Errorf("%s has what is of another site", n.log.Node())
		}
	}
	nodes[1].close()
	nodes[1].open()
	ready(t, nodes[1])
	nodes[1].gets(one, two)
}

// TestAnExternalNATSThatIsNotThere: the node says what is wrong, first and later.
func TestAnExternalNATSThatIsNotThere(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	n := open(t, natslog.Config{Site: "east", Node: "n1", KeepMax: keep, BytesMax: 64 << 20, External: []string{"nats://" + address}, Log: complaints(t)})
	n.says("the log has not been made; NATS cannot be reached: dial tcp " + address)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, &server.Options{Host: host, Port: number})
	ready(t, n)
	s.Shutdown()
	n.says("behind the log; NATS cannot be reached: ")
}
