package proof_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// asked is what a server has found out about a request.
type asked struct {
	principal oob.Principal
	err       error
	state     *tls.ConnectionState
}

// door is a server of the public listener that finds out who is at the other end, whatever is asked.
type door struct {
	*testing.T
	pki      *oobtest.PKI
	verifier *trust.Verifier
	ahead    atomic.Int64 // of the verifier's clock, before ours; a time.Duration
	host     string
	asked    chan asked // what the last request was found to be; filled before it is answered
}

func openDoor(t *testing.T) *door {
	t.Helper()
	d := &door{T: t, asked: make(chan asked, 1)}
	var err error
	if d.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		t.Fatal(err)
	}
	anchors, err := trust.NewAnchors(d.pki.Root.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return time.Now().Add(time.Duration(d.ahead.Load())) }
	if d.verifier, err = trust.New(trust.Config{Anchors: anchors, Now: clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.verifier.Close)
	files, err := d.pki.IssueTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := files.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	server := httpapi.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, err := proof.OfConnection(r.Context(), r.TLS, d.verifier)
		d.asked <- asked{principal, err, r.TLS}
	}), 0, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil }, slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.host = listener.Addr().String()
	go server.ServeTLS(listener, "", "") // returns when Close is called
	t.Cleanup(func() { server.Close() })
	return d
}

// client is one that shows a certificate, if any.
func (d *door) client(shown *tls.Certificate, edit func(*http.Transport)) *http.Client {
	client := d.pki.Client()
	transport := client.Transport.(*http.Transport)
	transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if shown == nil {
			return new(tls.Certificate), nil
		}
		return shown, nil
	}
	if edit != nil {
		edit(transport)
	}
	d.Cleanup(transport.CloseIdleConnections)
	return client
}

// ask sends a request and gives what it was found to be.
func (d *door) ask(client *http.Client) asked {
	d.Helper()
	response, err := client.Get("https://" + d.host + "/")
	if err != nil {
		d.Fatal(err)
	}
	response.Body.Close()
	return <-d.asked
}

func (d *door) issue(cfg oobtest.IssueConfig) *oobtest.Identity {
	d.Helper()
	return issueWith(d.T, d.pki, cfg)
}

func issueWith(t testing.TB, pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.Identity {
	t.Helper()
	id, err := pki.Issue(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// showing is what a client shows that has the key of id: its chain, and more.
func showing(id *oobtest.Identity, more ...*x509.Certificate) *tls.Certificate {
	shown := id.TLS()
	for _, cert := range more {
		shown.Certificate = append(shown.Certificate, cert.Raw)
	}
	return &shown
}

// delegate is a CA with a TNAuthList (RFC 9060 §4), as a PKI that issues with it.
func delegate(t testing.TB, pki *oobtest.PKI, cfg oobtest.IssueConfig) *oobtest.PKI {
	t.Helper()
	cfg.Modify = func(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }
	under, err := pki.Below(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return under
}

func blockOf(t testing.TB, text string) stircert.TNAuthList {
	t.Helper()
	r, err := tn.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return stircert.TNAuthList{Ranges: []tn.Range{r}}
}

// handshake gives what a server knows of a client that has shown certificates.
func handshake(certs ...*x509.Certificate) (context.Context, *tls.ConnectionState) {
	near, far := net.Pipe()
	near.Close()
	far.Close()
	return proof.OnConnection(context.Background(), near), &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: certs}
}
