package natslog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// complaints is the engine's own log: warnings and worse, each kind once in a while.
type complaints struct {
	log  *slog.Logger
	once once
	last atomic.Pointer[string]

	mu     sync.Mutex
	latest []complaint // about connections; guarded by mu

	fatal atomic.Bool // the server has left off in the middle of its start
}

// complaint is one about a connection, the last of its kind.
type complaint struct {
	kind, text string
	at         time.Time
}

const (
	complaintsMost = 4                // kinds of them that are told
	complaintFresh = 15 * time.Second // for so long
)

func (c *complaints) say(level slog.Level, format string, values []any) {
	text := fmt.Sprintf(format, values...)
	if level >= slog.LevelError {
		c.last.Store(&text)
	}
	kind := format
	if i := strings.LastIndex(format, " - "); i >= 0 { // it begins with which connection complains
		kind = format[i:]
	}
	if c.once.allow(kind) {
		c.log.Log(context.Background(), level, "the engine of the log complains", "text", text)
	}
	switch {
	case strings.Contains(text, server.ErrAuthentication.Error()): // said by refuse
	case strings.Contains(text, "Error flushing"): // of a connection that was refused
	case strings.Contains(text, "Route Error 'Authorization Violation'"):
		c.note(refused, refused)
	case level >= slog.LevelError:
		c.note(kind, text)
	}
}

// refuse says why a node that came is not let in.
func (c *complaints) refuse(from net.Addr, why error) {
	if c.once.allow(why.Error()) {
		c.log.Warn("a node is refused", "from", from.String(), "error", why)
	}
	c.note(why.Error(), why.Error())
}

// note keeps a complaint for recent.
func (c *complaints) note(kind, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	c.latest = slices.DeleteFunc(c.latest, func(one complaint) bool { return one.kind == kind || now.Sub(one.at) > complaintFresh })
	if c.latest = append(c.latest, complaint{kind, text, now}); len(c.latest) > complaintsMost {
		c.latest = slices.Delete(c.latest, 0, 1)
	}
}

// recent are the complaints of the last seconds, each behind a semicolon.
func (c *complaints) recent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, one := range c.latest {
		if time.Since(one.at) <= complaintFresh {
			b.WriteString("; " + one.text)
		}
	}
	return b.String()
}

// worst is the last error.
func (c *complaints) worst() error {
	if text := c.last.Load(); text != nil {
		return errors.New(*text)
	}
	return errors.New("no reason is known")
}

func (c *complaints) Warnf(format string, values ...any)  { c.say(slog.LevelWarn, format, values) }
func (c *complaints) Errorf(format string, values ...any) { c.say(slog.LevelError, format, values) }

// Fatalf is where a server that is a program of its own would end.
func (c *complaints) Fatalf(format string, values ...any) {
	c.fatal.Store(true)
	c.say(slog.LevelError, format, values)
}

func (c *complaints) Noticef(string, ...any) {}
func (c *complaints) Debugf(string, ...any)  {}
func (c *complaints) Tracef(string, ...any)  {}
