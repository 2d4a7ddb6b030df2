package discovery

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// FileBytesMax bounds a provisioned file.
const FileBytesMax = 2 << 30

// File is the Source that an operator has written: a [Table] in a file. It is safe for concurrent use.
type File struct {
	path string
	held atomic.Pointer[loaded]
}

type loaded struct {
	table   *Table
	changed time.Time
}

// NewFile loads a file.
func NewFile(path string) (*File, error) {
	f := &File{path: path}
	if err := f.Load(); err != nil {
		return nil, err
	}
	return f, nil
}

// Load reads the file anew. It is taken whole or, with an error, not at all: what was read before stays.
func (f *File) Load() error {
	file, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("table of CPSs: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("table of CPSs: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file", f.path)
	}
	content := &io.LimitedReader{R: file, N: FileBytesMax + 1}
	table, err := ParseTable(content)
	switch {
	case content.N == 0: // a line may have been cut, and would be wrong or right
		return fmt.Errorf("%s: more than %d bytes", f.path, int64(FileBytesMax))
	case err != nil:
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.held.Store(&loaded{table, info.ModTime()})
	return nil
}

// Len is the count of rows in use.
func (f *File) Len() int { return f.held.Load().table.Len() }

// Name implements [Source].
func (f *File) Name() string { return "file" }

// errNotInFile is made once: it is the answer to most questions.
var errNotInFile = Nothing("the file has no row for it")

// Find implements [Source]. It does not wait.
func (f *File) Find(_ context.Context, q Question) (Finding, error) {
	held := f.held.Load()
	urls, resource := held.table.Find(q.Number, q.SPC)
	if urls == nil {
		return Finding{}, errNotInFile
	}
	return Finding{URLs: urls, Resource: resource, Signer: filepath.Base(f.path), Issued: held.changed}, nil
}
