package stipa

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/viaduct-oob/viaduct/internal/wholefile"
	"github.com/viaduct-oob/viaduct/stircert"
)

// fileSuffix ends the name of the file that keeps a document.
const fileSuffix = ".kept"

// restore takes up what is on disk.
func (k *Keeper[T]) restore() {
	if k.cfg.Directory == "" {
		return
	}
	body, err := wholefile.Read(filepath.Join(k.cfg.Directory, k.cfg.Name+fileSuffix), keptBytesMax(k.cfg.BytesMax))
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
	if err := wholefile.Write(k.cfg.Directory, k.cfg.Name+fileSuffix, doc.Kept); err != nil {
		k.mu.Lock()
		k.counts.diskFailures++
		k.mu.Unlock()
		k.cfg.Log.Error(k.cfg.Name+" could not be kept on disk", "error", err.Error())
	}
}
