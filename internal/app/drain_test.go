package app

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/stircert"
)

// provider is the TLS side of the laboratory's provider, with its certificate.
func (r *running) provider(t *testing.T) *tls.Config {
	t.Helper()
	signer := &Signer{Lab: r.dir, SPC: "1234"}
	private, err := signer.load()
	if err != nil {
		t.Fatal(err)
	}
	response, err := r.client.Get(signer.X5U)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := stircert.ParseChainPEM(text)
	if err != nil {
		t.Fatal(err)
	}
	settings := r.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	own := tls.Certificate{PrivateKey: private}
	for _, c := range chain {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	settings.Certificates, settings.ServerName = []tls.Certificate{own}, "localhost"
	return settings
}

// TestServe_DrainsThoughAStreamHasABody: a subscription whose body never comes keeps nobody, nor do many on one connection.
func TestServe_DrainsThoughAStreamHasABody(t *testing.T) {
	const path, streams = "/cps/ppts?profile=company&dest=0-1234", 20
	r := startLab(t, func(*http.Server) {})
	settings := r.provider(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings.Clone(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for range streams {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", rfc9888.StreamMedia)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
			t.Fatalf("%d over %s", response.StatusCode, response.Proto)
		}
	}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(r.url(), "https://"), settings)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Length: 10\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, " 400 ") {
		t.Errorf("with a body that never comes: %q, %v", line, err)
	}
	if n := r.cps.hub.Stats().Subscribers; n != streams {
		t.Errorf("%d subscribers", n)
	}
	r.stop()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
}
