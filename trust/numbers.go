package trust

import (
	"fmt"
	"io"
	"os"

	"github.com/viaduct-oob/viaduct/stircert"
)

// NumberFileBytesMax bounds a file of number data.
const NumberFileBytesMax = 1 << 30

// LoadNumberData reads what is known of whose numbers are whose from a regular file, as stircert.ParseNumberData has
// it.
func LoadNumberData(name string) (*stircert.NumberData, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("number data: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("number data: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", name)
	case info.Size() > NumberFileBytesMax:
		return nil, fmt.Errorf("%s: more than %d bytes", name, NumberFileBytesMax)
	}
	data, err := stircert.ParseNumberData(io.NewSectionReader(f, 0, info.Size())) // one that grows meanwhile has an end
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
