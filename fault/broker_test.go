package fault

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	// As main_test.go has it: the server is built by a child process.
	_ "github.com/nats-io/nats-server/v2/server"
)

// broker is one server of a NATS that others run: the program of its makers, in the version that is in go.mod.
type broker struct {
	process
	bed     *bed
	clients string // host:port for the nodes
	between string // for the other servers
	monitor string // for operators

	operator *http.Client
}

// natsServer builds the program, once.
var natsServer = sync.OnceValues(func() (string, error) {
	name := filepath.Join(dir, "nats-server")
	if out, err := exec.Command("go", "build", "-o", name, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building nats-server: %w\n%s", err, out)
	}
	return name, nil
})

// newBroker makes one beside the nodes of the first site, in a network of its own.
func (b *bed) newBroker(t *testing.T, number int) *broker {
	t.Helper()
	r := &broker{bed: b}
	r.name = fmt.Sprintf("nats%d", number)
	r.dir, r.place = filepath.Join(b.dir, r.name), b.place(t, 0, number)
	check(t, os.MkdirAll(r.dir, 0o700))
	for _, field := range []*string{&r.clients, &r.between, &r.monitor} {
		listener, err := r.place.listen(r.place.host + ":0")
		check(t, err)
		defer listener.Close() // all are open at the same time, so that no two are the same
		*field = listener.Addr().String()
	}
	r.operator = &http.Client{Timeout: connectTime, Transport: &http.Transport{DialContext: r.place.dial}}
	t.Cleanup(r.operator.CloseIdleConnections)
	return r
}

// urls are where nodes reach the servers.
func (b *bed) urls() (urls []string) {
	for _, r := range b.brokers {
		urls = append(urls, fmt.Sprintf("%q", "tls://"+r.clients))
	}
	return urls
}

// configure writes what an operator writes for a cluster of servers, all connections encrypted and proven at both ends.
func (r *broker) configure(t *testing.T) {
	t.Helper()
	var routes []string
	for _, other := range r.bed.brokers {
		if other != r {
			routes = append(routes, fmt.Sprintf("%q", "nats-route://"+other.between))
		}
	}
	keys := filepath.Join(r.bed.dir, "cluster")
	secured := fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }",
		filepath.Join(keys, r.name+".pem"), filepath.Join(keys, r.name+".key"), filepath.Join(keys, "cluster-ca.pem"))
	text := fmt.Sprintf(`server_name: %s
listen: %q
http: %q
%s
jetstream { store_dir: %q, max_file_store: 2GB }
cluster { name: fault, listen: %q, routes: [%s], %s }
`, r.name, r.clients, r.monitor, secured, r.path("store"), r.between, strings.Join(routes, ", "), secured)
	check(t, os.WriteFile(r.path("nats.conf"), []byte(text), 0o600))
}

// start begins a life.
func (r *broker) start(t *testing.T) {
	t.Helper()
	program, err := natsServer()
	check(t, err)
	r.begin(t, program, "--config", r.path("nats.conf"))
}

// healthy tells whether the server says that its copy of everything is what the others have.
func (r *broker) healthy() bool {
	response, err := r.operator.Get("http://" + r.monitor + "/healthz")
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// killBroker ends one server at once, under load, and starts it again. The nodes that were its clients go over to another.
func killBroker(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	for _, r := range b.brokers {
		pass(before)
		r.kill(t)
		pass(during)
		r.start(t)
		l.note("without %s, ready again in %s", r.name, b.ready(t, b.nodes...).Round(time.Millisecond))
		b.settle(t, l, b.nodes...)
		await(t, r.name+" to have what the others have", r.healthy)
	}
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, smooth())
}

// hangBroker stops one server where it is, and lets it go on. Nodes that are its clients notice it by its silence; until then they
// refuse, and so may the one that is asked next.
func hangBroker(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(before)
	b.brokers[0].hang()
	const notice = 4 * time.Second
	pass(notice)
	noticed := time.Now()
	pass(notice)
	b.brokers[0].wake()
	if n, want := len(l.since(noticed)), perSecond()*int(notice/time.Second); n < want*3/4 {
		t.Errorf("%d publications were acknowledged when it should have been noticed, of %d", n, want)
	}
	l.note("ready again in %s", b.ready(t, b.nodes...).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	l.conclude(t, demand{errors: true})
}

// killBrokers ends all servers at once, and starts them again: what was acknowledged is on their disks, and nothing is meanwhile.
func killBrokers(t *testing.T, b *bed) {
	b.whole(t)
	l := newLedger()
	work := b.publish(t, l, even(b.nodes), b.beside(t, b.nodes...)...)
	pass(2 * before)
	for _, r := range b.brokers {
		r.kill(t)
	}
	gone := time.Now()
	pass(during)
	if wrong := len(l.since(gone)); wrong > 0 {
		t.Errorf("%d records were acknowledged without a log", wrong)
	}
	l.note("says %q", b.nodes[0].unready())
	b.settle(t, l, b.nodes...) // reading goes on
	for _, r := range b.brokers {
		r.start(t)
	}
	l.note("ready again in %s", b.ready(t, b.nodes...).Round(time.Millisecond))
	pass(before)
	work.end()
	b.settle(t, l, b.nodes...)
	for _, n := range b.nodes { // what is in the log, and not what they still hold
		n.kill(t)
		n.start(t)
	}
	b.ready(t, b.nodes...)
	b.readAgain(t, l, b.nodes...)
	l.conclude(t, demand{errors: true})
}
