package fault

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// node is one process of `viaduct serve`, in its place, through all its lives.
type node struct {
	process
	bed          *bed
	site, number int
	witness      bool
	offset       time.Duration // of its clock

	public     string // host:port for providers
	management string // for operators
	between    string // for the nodes of its site
	across     string // for other sites

	operator *http.Client // asks the management listener
}

// ports chooses where the node listens.
func (n *node) ports(t *testing.T) {
	t.Helper()
	fields := []*string{&n.public, &n.management, &n.between, &n.across}
	for i, field := range fields {
		if n.bed.apart {
			*field = net.JoinHostPort(n.place.host, strconv.Itoa(8443+i))
			continue
		}
		listener, err := n.place.listen(n.place.host + ":0")
		check(t, err)
		defer listener.Close() // all are open at the same time, so that no two are the same
		*field = listener.Addr().String()
	}
	n.operator = &http.Client{Timeout: unhurried(connectTime), Transport: &http.Transport{DialContext: n.place.dial}}
	t.Cleanup(n.operator.CloseIdleConnections)
}

// start begins a life.
func (n *node) start(t *testing.T) {
	t.Helper()
	n.begin(t, binary(t, n.offset), "serve", "--config", n.path("viaduct.yaml"))
}

// log is where the log of the node lies. Whatever else is on its disk, if it has one, is not below.
func (n *node) log() string { return n.path("disk/log") }

// page fetches a page for operators.
func (n *node) page(path string) (status int, text string, err error) {
	response, err := n.operator.Get("http://" + n.management + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, string(all), err
}

// ready tells whether the node says that it can do its work, to operators and to whoever shares its load.
func (n *node) ready() bool { return n.unready() == "" }

// unready is why the node says that it is not ready; empty when it says that it is.
func (n *node) unready() string {
	switch status, text, err := n.page("/readyz"); {
	case err != nil:
		return unaddressed(err).Error()
	case status != http.StatusOK:
		return strings.TrimSpace(text)
	}
	return ""
}

// metric is the sum of all series of a name, or one series; false where the node has none, or does not answer.
func (n *node) metric(name string) (sum float64, found bool) {
	status, text, err := n.page("/metrics")
	if err != nil || status != http.StatusOK {
		return 0, false
	}
	for line := range strings.Lines(text) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if base, _, _ := strings.Cut(series, "{"); base == name || series == name {
			one, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, false
			}
			sum, found = sum+one, true
		}
	}
	return sum, found
}

// connectionsMax bounds the connections of one client to one node.
const connectionsMax = 64

// client makes an HTTP client beside the node, with a certificate to show or none.
func (n *node) client(t *testing.T, shown *tls.Certificate) *http.Client {
	t.Helper()
	secured := &tls.Config{RootCAs: n.bed.pki.TLSRoots(), ServerName: audience, MinVersion: tls.VersionTLS13}
	if shown != nil {
		secured.Certificates = []tls.Certificate{*shown}
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return n.place.dial(ctx, network, address)
		},
		TLSClientConfig: secured, DisableCompression: true, TLSHandshakeTimeout: unhurried(2 * time.Second),
		MaxIdleConnsPerHost: connectionsMax, MaxConnsPerHost: connectionsMax, // as any client that goes easy on a node that hangs
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// appended is how many entries nodes have written to the log, and in how many batches.
func (b *bed) appended(t *testing.T, nodes ...*node) (entries, batches float64) {
	t.Helper()
	for _, n := range nodes {
		those, found := n.metric(`oob_cluster_events_total{outcome="acknowledged"}`)
		in, foundIn := n.metric("oob_cluster_batches_total")
		if !found || !foundIn {
			t.Fatalf("%s does not count what it writes to the log", n.name)
		}
		entries, batches = entries+those, batches+in
	}
	return entries, batches
}
