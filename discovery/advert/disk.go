package advert

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/internal/wholefile"
)

// fileSuffix ends the names of our files; before it stands whose set of resources it is.
const fileSuffix = ".advert"

func fileName(id setID) string { return hex.EncodeToString(id[:]) + fileSuffix }

// keep writes an advertisement to disk. That it fails is counted, and costs what its source does not serve any more.
func (b *Book) keep(checked *Checked) {
	if b.cfg.Directory == "" {
		return
	}
	name := fileName(checked.id)
	b.failed(wholefile.Write(b.cfg.Directory, name, []byte(checked.compact)))
}

// drop takes a file away whose number is not worth remembering.
func (b *Book) drop(id setID) {
	if b.cfg.Directory == "" {
		return
	}
	if err := os.Remove(filepath.Join(b.cfg.Directory, fileName(id))); !errors.Is(err, fs.ErrNotExist) {
		b.failed(err)
	}
}

func (b *Book) failed(err error) {
	if err == nil {
		return
	}
	b.mu.Lock()
	b.stats.DiskFailures++
	b.mu.Unlock()
	b.cfg.Log.Error("advertisements on disk", "error", err.Error())
}

// load takes up what is on disk, judging each as if it had just come. Of our files, those that are not good are removed,
// and those whose signer cannot be reached are left for later; others are left alone.
func (b *Book) load(ctx context.Context) error {
	if b.cfg.Directory == "" {
		return nil
	}
	files, err := os.ReadDir(b.cfg.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasSuffix(file.Name(), fileSuffix) && file.Type().IsRegular() {
			b.waiting = append(b.waiting, file.Name())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	b.retry(ctx)
	return nil
}

// askTime is for how long the hosts of signers of what is on disk are asked at a time: those that hang hold up neither the start nor
// what is done every BookConfig.Recheck.
const askTime = time.Second

// retry takes up the files that wait. Nobody else waits for the hosts that it asks.
func (b *Book) retry(ctx context.Context) {
	b.taking.Lock()
	waiting := b.waiting
	b.taking.Unlock()
	var left []string
	for _, name := range waiting {
		checked, err := b.recall(ctx, name)
		b.taking.Lock()
		if err == nil {
			_, err = b.take(checked)
			checked.shed()
		}
		switch {
		case err == nil || errors.Is(err, Backwards) || b.holds(name): // a newer one has come meanwhile, under the same name
		case errors.Is(err, Unreachable) || errors.Is(err, Full):
			left = append(left, name)
		default:
			b.refuse(0, err)
			b.failed(os.Remove(filepath.Join(b.cfg.Directory, name)))
		}
		b.taking.Unlock()
	}
	b.taking.Lock()
	defer b.taking.Unlock()
	if len(left) < len(waiting) {
		b.rebuild()
	}
	b.waiting = left
}

// holds reports whether the set of a file is known.
func (b *Book) holds(name string) bool {
	var id setID
	if n, err := hex.Decode(id[:], []byte(strings.TrimSuffix(name, fileSuffix))); err != nil || n != len(id) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sets[id] != nil
}

// recall reads one file. One that has expired is good for its number.
func (b *Book) recall(ctx context.Context, name string) (*Checked, error) {
	content, err := wholefile.Read(filepath.Join(b.cfg.Directory, name), BytesMax)
	if err != nil {
		return nil, err
	}
	signed, err := Parse(string(content))
	if err != nil {
		return nil, err
	}
	checked, err := b.cfg.Checker.recall(ctx, signed)
	if err == nil && name != fileName(checked.id) {
		return nil, Malformed
	}
	return checked, err
}
