package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mistaken is three nodes of a site, each at a loopback address of its own; one of them, or all, with a mistake. They are witnesses,
// which need the least beside the cluster.
type mistaken struct {
	dir        string
	between    [4]string // host:port, by the number of the node
	management [4]string
}

func newMistaken(t *testing.T) *mistaken {
	t.Helper()
	m := &mistaken{dir: t.TempDir()}
	for n := 1; n <= 3; n++ {
		for _, field := range []*string{&m.between[n], &m.management[n]} {
			_, port, err := net.SplitHostPort(freeAddress(t, "tcp")) // which is nobody else's, at whichever address
			check(t, err)
			*field = net.JoinHostPort(fmt.Sprintf("127.0.0.%d", n), port)
		}
	}
	m.certify(t, "keys")
	m.certify(t, "foreign")
	for n := 1; n <= 3; n++ {
		var nodes strings.Builder
		for i := 1; i <= 3; i++ {
			fmt.Fprintf(&nodes, "    - {name: n%d, address: %q}\n", i, m.between[i])
		}
		m.write(t, n, fmt.Sprintf(`cluster:
  node: n%[1]d
  site: main
  witness: true
  dir: log%[1]d
  listen: %[2]q
  nodes:
%[3]s  tls: {certificate: keys/n%[1]d.pem, key: keys/n%[1]d.key, roots: [keys/cluster-ca.pem]}
management: {listen: %[4]q}
drain: {delay: 0s, timeout: 1s}
`, n, m.between[n], nodes.String(), m.management[n]))
	}
	return m
}

func (m *mistaken) certify(t *testing.T, folder string) {
	t.Helper()
	args := []string{"cluster", "certificates", filepath.Join(m.dir, folder), "n1=127.0.0.1", "n2=127.0.0.2", "n3=127.0.0.3"}
	if out, err := exec.Command(filepath.Join(binDir, "viaduct"), args...).CombinedOutput(); err != nil {
		t.Fatalf("viaduct cluster certificates: %v\n%s", err, out)
	}
}

func (m *mistaken) file(node int) string { return filepath.Join(m.dir, fmt.Sprintf("n%d.yaml", node)) }

func (m *mistaken) write(t *testing.T, node int, text string) {
	t.Helper()
	check(t, os.WriteFile(m.file(node), []byte(text), 0o600))
}

// edit replaces texts in the configuration of a node.
func (m *mistaken) edit(t *testing.T, node int, pairs ...string) {
	t.Helper()
	text, err := os.ReadFile(m.file(node))
	check(t, err)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(string(text), pairs[i]) {
			t.Fatalf("no %q in\n%s", pairs[i], text)
		}
	}
	m.write(t, node, strings.NewReplacer(pairs...).Replace(string(text)))
}

// serve starts a node. What it writes down can be asked for; closed is closed when it has ended.
func (m *mistaken) serve(t *testing.T, node int) (said *spoken, closed chan struct{}) {
	t.Helper()
	said, closed = &spoken{}, make(chan struct{})
	cmd := exec.Command(filepath.Join(binDir, "viaduct"), "serve", "--config", m.file(node))
	cmd.Stdout, cmd.Stderr = said, said
	check(t, cmd.Start())
	go func() {
		_ = cmd.Wait() // what ends it is looked at by what it has said
		close(closed)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // it may have ended
		<-closed
	})
	return said, closed
}

// page is what a node answers to operators; empty while it does not.
func (m *mistaken) page(node int, path string) string {
	response, err := (&http.Client{Timeout: time.Second}).Get("http://" + m.management[node] + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body) // half of it is of no use, and is asked for again
	return string(text)
}

// TestMistakesAreSaid: whoever configures a cluster wrongly finds the reason at /readyz of the node that it is about, or in how that
// node ends. docs/operating.md lists them.
func TestMistakesAreSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		mistake func(t *testing.T, m *mistaken)
		node    int    // who says so
		ready   string // at /readyz
		ends    string // and the node ends
		metric  string // at /metrics
		second  bool   // said when the others were there before
	}{
		{name: "a certificate of another authority", node: 2, ready: "remote error: tls: bad certificate", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "keys/n2", "foreign/n2", "roots: [keys/cluster-ca.pem]", "roots: [keys/cluster-ca.pem, foreign/cluster-ca.pem]")
		}},
		{name: "an authority that the others do not have, as they say", node: 1, ready: "certificate signed by unknown authority", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "keys/", "foreign/")
			m.edit(t, 3, "keys/", "foreign/")
		}},
		{name: "the certificate of another node", node: 2, ends: "is for 127.0.0.3, and this node's address in nodes is 127.0.0.2", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "keys/n2", "keys/n3")
		}},
		{name: "addresses in nodes where nobody listens", node: 1, ready: "connection refused", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 1, m.between[2], "127.0.0.2:1", m.between[3], "127.0.0.3:1")
			m.edit(t, 2, m.between[1], "127.0.0.1:1")
			m.edit(t, 3, m.between[1], "127.0.0.1:1")
		}},
		{name: "nodes that are not alike", node: 1, metric: "oob_cluster_nodes_unlike 1", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, m.between[3], "127.0.0.3:1")
		}},
		{name: "the name of another node", node: 2, ends: "is for 127.0.0.2, and this node's address in nodes is 127.0.0.1", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "node: n2", "node: n1")
		}},
		{name: "name and certificate of another node", node: 2, ready: "another node refuses this one", second: true, mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "node: n2", "node: n1", "keys/n2", "keys/n1")
		}},
		{name: "another name of the site", node: 2, ready: `cluster name "west" does not match "main"`, mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "site: main", "site: west")
		}},
		{name: "a node that is not among its own", node: 2, ends: "it is not among the nodes of its site", mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "node: n2", "node: n4")
		}},
		{name: "the port is taken", node: 2, ends: "address already in use", mistake: func(t *testing.T, m *mistaken) {
			listener, err := net.Listen("tcp", m.between[2])
			check(t, err)
			t.Cleanup(func() { listener.Close() })
		}},
		{name: "the folder of another node", node: 2, ends: "belongs to node main/n1", mistake: func(t *testing.T, m *mistaken) {
			check(t, os.MkdirAll(filepath.Join(m.dir, "log2"), 0o700))
			check(t, os.WriteFile(filepath.Join(m.dir, "log2", "node"), []byte("main/n1 of several\n"), 0o600))
		}},
		{name: "one folder for two processes", node: 2, ends: "another process uses it", second: true, mistake: func(t *testing.T, m *mistaken) {
			m.edit(t, 2, "log2", "log3")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMistaken(t)
			c.mistake(t, m)
			_, _ = m.serve(t, 1)
			_, _ = m.serve(t, 3)
			if c.second {
				for _, n := range []int{1, 3} {
					await(t, "the first two to be there", func() bool {
						return strings.Contains(m.page(n, "/readyz"), "the copy of the log on this node is not whole")
					})
				}
			}
			said, closed := m.serve(t, 2)
			last := ""
			defer func() {
				if t.Failed() {
					t.Logf("the last that it said: %s", last)
				}
			}()
			await(t, c.name+" to be said", func() bool {
				switch {
				case c.ends != "":
					select {
					case <-closed:
						last = said.String()
					default:
						return false
					}
					if !strings.Contains(last, c.ends) {
						t.Fatalf("it ends, and says %s", last)
					}
					return true
				case c.metric != "":
					return strings.Contains(m.page(c.node, "/metrics"), "\n"+c.metric+"\n")
				}
				last = m.page(c.node, "/readyz")
				return strings.Contains(last, c.ready)
			})
		})
	}
}
