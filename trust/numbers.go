package trust

import (
	"fmt"
	"io"
	"os"

	"github.com/viaduct-oob/viaduct/stircert"
)

// NumberFileBytesMax bounds a file of number data.
const NumberFileBytesMax = 1 << 30

// LoadNumberData reads what is known of whose numbers are whose from a file, as stircert.ParseNumberData has it.
func LoadNumberData(name string) (*stircert.NumberData, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("number data: %w", err)
	}
	defer f.Close()
	content := &io.LimitedReader{R: f, N: NumberFileBytesMax + 1}
	data, err := stircert.ParseNumberData(content)
	switch {
	case content.N == 0: // a line may have been cut, and would be wrong or right
		return nil, fmt.Errorf("%s: more than %d bytes", name, NumberFileBytesMax)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}
