// Package httplimit bounds what one requester can take of an HTTP server of ours: places, and the length and the time of a
// body.
//
// Knows: net/http and how it treats bodies that are slow, long or not read. Never hears of: what is asked, who asks, how a
// refusal is worded.
package httplimit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
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
// would be a message between goroutines. Once the body is there, or where there is none, HTTP/1.1 watches the connection, would
// take a deadline for the end of the requester, and so lifts it by itself.
func BodyTime(w http.ResponseWriter, r *http.Request, timeout time.Duration) error {
	if r.Body == http.NoBody || r.ProtoMajor != 1 {
		return nil
	}
	err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout))
	if errors.Is(err, http.ErrNotSupported) {
		return nil // a recorder in a test
	}
	return err
}

// ReadBody reads a body of at most most bytes, whose length need not be declared, into room where there is enough of it. The
// error is one of those above, the cause wrapped with it.
func ReadBody(w http.ResponseWriter, r *http.Request, most int64, room []byte) ([]byte, error) {
	from := r.Body
	if r.ContentLength < 0 || r.ContentLength > most {
		from = http.MaxBytesReader(w, from, most) // which closes the connection too, where more than that comes
	}
	body, err := readAll(from, slices.Grow(room[:0], int(max(0, min(r.ContentLength, most)))+1), most)
	if err == nil {
		return body, nil
	}
	what := ErrBroken
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		what = ErrTooLong
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		what = ErrTooSlow
	}
	return nil, fmt.Errorf("%w: %w", what, err)
}

// readAll is io.ReadAll into room.
func readAll(r io.Reader, room []byte, most int64) ([]byte, error) {
	for body := room; ; {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > most:
			return nil, &http.MaxBytesError{Limit: most}
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = slices.Grow(body, readMore)
		}
	}
}

// readMore is how much room is added for a body whose length is not declared.
const readMore = 1 << 10
