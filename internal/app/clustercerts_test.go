package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClusterCertificates_NodesProveThemselvesToEachOther: each node is believed as server and as client, under the names that it
// was made for and no other.
func TestClusterCertificates_NodesProveThemselvesToEachOther(t *testing.T) {
	dir := t.TempDir()
	makeCertificates(t, ClusterCertificates{Dir: dir, Days: 30, Nodes: map[string]string{"n1": "127.0.0.1,one.example", "n2": "two.example"}})
	authority, err := os.ReadFile(filepath.Join(dir, clusterCA))
	if err != nil {
		t.Fatal(err)
	}
	said := makeCertificates(t, ClusterCertificates{Dir: dir, Days: 30, Nodes: map[string]string{"n3": "three.example"}})
	if again, _ := os.ReadFile(filepath.Join(dir, clusterCA)); !bytes.Equal(authority, again) || strings.Contains(said, clusterCAKey) {
		t.Errorf("the authority was made anew: %s", said)
	}
	for _, c := range []struct {
		client, server, host string
		good                 bool
	}{
		{"n1", "n2", "two.example", true},
		{"n3", "n1", "127.0.0.1", true},
		{"n2", "n1", "one.example", true},
		{"n1", "n2", "one.example", false},
	} {
		if err := shakeHands(t, dir, c.client, c.server, c.host); (err == nil) != c.good {
			t.Errorf("%s calls %s as %s: %v", c.client, c.server, c.host, err)
		}
	}
	for _, name := range []string{"n1.key", "n3.key", clusterCAKey} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func makeCertificates(t *testing.T, c ClusterCertificates) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Run(&Streams{Out: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// shakeHands has one node call another, both proving themselves.
func shakeHands(t *testing.T, dir, client, server, host string) error {
	t.Helper()
	roots, err := loadPool([]string{filepath.Join(dir, clusterCA)})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer near.Close()
	serving := tls.Server(far, &tls.Config{Certificates: []tls.Certificate{nodePair(t, dir, server)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots})
	served := make(chan error, 1)
	go func() { served <- serving.Handshake(); far.Close() }()
	calling := tls.Client(near, &tls.Config{Certificates: []tls.Certificate{nodePair(t, dir, client)}, RootCAs: roots, ServerName: host})
	if err := calling.Handshake(); err != nil {
		return err
	}
	return <-served
}

func nodePair(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := bothWays(pair.Leaf); err != nil {
		t.Error(err)
	}
	return pair
}

// TestClusterCertificates_WrongInput: what cannot be meant is refused, and leaves no file.
func TestClusterCertificates_WrongInput(t *testing.T) {
	for name, c := range map[string]ClusterCertificates{
		"a path":        {Days: 30, Nodes: map[string]string{"../n1": "one.example"}},
		"no host":       {Days: 30, Nodes: map[string]string{"n1": ""}},
		"an empty host": {Days: 30, Nodes: map[string]string{"n1": "one.example,"}},
		"the authority": {Days: 30, Nodes: map[string]string{"cluster-ca": "one.example"}},
		"no days":       {Days: 0, Nodes: map[string]string{"n1": "one.example"}},
		"for ever":      {Days: 100_000, Nodes: map[string]string{"n1": "one.example"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Dir = filepath.Join(t.TempDir(), "made")
			if err := c.Run(&Streams{Out: &bytes.Buffer{}}); err == nil {
				t.Error("accepted")
			}
			if _, err := os.Stat(c.Dir); err == nil {
				t.Error("left a folder")
			}
		})
	}
}

// TestClusterCertificates_WithoutItsKeyTheAuthorityIsNotReplaced: nodes that are running trust it.
func TestClusterCertificates_WithoutItsKeyTheAuthorityIsNotReplaced(t *testing.T) {
	c := ClusterCertificates{Dir: t.TempDir(), Days: 30, Nodes: map[string]string{"n1": "one.example"}}
	makeCertificates(t, c)
	if err := os.Remove(filepath.Join(c.Dir, clusterCAKey)); err != nil {
		t.Fatal(err)
	}
	if err := c.Run(&Streams{Out: &bytes.Buffer{}}); err == nil {
		t.Error("made another authority")
	}
}

// TestClusterCertificates_OneWayIsRefused: a certificate for servers alone fails when the node calls another, which is later and harder to find.
func TestClusterCertificates_OneWayIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		uses []x509.ExtKeyUsage
		good bool
	}{
		"server alone": {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, false},
		"client alone": {[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, false},
		"both":         {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, true},
		"any":          {[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, true},
		"nothing said": {nil, true},
	} {
		if err := bothWays(&x509.Certificate{ExtKeyUsage: c.uses}); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
