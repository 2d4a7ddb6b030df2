package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// errand is what a floor has to know: whose keys verify, and how long its answers are to be.
type errand struct {
	Providers                []provider
	PublishAnswer, Retrieved int  // bytes of the answers: of a publication all, of a retrieval the PASSporT in it
	Bare                     bool // see floor
}

// floor is the least that a server in Go does who is asked what a CPS is asked: it reads the request, takes the tokens apart,
// verifies each with crypto/ecdsa and a key that it has at hand, decodes the JSON of the body and of both payloads with
// encoding/json, and answers; what it retrieves it writes with encoding/json. It stores, looks up, compares and logs nothing,
// and checks neither claims nor certificates. A bare one does not even decode JSON.
type floor struct {
	errand
	keys    map[string]*ecdsa.PublicKey // by x5u
	headers sync.Map                    // header segment → *ecdsa.PublicKey: a header is read once
	created []byte

	mu   sync.Mutex
	took []float64 // each verification of late, in µs; guarded by mu
}

// tookPath answers how long a verification took of late. It is the median, which a verification that was interrupted does
// not move.
const tookPath = "/took"

// tookMost is how many verifications are remembered.
const tookMost = 1 << 12

func startFloor() (hello, io.Closer, error) {
	handler := &floor{took: make([]float64, 0, tookMost), keys: map[string]*ecdsa.PublicKey{}}
	if err := json.Unmarshal([]byte(os.Getenv(errandVariable)), &handler.errand); err != nil {
		return hello{}, nil, err
	}
	for _, p := range handler.Providers {
		id, err := p.identity()
		if err != nil {
			return hello{}, nil, err
		}
		handler.keys[p.X5U] = &id.Key.PublicKey
	}
	handler.created = bytes.Repeat([]byte("x"), handler.PublishAnswer)
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

// claims are those that a CPS has to know of an access token or a PASSporT.
type claims struct {
	IAT, Exp                              int64
	Action, Iss, Aud, JTI, SPC, Passports string
	Attest, OrigID                        string
	Dest                                  struct{ TN []string }
	Orig                                  struct{ TN string }
}

// accept verifies one token and reads its claims.
func (f *floor) accept(compact string) (c claims, err error) {
	header, rest, _ := strings.Cut(compact, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	key, err := f.keyOf(header)
	if err != nil {
		return c, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		return c, err
	}
	digest := sha256.Sum256([]byte(compact[:len(header)+1+len(payload)]))
	began := time.Now()
	if !jws.VerifyES256(key, digest[:], raw) {
		return c, errors.New("a signature that does not verify")
	}
	f.note(time.Since(began))
	if f.Bare {
		return c, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

func (f *floor) keyOf(segment string) (*ecdsa.PublicKey, error) {
	if key, ok := f.headers.Load(segment); ok {
		return key.(*ecdsa.PublicKey), nil
	}
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil, err
	}
	var header struct{ X5U string }
	if err := json.Unmarshal(text, &header); err != nil {
		return nil, err
	}
	key := f.keys[header.X5U]
	if key == nil {
		return nil, errors.New("a token of nobody")
	}
	f.headers.Store(segment, key)
	return key, nil
}

func (f *floor) note(took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.took) < tookMost {
		f.took = append(f.took, float64(took.Nanoseconds())/1e3)
	}
}

// lately is the median since it was last asked.
func (f *floor) lately() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	said := fmt.Append(nil, median(f.took))
	f.took = f.took[:0]
	return said
}

// passports is the body of a publication and of a retrieval.
type passports struct {
	Passports []string `json:"passports"`
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, answer := http.StatusCreated, f.created
	switch {
	case r.URL.Path == tookPath:
		status, answer = http.StatusOK, f.lately()
	case r.Method == http.MethodGet:
		if _, err = f.accept(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")); err == nil {
			status = http.StatusOK
			answer, err = json.Marshal(passports{[]string{strings.Repeat("x", f.Retrieved)}})
		}
	default:
		err = f.publish(r.Header.Get("Authorization"), body)
	}
	if err != nil {
		status = http.StatusUnauthorized
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(answer) // whoever has gone away is counted by the load generator
}

// publish verifies the access token, if there is one, and the one PASSporT of a body, which is JSON beside an access token
// and the PASSporT itself without.
func (f *floor) publish(authorization string, body []byte) error {
	compact := string(body)
	if authorization != "" {
		if _, err := f.accept(strings.TrimPrefix(authorization, "Bearer ")); err != nil {
			return err
		}
		if f.Bare {
			compact = strings.TrimSuffix(strings.TrimPrefix(compact, `{"passports":["`), `"]}`)
		} else {
			var list passports
			if err := json.Unmarshal(body, &list); err != nil {
				return err
			}
			if len(list.Passports) != 1 {
				return errors.New("not one PASSporT")
			}
			compact = list.Passports[0]
		}
	}
	_, err := f.accept(compact)
	return err
}
