package trust

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// fileBytesMax bounds a file of the disk cache: three lines of text and a chain.
const fileBytesMax = stircert.ChainBytesMax + X5UBytesMax + 1024

// fileSuffix ends the names of our files, after the hexadecimal SHA-256 of the URL; newSuffix, of those half written.
const (
	fileSuffix = ".chain.pem"
	newSuffix  = ".chain.new"
)

// disk keeps the cache across restarts: a file for each URL, with the PEM chain under three lines of text. Files
// come into being whole or not at all, and are readable by their owner alone.
type disk struct{ directory string }

func fileName(x5u string) string {
	hash := sha256.Sum256([]byte(x5u))
	return hex.EncodeToString(hash[:]) + fileSuffix
}

// replace writes the file of an entry and removes those of the URLs that made room for it.
func (d *disk) replace(entry *cached, evicted []string) error {
	var failed error
	for _, x5u := range evicted {
		if err := os.Remove(filepath.Join(d.directory, fileName(x5u))); !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, d.write(fileName(entry.credential.X5U), entryText(entry)))
}

func (d *disk) write(name string, content []byte) error {
	f, err := os.CreateTemp(d.directory, "*"+newSuffix) // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.directory, name))
	}
	if err != nil {
		os.Remove(f.Name()) // the first error counts
	}
	return err
}

func entryText(entry *cached) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "x5u: %s\nfetched: %s\nfresh: %s\n\n", entry.credential.X5U,
		entry.credential.Fetched.UTC().Format(time.RFC3339), entry.fresh.UTC().Format(time.RFC3339))
	pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: entry.chain.Leaf.Raw}) // a Buffer does not fail
	for _, other := range entry.chain.others {
		pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: []byte(other.Value())})
	}
	return b.Bytes()
}

// load reads the directory into the cache. Of our files, those that are broken, expired or too many are removed;
// files that are not ours are left alone.
func (v *Verifier) load(directory string) error {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	v.disk = &disk{directory: directory}
	files, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	now := v.now()
	for _, file := range files {
		ours := strings.HasSuffix(file.Name(), fileSuffix) || strings.HasSuffix(file.Name(), newSuffix)
		if !ours || !file.Type().IsRegular() {
			continue
		}
		entry, err := v.readEntry(directory, file.Name(), now)
		if err == nil && v.cache.hasRoom(entry) {
			entry.proven.Store(true) // or it would not have been written
			v.cache.put(entry, now)
			continue
		}
		if err := os.Remove(filepath.Join(directory, file.Name())); err != nil {
			v.counters.diskFailures.Add(1)
		}
	}
	return nil
}

var errFile = errors.New("not a file of the certificate cache")

// readEntry reads one file as if an enemy had written it: the rules for x5u's hold, the certificate must still be
// valid, times are not believed beyond what a fetch could have given, and the chain is judged when it is first used.
func (v *Verifier) readEntry(directory, name string, now time.Time) (*cached, error) {
	content, err := readFile(filepath.Join(directory, name), fileBytesMax)
	if err != nil {
		return nil, err
	}
	x5u, fetched, fresh, err := readHead(content)
	if err != nil {
		return nil, err
	}
	s, err := v.repository.parseX5U(x5u)
	if err != nil || name != fileName(x5u) {
		return nil, errFile
	}
	_, body, _ := bytes.Cut(content, []byte("\n\n"))
	certs, err := stircert.ParseChainPEM(body)
	if err != nil {
		return nil, err
	}
	chain := NewChain(certs)
	if now.After(chain.Leaf.NotAfter) || fetched.After(now) || fresh.After(fetched.Add(CacheLifetimeMax)) {
		return nil, errFile
	}
	return newCached(s, chain, fetched, fresh), nil
}

func readHead(content []byte) (x5u string, fetched, fresh time.Time, err error) {
	lines := bufio.NewScanner(bytes.NewReader(content))
	next := func(name string) string {
		lines.Scan()
		value, found := strings.CutPrefix(lines.Text(), name+": ")
		if !found {
			err = errFile
		}
		return value
	}
	x5u = next("x5u")
	fetched, errFetched := time.Parse(time.RFC3339, next("fetched"))
	fresh, errFresh := time.Parse(time.RFC3339, next("fresh"))
	return x5u, fetched, fresh, errors.Join(err, errFetched, errFresh)
}
