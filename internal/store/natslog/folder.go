package natslog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/wholefile"
)

// Beside what the engine writes, two files lie in the directory of a node. A node that took the copy of another, with what that
// has voted, or shared it, would break the agreement of all.
const (
	lockFile = "lock" // is locked as long as a process uses the directory
	nodeFile = "node" // says whose it is, and whether that was alone, in which case the others could not make the log of all with it
)

const (
	aloneWord   = " alone"
	severalWord = " of several"
)

// claim takes the directory for this node, until release. The error says who has it.
func claim(dir, node string, alone bool) (release func(), err error) {
	self := node + severalWord
	if alone {
		self = node + aloneWord
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	release = func() { _ = lock.Close() } // which unlocks it
	if err := lockWhole(lock); err != nil {
		release()
		return nil, fmt.Errorf("%s: another process uses it: %w", dir, err)
	}
	text, err := wholefile.Read(filepath.Join(dir, nodeFile), 256)
	owner := strings.TrimSuffix(string(text), "\n")
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && (owner == node || !isNode(owner)): // new, of an earlier version, or damaged like the log may be, which heals itself
		err = wholefile.Write(dir, nodeFile, []byte(self+"\n"))
	case err == nil && owner == node+aloneWord && !alone:
		err = fmt.Errorf("%s: is the log of this node when it was alone: remove the directory; what it held is forgotten", dir)
	case err == nil && owner == node+severalWord && alone:
		err = fmt.Errorf("%s: is the log of this node when it was one of several: remove the directory; what it held is forgotten", dir)
	case err == nil && owner != self:
		err = fmt.Errorf("%s: belongs to node %s; a node starts with an empty directory, and never with that of another", dir, whose(owner))
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// whose is the name of the node in what the file says.
func whose(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, aloneWord), severalWord)
}

// isNode tells whether a text could be what the file says.
func isNode(text string) bool {
	site, node, _ := strings.Cut(whose(text), "/")
	return nameForm.MatchString(site) && nameForm.MatchString(node)
}
