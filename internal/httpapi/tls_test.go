package httpapi_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// connect makes a TLS connection as config says, and gives its state once the server has taken what the client showed.
func (p *pair) connect(config *tls.Config) (state tls.ConnectionState, err error) {
	p.Helper()
	config.RootCAs = p.PKI.TLSRoots()
	dialer := tls.Dialer{Config: config}
	c, err := dialer.DialContext(p.Context(), "tcp", p.CPS.Host)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	if _, err = io.WriteString(c, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); err == nil {
		_, err = io.ReadAll(c)
	}
	return c.(*tls.Conn).ConnectionState(), err
}

func TestRFC9325_S4_2_OldTLSIsRefused(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	cbc := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}
	for _, c := range []struct {
		name   string
		config *tls.Config
		good   bool
	}{
		{"TLS 1.3", &tls.Config{MinVersion: tls.VersionTLS13}, true},
		{"TLS 1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"TLS 1.2 with AES-256", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}}, true},
		{"TLS 1.2 with CBC alone", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: cbc}, false},
		{"TLS 1.2 without forward secrecy", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256}}, false},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if state, err := p.connect(c.config); c.good != (err == nil) {
				t.Errorf("%s, %v", tls.VersionName(state.Version), err)
			}
		})
	}
}

// Clients are asked for a certificate, and what they show keeps nobody from what it has no part in.
func TestRFC9888_S5_ACertificateIsAskedForAndNotNeeded(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{})
	web, err := p.PKI.IssueTLS("client.example")
	if err != nil {
		t.Fatal(err)
	}
	ofWeb, err := web.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	of := func(id *oobtest.Identity) *tls.Certificate {
		certificate := id.TLS()
		return &certificate
	}
	for name, shown := range map[string]*tls.Certificate{
		"none": {}, "of the web": &ofWeb, "of another STI": of(p.foreign("1234")), "of a provider": of(p.Upstream),
		"of another provider": of(p.issue(oobtest.IssueConfig{SPC: "890C"})),
	} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
			t.Run(name+", "+protocol, func(t *testing.T) {
				client, asked := p.PKI.Client(), false
				transport := client.Transport.(*http.Transport)
				transport.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
					asked = true
					return shown, nil
				}
				transport.Protocols = new(http.Protocols)
				transport.Protocols.SetHTTP1(protocol == "HTTP/1.1")
				transport.Protocols.SetHTTP2(protocol == "HTTP/2.0")
				defer client.CloseIdleConnections()
				get := func(path, authorization string) *http.Response {
					t.Helper()
					request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.CPS.URL+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					if authorization != "" {
						request.Header.Set("Authorization", authorization)
					}
					response, err := client.Do(request)
					if err != nil {
						t.Fatal(err)
					}
					response.Body.Close()
					return response
				}
				a := p.Retrieve(oob.Mesh)
				token, err := a.Token()
				if err != nil {
					t.Fatal(err)
				}
				if r := get("/health", ""); r.StatusCode != http.StatusOK || r.Proto != protocol {
					t.Errorf("health: %d over %s", r.StatusCode, r.Proto)
				}
				if r := get(a.Path, "Bearer "+token); r.StatusCode != http.StatusOK && r.StatusCode != http.StatusNotFound {
					t.Errorf("with a token: %d", r.StatusCode)
				}
				// The ATIS forms know no other proof than their token.
				if r := get(a.Path, ""); r.StatusCode != http.StatusUnauthorized {
					t.Errorf("without: %d", r.StatusCode)
				}
				if !asked {
					t.Error("nobody has asked for a certificate")
				}
			})
		}
	}
}
