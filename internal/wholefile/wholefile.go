// Package wholefile writes files that come into being whole or not at all, and reads files that may be anything.
//
// Knows: names and bytes. Never hears of: what is in them.
package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// NewSuffix ends the name of a file that is half written.
const NewSuffix = ".new"

// Write writes a file that comes into being whole or not at all, readable by its owner alone, and makes its directory. One
// file must not be written by two at a time.
func Write(directory, name string, content []byte) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	half := filepath.Join(directory, name+NewSuffix)
	// One name, so that what a crash leaves is written over; removed first, so that it is a new file and no link.
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync() // or a power failure could leave an empty file under the name, and with it no number to go by
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(half, filepath.Join(directory, name))
	}
	if err != nil {
		os.Remove(half) // the first error counts
	}
	return err
}

// Read reads a file that is one, of at most bytesMax: to open a pipe could take for ever.
func Read(name string, bytesMax int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if info.Size() > bytesMax {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("more than %d bytes", bytesMax)}
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, bytesMax)) // it may have grown; what is cut off is judged like what is broken
}
