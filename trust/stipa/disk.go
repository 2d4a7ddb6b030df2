package stipa

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/viaduct-oob/viaduct/stircert"
)

// fileSuffix ends the name of the file that keeps a document; newSuffix, of one half written.
const (
	fileSuffix = ".kept"
	newSuffix  = ".kept.new"
)

// restore takes up what is on disk.
func (k *Keeper[T]) restore() {
	if k.cfg.Directory == "" {
		return
	}
	body, err := readRegular(filepath.Join(k.cfg.Directory, k.cfg.Name+fileSuffix), keptBytesMax(k.cfg.BytesMax))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	k.turn.Lock()
	defer k.turn.Unlock()
	if err == nil {
		err = k.resume(body)
	} else {
		err = fmt.Errorf("%w: %w", Unreachable, err)
	}
	if err != nil {
		k.refuse(fmt.Errorf("kept on disk: %w", err))
	}
}

// keptBytesMax bounds a file: a document, and the chain of its signer.
func keptBytesMax(bytesMax int64) int64 { return bytesMax + stircert.ChainBytesMax }

// keep writes a document to disk. That it fails is counted, and costs a fetch after the next start.
func (k *Keeper[T]) keep(doc *Document[T]) {
	if k.cfg.Directory == "" {
		return
	}
	if err := writeWhole(k.cfg.Directory, k.cfg.Name, doc.Kept); err != nil {
		k.mu.Lock()
		k.counts.diskFailures++
		k.mu.Unlock()
		k.cfg.Log.Error(k.cfg.Name+" could not be kept on disk", "error", err.Error())
	}
}

// writeWhole writes a file that comes into being whole or not at all, readable by its owner alone.
func writeWhole(directory, name string, content []byte) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	half := filepath.Join(directory, name+newSuffix)
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
		err = os.Rename(half, filepath.Join(directory, name+fileSuffix))
	}
	if err != nil {
		os.Remove(half) // the first error counts
	}
	return err
}
