// Package httplimit bounds what one requester can take of an HTTP server of ours: places, and the length and the time of a
// body.
//
// Knows: net/http and how it treats bodies that are slow, long or not read. Never hears of: what is asked, who asks, how a
// refusal is worded.
package httplimit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// What can be wrong with a body, for errors.Is.
var (
	ErrTooLong = errors.New("the body is too long")
	ErrTooSlow = errors.New("the body did not arrive in time")
	ErrBroken  = errors.New("the body broke off")
)

// BodyTime gives a body so long to arrive, also one that nobody is going to read: before it answers, net/http waits for
// the rest of a short one. In HTTP/2 the server keeps this time by itself (http.Server.ReadTimeout), and there a deadline
// would be a message between goroutines.
func BodyTime(w http.ResponseWriter, r *http.Request, timeout time.Duration) error {
	if r.Body == http.NoBody {
		return unlimited(w, r)
	}
	return deadline(w, r, time.Now().Add(timeout))
}

// unlimited says that the body has arrived. HTTP/1.1 watches the connection from then on, and would take a deadline for the
// end of the requester.
func unlimited(w http.ResponseWriter, r *http.Request) error { return deadline(w, r, time.Time{}) }

func deadline(w http.ResponseWriter, r *http.Request, t time.Time) error {
	if r.ProtoMajor != 1 {
		return nil
	}
	err := http.NewResponseController(w).SetReadDeadline(t)
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a recorder in a test
	}
	return err
}

// ReadBody reads a body of at most most bytes, whose length need not be declared. The error is one of those above, the
// cause wrapped with it.
func ReadBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	body, err := readAll(http.MaxBytesReader(w, r.Body, most), min(r.ContentLength, most))
	if err == nil {
		return body, unlimited(w, r)
	}
	what := ErrBroken
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		what = ErrTooLong
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		what = ErrTooSlow
	}
	return nil, fmt.Errorf("%w: %w", what, err)
}

// readAll is io.ReadAll with room for a body whose length is declared.
func readAll(r io.Reader, declared int64) ([]byte, error) {
	body := bytes.NewBuffer(make([]byte, 0, max(declared, 1<<10)+bytes.MinRead))
	_, err := body.ReadFrom(r)
	return body.Bytes(), err
}
