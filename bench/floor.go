package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// sizes make the floor's work as long as the subject's: bytes under each signature, bytes of each answer.
type sizes struct {
	PublishToken, Passport, RetrieveToken int
	PublishAnswer, RetrieveAnswer         int
}

// floor reads the request, verifies as many signatures as a CPS has to, and answers. It parses nothing and stores nothing.
type floor struct {
	onPublish, onRetrieve []*signed
	created, found        []byte
}

// signed is messages of one length, each with a signature under a key of its own, as a CPS sees many keys in turn.
type signed struct {
	turn  atomic.Uint64
	cases [providers]struct {
		key       *ecdsa.PublicKey
		message   []byte
		signature []byte
	}
}

func startFloor() (hello, io.Closer, error) {
	var s sizes
	if err := json.Unmarshal([]byte(os.Getenv(sizesVariable)), &s); err != nil {
		return hello{}, nil, err
	}
	handler := &floor{created: bytes.Repeat([]byte("x"), s.PublishAnswer), found: bytes.Repeat([]byte("x"), s.RetrieveAnswer)}
	for _, m := range []struct {
		length int
		to     *[]*signed
	}{{s.PublishToken, &handler.onPublish}, {s.Passport, &handler.onPublish}, {s.RetrieveToken, &handler.onRetrieve}} {
		messages, err := newSigned(m.length)
		if err != nil {
			return hello{}, nil, err
		}
		*m.to = append(*m.to, messages)
	}
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		return hello{}, nil, err
	}
	files, err := pki.IssueTLS("127.0.0.1")
	if err != nil {
		return hello{}, nil, err
	}
	certificate, err := files.Certificate()
	if err != nil {
		return hello{}, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return hello{}, nil, err
	}
	server := httpapi.NewServer(handler, 0, func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &certificate, nil },
		slog.New(slog.DiscardHandler))
	go server.ServeTLS(listener, "", "") // returns when Close is called
	return hello{URL: "https://" + listener.Addr().String(), TLSRootPEM: pki.TLSRootPEM()}, server, nil
}

func newSigned(length int) (*signed, error) {
	s := &signed{}
	for i := range s.cases {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		c := &s.cases[i]
		c.key, c.message = &key.PublicKey, make([]byte, length)
		_, _ = rand.Read(c.message) // never fails: crypto/rand
		digest := sha256.Sum256(c.message)
		if c.signature, err = ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// verify verifies the next message in turn.
func (s *signed) verify() bool {
	c := &s.cases[s.turn.Add(1)%providers]
	digest := sha256.Sum256(c.message)
	return ecdsa.VerifyASN1(c.key, digest[:], c.signature)
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	messages, status, answer := f.onRetrieve, http.StatusOK, f.found
	if r.Method == http.MethodPost {
		messages, status, answer = f.onPublish, http.StatusCreated, f.created
	}
	if _, err := io.ReadAll(r.Body); err != nil {
		return
	}
	for _, m := range messages {
		if !m.verify() {
			status = http.StatusUnauthorized
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // whoever has gone away is counted by the load generator
}
