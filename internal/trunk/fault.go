package trunk

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong with a table.
type Fault struct {
	Row   int    // index of the row; -1 for the table as a whole
	Field string // as configurations name it: "mode", "match.sources[1]", "attest", "numbering.home_npa"; empty for the row as a whole
	Text  string
}

// Faults are all that is wrong with a table.
type Faults []Fault

// Error lists them all, in one line each.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		if lines[i] = fmt.Sprintf("row %d, %s: %s", fault.Row+1, fault.Field, fault.Text); fault.Row < 0 {
			lines[i] = fault.Text
		}
	}
	return strings.Join(lines, "\n")
}

// say adds a fault.
func (f *Faults) say(row int, field, format string, args ...any) {
	*f = append(*f, Fault{Row: row, Field: field, Text: fmt.Sprintf(format, args...)})
}
