// Package conformance holds, for each document that Viaduct follows, the table of what it asks for, and the tests that show
// it.
//
// A table is conformance/DOCUMENT/requirements.tsv: one requirement a line, in words of our own, with the test that shows it.
// The tests stand beside the table, or beside the code that they test. docs/CONFORMANCE.md is generated from the tables.
//
// A MUST is tested, or the table says why not. Nothing is tested by a test that does not exist.
package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:generate go run ./gen

// State is how a requirement stands.
type State string

// The states. All but Tested need a reason.
const (
	Tested        State = "tested"
	Waived        State = "waived"         // known not to be met
	NotApplicable State = "not-applicable" // asks something of a part that we are not
	Later         State = "later"          // the code or the test is yet to come
)

// Requirement is one line of a table.
type Requirement struct {
	ID      string // stable: RFC8225-07, ATIS96-07
	Section string // of the document: §5.2.1
	Level   string // MUST, SHOULD, MAY; or CHOICE: the document leaves it open, or its text is not public, and we decided
	Text    string // in words of our own; it begins with who must do it
	Tests   []Test // what shows it, or will
	State   State
	Reason  string
}

// Test names a test function.
type Test struct {
	Dir  string // folder, from the root of the module
	Name string
}

// String is how a table names the test: TestX beside the table, or dir.TestX.
func (t Test) String() string { return t.Dir + "." + t.Name }

// Table is the requirements of one document.
type Table struct {
	Dir          string // folder, from the root of the module
	Document     string // RFC 8225
	Note         string // what a reader should know first
	Requirements []Requirement
}

var columns = []string{"id", "section", "level", "requirement", "tests", "state", "reason"}

// ReadTables reads every table below root/conformance, in the order of their folders.
func ReadTables(root string) ([]Table, error) {
	paths, err := filepath.Glob(filepath.Join(root, "conformance", "*", "requirements.tsv"))
	if err != nil {
		return nil, err
	}
	var tables []Table
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		dir := "conformance/" + filepath.Base(filepath.Dir(path))
		table, err := parseTable(dir, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s/requirements.tsv: %w", dir, err)
		}
		tables = append(tables, table)
	}
	return tables, nil
}

// parseTable reads a table: the document's name and notes in lines that begin with #, the columns' names, the rows.
func parseTable(dir, text string) (Table, error) {
	table := Table{Dir: dir}
	var notes []string
	headed := false
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		note, isNote := strings.CutPrefix(line, "# ")
		cells := strings.Split(line, "\t")
		switch {
		case isNote && table.Document == "":
			table.Document = note
		case isNote:
			notes = append(notes, note)
		case !headed:
			if !slices.Equal(cells, columns) {
				return Table{}, fmt.Errorf("line %d: want the columns %s", i+1, strings.Join(columns, ", "))
			}
			headed = true
		case len(cells) != len(columns):
			return Table{}, fmt.Errorf("line %d: %d cells, want %d", i+1, len(cells), len(columns))
		default:
			table.Requirements = append(table.Requirements, requirement(dir, cells))
		}
	}
	table.Note = strings.Join(notes, "\n")
	return table, nil
}

func requirement(dir string, cells []string) Requirement {
	r := Requirement{
		ID: cells[0], Section: cells[1], Level: cells[2], Text: cells[3], State: State(cells[5]), Reason: cells[6],
	}
	for _, name := range strings.Fields(cells[4]) {
		test := Test{Dir: dir, Name: name}
		if dot := strings.LastIndex(name, "."); dot >= 0 {
			test = Test{Dir: name[:dot], Name: name[dot+1:]}
		}
		r.Tests = append(r.Tests, test)
	}
	return r
}
