package app

import (
	"fmt"
	"io"
	"os"
)

// pemFileBytesMax bounds a file of roots, of signers, or of a private key.
const pemFileBytesMax = 1 << 20

// readFile reads a file of at most max bytes. What is longer is refused before it is read to its end, which a device does
// not have. The error names the file.
func readFile(name string, max int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, max+1))
	if err != nil {
		return nil, plain(err)
	}
	if int64(len(content)) > max {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, max)
	}
	return content, nil
}
