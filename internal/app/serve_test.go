package app

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// running is a server started from a laboratory's own configuration.
type running struct {
	*server
	dir    string
	client *http.Client
	stop   context.CancelFunc
	ended  chan error
}

// startLab starts it; before has the last word on its public listener.
func startLab(t *testing.T, before func(*http.Server)) *running {
	t.Helper()
	repository, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "lab")
	lab := LabInit{
		Dir: dir, SPC: []string{"1234"}, Repository: repository.Addr().String(), CPS: "127.0.0.1:0", Management: "127.0.0.1:0", SIP: "127.0.0.1:0",
	}
	if err := lab.write(); err != nil {
		t.Fatal(err)
	}
	files := newRepositoryServer(dir)
	go files.ServeTLS(repository, filepath.Join(dir, labTLS, "repository.pem"), filepath.Join(dir, labTLS, "repository-key.pem"))
	t.Cleanup(func() { files.Close() })

	file, err := readConfig(filepath.Join(dir, labConfig))
	if err != nil {
		t.Fatal(err)
	}
	s, err := open(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before(&s.cps.public.Server)
	ctx, stop := context.WithCancel(context.Background())
	r := &running{server: s, dir: dir, stop: stop, ended: make(chan error, 1)}
	go func() { r.ended <- s.run(ctx) }()
	t.Cleanup(stop)
	roots, err := loadPool([]string{filepath.Join(dir, labTLSRoot)})
	if err != nil {
		t.Fatal(err)
	}
	r.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}} // HTTP/1.1
	t.Cleanup(r.client.CloseIdleConnections)
	return r
}

// publication makes a good publish request whose body is given piece by piece.
func (r *running) publication(t *testing.T, body io.Reader, passports []string, key oob.Key, signer *Signer) *http.Request {
	t.Helper()
	private, err := signer.load()
	if err != nil {
		t.Fatal(err)
	}
	authorization, err := proof.Sign(private, signer.X5U, atis.WriteAccess(oob.Access{
		Action: oob.ActionPublish, Issuer: "1234", SPC: "1234", Audience: []string{"localhost"}, IssuedAt: time.Now(), ID: uuid.New(),
		Dest: key.Dest, Orig: key.Orig, Digest: atis.Digest(passports),
	}))
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), "POST", r.url()+atis.Path(key), body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	return request
}

// TestServe_DrainsWhatHasBegun: a request that had begun when the end came is answered, with its success, and the process
// ends without an error.
func TestServe_DrainsWhatHasBegun(t *testing.T) {
	begun := make(chan struct{})
	var once sync.Once
	r := startLab(t, func(s *http.Server) {
		inner := s.Handler
		s.Handler = http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { // net/http may still drop what it has not handed over
			once.Do(func() { close(begun) })
			inner.ServeHTTP(w, request)
		})
	})
	signer := &Signer{Lab: r.dir, SPC: "1234"}
	private, err := signer.load()
	if err != nil {
		t.Fatal(err)
	}
	orig, dest := number("12155550121"), number("12155550131")
	key := oob.Key{Profile: oob.Agreed, SPC: "1234", Dest: dest, Orig: orig}
	token, err := passport.Sign(private, passport.Shaken, signer.X5U, passport.Claims{
		IAT: time.Now(), Orig: orig, Dest: []tn.Identity{dest}, Attest: "A", OrigID: uuid.New(),
	})
	if err != nil {
		t.Fatal(err)
	}
	body := atis.WritePublish([]string{token})
	reader, writer := io.Pipe()
	type result struct {
		status int
		err    error
	}
	answered := make(chan result, 1)
	request := r.publication(t, reader, []string{token}, key, signer)
	go func() {
		response, err := r.client.Do(request)
		if err != nil {
			answered <- result{err: err}
			return
		}
		response.Body.Close()
		answered <- result{status: response.StatusCode}
	}()
	if _, err := writer.Write(body[:10]); err != nil { // the client has sent the header and has begun with the body
		t.Fatal(err)
	}
	<-begun
	r.stop()
	if _, err := writer.Write(body[10:]); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if got := <-answered; got.err != nil || got.status != http.StatusCreated {
		t.Errorf("a request that had begun: %d, %v", got.status, got.err)
	}
	if err := <-r.ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(r.url(), "https://")); err == nil {
		t.Error("somebody still listens")
	}
}
