package trace

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/backlog"
)

// LinesConfig has each record written as a line of JSON, as View says. A record whose verdict is withdrawn later is
// written once more, with the same id and the member withdrawn.
type LinesConfig struct {
	Path   string    // of a file, which is appended to and made with mode 0600 if need be
	Writer io.Writer // instead of a file
	Role   Role      // what the readers of the file may see; default Masked
}

const (
	linesTogether = 64 << 10    // bytes that are written at once where many records wait
	linesRetry    = time.Second // between two attempts to write, such as to a full disk
)

// LinesStats are the counters of the JSON lines since Open.
type LinesStats struct {
	Written uint64 // records
	Dropped uint64 // records that were lost because others could not be written
	Errors  uint64 // attempts to write, or to open the file again, that failed
}

// lines is the output to a file. What cannot be written is tried again, while the records behind it wait and, where they
// become too many, are dropped.
type lines struct {
	cfg   LinesConfig
	queue *backlog.Queue[[]byte]

	written, errors atomic.Uint64

	mu   sync.Mutex
	file io.Writer // guarded by mu
}

func openLines(cfg LinesConfig) (*lines, error) {
	if (cfg.Path == "") == (cfg.Writer == nil) {
		return nil, errors.New("they go to a path or to a writer")
	}
	l := &lines{cfg: cfg, queue: backlog.New[[]byte](), file: cfg.Writer}
	return l, l.reopen()
}

// reopen opens the path anew, after a rotation for instance. When it cannot be opened, the old file goes on being used.
func (l *lines) reopen() error {
	if l.cfg.Path == "" {
		return nil
	}
	file, err := os.OpenFile(l.cfg.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		l.errors.Add(1)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFile()
	l.file = file
	return nil
}

// closeFile closes what reopen has opened. The caller holds the lock.
func (l *lines) closeFile() {
	if file, ok := l.file.(*os.File); ok && l.cfg.Path != "" {
		file.Close()
	}
}

func (l *lines) offer(_ *Record, line func(Role) []byte) {
	text := line(l.cfg.Role)
	l.queue.Add(text, len(text))
}

func (l *lines) Run() {
	defer l.queue.Done()
	for {
		text, ok := l.queue.Take()
		if !ok {
			break
		}
		batch, records := append(append([]byte(nil), text...), '\n'), uint64(1)
		for len(batch) < linesTogether {
			if text, ok = l.queue.Poll(); !ok {
				break
			}
			batch, records = append(append(batch, text...), '\n'), records+1
		}
		if l.write(batch) {
			l.written.Add(records)
		} else {
			l.queue.Lose(records)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFile()
}

// write tries until all is written or there is no more time. Of a line that was written in part, the rest follows, so
// that no line is torn, unless the file was opened anew in between: then the whole batch goes to the new one.
func (l *lines) write(batch []byte) bool {
	rest, into := batch, io.Writer(nil)
	for {
		l.mu.Lock()
		if l.file != into {
			rest, into = batch, l.file
		}
		n, err := into.Write(rest)
		l.mu.Unlock()
		rest = rest[min(max(n, 0), len(rest)):]
		if len(rest) == 0 {
			return true
		}
		if err != nil || n == 0 {
			l.errors.Add(1)
			select {
			case <-time.After(linesRetry):
			case <-l.queue.Context().Done():
				return false
			}
		}
	}
}

func (l *lines) Close(ctx context.Context) error { return l.queue.Close(ctx) }

func (l *lines) stats() LinesStats {
	return LinesStats{Written: l.written.Load(), Dropped: l.queue.Dropped(), Errors: l.errors.Load()}
}
