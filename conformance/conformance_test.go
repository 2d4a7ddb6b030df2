package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance"
)

const root = ".."

func tables(t *testing.T) []conformance.Table {
	t.Helper()
	tables, err := conformance.ReadTables(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) == 0 {
		t.Fatal("no tables")
	}
	return tables
}

func TestPageIsGenerated(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "CONFORMANCE.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != conformance.Page(tables(t)) {
		t.Error("docs/CONFORMANCE.md differs from the tables: run make generate")
	}
}

func TestEveryRequirementIsShownOrExplained(t *testing.T) {
	seen := map[string]bool{}
	functions := functionsIn(t)
	for _, table := range tables(t) {
		if table.Document == "" || len(table.Requirements) == 0 {
			t.Errorf("%s: no document or no rows", table.Dir)
		}
		for _, r := range table.Requirements {
			for _, fault := range faults(r, functions) {
				t.Errorf("%s %s: %s", table.Dir, r.ID, fault)
			}
			if seen[r.ID] {
				t.Errorf("%s %s: the id stands twice", table.Dir, r.ID)
			}
			seen[r.ID] = true
		}
	}
}

// TestConformanceTestsHaveRows keeps a test from standing beside a table that does not name it.
func TestConformanceTestsHaveRows(t *testing.T) {
	functions := functionsIn(t)
	for _, table := range tables(t) {
		named := map[string]bool{}
		for _, r := range table.Requirements {
			for _, test := range r.Tests {
				named[test.String()] = true
			}
		}
		for _, name := range functions {
			if strings.HasPrefix(name, table.Dir+".") && !named[name] {
				t.Errorf("%s has no row in %s/requirements.tsv", name, table.Dir)
			}
		}
	}
}

var requirementID = regexp.MustCompile(`^(?:RFC\d+|ATIS\d+)-\d\d$`)

// faults says what is wrong with a row.
func faults(r conformance.Requirement, functions []string) []string {
	var found []string
	if !requirementID.MatchString(r.ID) || !strings.HasPrefix(r.Section, "§") || r.Text == "" {
		found = append(found, "the id, the section or the text is amiss")
	}
	if !slices.Contains([]string{"MUST", "SHOULD", "MAY", "CHOICE"}, r.Level) {
		found = append(found, "no such level: "+r.Level)
	}
	switch r.State {
	case conformance.Tested:
		if len(r.Tests) == 0 {
			found = append(found, "tested by nothing")
		}
	case conformance.Waived, conformance.NotApplicable, conformance.Later:
		if r.Reason == "" {
			found = append(found, "needs a reason")
		}
	default:
		found = append(found, "no such state: "+string(r.State))
	}
	for _, test := range r.Tests {
		switch exists := slices.Contains(functions, test.String()); {
		case !exists && r.State == conformance.Tested:
			found = append(found, "there is no test "+test.String())
		case exists && r.State != conformance.Tested:
			found = append(found, test.String()+" exists, and passes in this run: the row is tested, not "+string(r.State))
		}
	}
	return found
}

func TestUnexplainedRowsAreFound(t *testing.T) {
	functions := []string{"passport.TestA"}
	exists := []conformance.Test{{Dir: "passport", Name: "TestA"}}
	missing := []conformance.Test{{Dir: "passport", Name: "TestB"}}
	row := func(level string, state conformance.State, reason string, tests ...conformance.Test) conformance.Requirement {
		return conformance.Requirement{ID: "RFC8225-01", Section: "§1", Level: level, Text: "x", State: state, Reason: reason, Tests: tests}
	}
	for _, c := range []struct {
		name string
		row  conformance.Requirement
		want int
	}{
		{"tested", row("MUST", conformance.Tested, "", exists...), 0},
		{"explained", row("MUST", conformance.Later, "comes with the door"), 0},
		{"explained, its test to come", row("MUST", conformance.Later, "comes with the door", missing...), 0},
		{"tested by nothing", row("MUST", conformance.Tested, ""), 1},
		{"no such test", row("MUST", conformance.Tested, "", missing...), 1},
		{"no reason", row("MUST", conformance.Waived, ""), 1},
		{"waived, and its test passes", row("MUST", conformance.Waived, "why", exists...), 1},
		{"no such level", row("must", conformance.Tested, "", exists...), 1},
		{"no such state", row("MUST", "done", ""), 1},
	} {
		if got := faults(c.row, functions); len(got) != c.want {
			t.Errorf("%s: %q, want %d faults", c.name, got, c.want)
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+|Fuzz\w+)\(`)

// functionsIn lists every test of the module as dir.TestName.
func functionsIn(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range testFunction.FindAllStringSubmatch(string(text), -1) {
			found = append(found, filepath.ToSlash(dir)+"."+m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
