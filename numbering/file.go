package numbering

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// errNoRows refuses a file that says nothing: it is one that is about to be written, or should not have been.
var errNoRows = errors.New("the file of numbers has no rows")

// FileConfig says where numbers are read.
type FileConfig struct {
	Name string // as stircert.ParseNumberData has it, at most trust.NumberFileBytesMax
	// Poll is how often to look whether the file has another size, time or inode. It is loaded when it has stayed the same from
	// one look to the next, so that one that is being written is left alone; whoever replaces it by renaming is safe anyway.
	// 0 for never: Reload does it then.
	Poll time.Duration
	Note func(FileState) // told of each load that polling has led to; nil for nobody
}

// FileState tells what is in use, and what was wrong with the last load if it failed.
type FileState struct {
	Rows   int       // different ones
	Loaded time.Time // when what is in use was loaded
	Took   time.Duration
	Fault  error     // of the last load, with the line if it is one line's; nil when what is in use is the last that was tried
	Failed time.Time // when that was
}

// File answers from a file in memory, in less than a microsecond, and never fails. A row takes 24 bytes; while a new file is
// loaded, both it and the old one are in memory. A file that cannot be used leaves the one before in use.
type File struct {
	config FileConfig
	data   atomic.Pointer[stircert.NumberData]

	loading sync.Mutex  // one at a time, for two would be three in memory
	seen    fs.FileInfo // of the file that was last tried; guarded by loading

	mu    sync.Mutex
	state FileState // guarded by mu

	closing chan struct{}
	running sync.WaitGroup
}

// OpenFile loads a file. Close ends the polling.
func OpenFile(cfg FileConfig) (*File, error) {
	f := &File{config: cfg, closing: make(chan struct{})}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	if cfg.Poll > 0 {
		f.running.Go(f.poll)
	}
	return f, nil
}

// Close ends the polling. What is loaded is still given.
func (f *File) Close() {
	close(f.closing)
	f.running.Wait()
}

// SPCs implements oob.Numbering. The slice is shared and not to be changed.
func (f *File) SPCs(_ context.Context, n tn.Number) ([]string, error) {
	if spcs := f.data.Load().SPCs(n); len(spcs) > 0 {
		return spcs, nil
	}
	return nil, unknown()
}

// Reload loads the file again, now. On an error, what was in use stays so.
func (f *File) Reload() error {
	f.loading.Lock()
	defer f.loading.Unlock()
	f.seen, _ = os.Stat(f.config.Name) // before it is read: a later change is another one
	return f.load()
}

// load reads the file. The caller holds loading.
func (f *File) load() error {
	begun := time.Now()
	data, err := trust.LoadNumberData(f.config.Name)
	if err == nil && data.Rows() == 0 {
		err = errNoRows
	}
	now := time.Now()
	f.mu.Lock()
	if err != nil {
		f.state.Fault, f.state.Failed = err, now
	} else {
		f.state = FileState{Rows: data.Rows(), Loaded: now, Took: now.Sub(begun)}
	}
	f.mu.Unlock()
	if err == nil {
		f.data.Store(data)
	}
	// The collector would wait until there is much more to collect, and the next load would come on top of it.
	debug.FreeOSMemory()
	return err
}

// State tells what is in use.
func (f *File) State() FileState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

func (f *File) poll() {
	tick := time.NewTicker(f.config.Poll)
	defer tick.Stop()
	var last fs.FileInfo
	for {
		select {
		case <-f.closing:
			return
		case <-tick.C:
			last = f.look(last)
		}
	}
}

// look loads the file if it is another than the one that was tried, and the same as at the last look. It gives what it has
// seen.
func (f *File) look(last fs.FileInfo) fs.FileInfo {
	info, err := os.Stat(f.config.Name)
	if err != nil { // between a removal and the new file, or for good
		info = nil
	}
	f.loading.Lock()
	defer f.loading.Unlock()
	if same(info, f.seen) || !same(info, last) {
		return info
	}
	f.seen = info
	_ = f.load() // the state has it
	if f.config.Note != nil {
		f.config.Note(f.State())
	}
	return info
}

// same reports whether two looks have seen the same file, or both none.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && os.SameFile(a, b)
}
