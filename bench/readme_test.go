package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What the README shows is what was measured: `go run ./bench -readme` writes it.
func TestReadmeShowsTheResults(t *testing.T) {
	t.Chdir("..")
	tables, err := resultsTables(resultsDir)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	want, err := splice(string(page), tables)
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Errorf("%s does not show what lies in %s: go run ./bench -readme", readmeFile, resultsDir)
	}
}

func TestSplice(t *testing.T) {
	for _, c := range []struct{ name, page, want string }{
		{"empty", "a\n<!-- bench -->\n<!-- /bench -->\nb\n", "a\n<!-- bench -->\nTABLES\n<!-- /bench -->\nb\n"},
		{"full", "a\n<!-- bench -->\nold\n\n<!-- /bench -->\nb\n", "a\n<!-- bench -->\nTABLES\n<!-- /bench -->\nb\n"},
		{"no end", "a\n<!-- bench -->\nold\n", ""},
		{"no begin", "a\n<!-- /bench -->\n", ""},
	} {
		got, err := splice(c.page, "TABLES")
		if got != c.want || (c.want == "") != errors.Is(err, errNoPlace) {
			t.Errorf("%s: %q %v", c.name, got, err)
		}
	}
}

func TestResultsTables(t *testing.T) {
	dir := t.TempDir()
	if _, err := resultsTables(dir); err == nil {
		t.Error("a folder without reports was shown")
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.json", `{"Date":"d","Commit":"c","Command":"go run ./bench -run b","Machine":"m","Go":"g","Figures":[{"Name":"aimed | at","Unit":"ms","Value":12.34,"Most":20},{"Name":"missed","Value":1,"Least":2},{"Name":"without","Value":1}]}`)
	write("a.json", `{"Command":"go run ./bench -run a","Figures":[{"Name":"failed","Failed":"it broke"}]}`)
	write("latency.svg", "<svg/>")
	tables, err := resultsTables(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"`go run ./bench -run b`: d, commit c, m, g\n", `| aimed \| at, ms |  | 12.3 |  | ≤ 20 | kept |`, "| MISSED |", "Without an aim: 1 more", "| MISSED: it broke |", "![latency](" + filepath.ToSlash(dir) + "/latency.svg)",
	} {
		if !strings.Contains(tables, want) {
			t.Errorf("no %q in\n%s", want, tables)
		}
	}
	if strings.Index(tables, "-run a") > strings.Index(tables, "-run b") {
		t.Error("not in the order of names")
	}
	write("c.json", `{"Date":"d"}`)
	if _, err := resultsTables(dir); err == nil {
		t.Error("what is no report was shown")
	}
}
