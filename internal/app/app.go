// Package app is where everything meets: configuration, wiring, the life of the process, and what each command does.
//
// Knows: all rooms, files, signals, terminals. Nothing imports it but cmd/viaduct and tests, so that no other room can
// come to know them.
//
// serve.go is the server: config.go what its file says, check.go and configfaults.go what of that is wrong. demo.go and
// country.go are the demonstration. The other files are one command each; their structs carry the command line in their
// tags.
//
// # Failures
//
// A command returns an error for the person who typed it: one sentence, a hint where there is one. [ErrNegative] stands
// for an answer that is a no, such as a token that does not verify: it has been printed, and only the exit status is
// left to say.
package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"unicode"
	"unicode/utf8"

	"github.com/viaduct-oob/viaduct/internal/logline"
)

// ErrNegative is returned by a command that has printed an answer, and the answer is no.
var ErrNegative = errors.New("no")

// Streams are what a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// StandardStreams are those of the process. What is written goes through a filter: tokens, certificates and what peers say
// may hold characters that a terminal obeys.
func StandardStreams() *Streams {
	return &Streams{In: os.Stdin, Out: plainWriter{os.Stdout}, Err: plainWriter{os.Stderr}}
}

// plainWriter writes printable characters, line ends and tabs; anything else as a question mark.
type plainWriter struct{ io.Writer }

// Write counts what it was given.
func (w plainWriter) Write(p []byte) (int, error) {
	text := bytes.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && r != utf8.RuneError {
			return r
		}
		return '?'
	}, p)
	if _, err := w.Writer.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// noteLog refuses a level and a format that do not exist.
func noteLog(c LogConfig, note func(string, error)) {
	var level slog.Level
	if level.UnmarshalText([]byte(c.Level)) != nil {
		note("$.log.level", errors.New("is one of debug, info, warn, error"))
	}
	if c.Format != "json" && c.Format != "text" {
		note("$.log.format", errors.New("is json or text"))
	}
}

// newLogger makes the process's logger, of what noteLog has let pass.
func newLogger(c LogConfig, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
	}
	return slog.New(logline.New(w, level)), nil
}
