package archtest_test

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLinksResolve(t *testing.T) { keep(t, brokenLinks(allFiles(t))) }

var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// brokenLinks complains of links between pages and files of the repository that lead nowhere.
func brokenLinks(files []file) []string {
	exists := map[string]bool{".": true}
	for _, f := range files {
		for p := f.path; p != "."; p = path.Dir(p) {
			exists[p] = true
		}
	}
	var complaints []string
	for _, f := range files {
		if path.Ext(f.path) != ".md" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			for _, m := range markdownLink.FindAllStringSubmatch(line, -1) {
				target, _, _ := strings.Cut(m[1], "#")
				if target == "" || strings.Contains(target, ":") {
					continue
				}
				if !exists[path.Join(f.dir(), target)] {
					complaints = append(complaints, complaint(f.path, i+1, "the link to %s leads nowhere", m[1]))
				}
			}
		}
	}
	return complaints
}

func TestBrokenLinksAreCaught(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[a](b.md) [b](../a/b.md#part) [c](#here) [d](https://example.org/x) [e](../a)", ""},
		{"[a](c.md)", "c.md leads nowhere"},
	} {
		catches(t, brokenLinks(example(t, "a/a.md", c.text, "a/b.md", "")), c.want)
	}
}

// deviation is one place where the code leaves a document's road.
type deviation struct{ file, section string }

var divergesMark = regexp.MustCompile(`// DIVERGES (.+? §[0-9A-Za-z]+(?:\.[0-9A-Za-z]+)*)(:?)`)

func TestDivergencesAreListed(t *testing.T) { keep(t, divergenceFaults(allFiles(t))) }

// divergenceFaults compares the DIVERGES marks in the code with the rows of docs/divergences.md, both ways.
func divergenceFaults(files []file) []string {
	const page = "docs/divergences.md"
	marked, listed := map[deviation]int{}, map[deviation]bool{}
	var complaints []string
	for _, f := range files {
		if f.path == page {
			for _, cells := range tableRows(f.text) {
				if len(cells) != 5 || slices.Contains(cells, "") {
					complaints = append(complaints, complaint(page, 0, "a row needs five full cells: %v", cells))
					continue
				}
				listed[deviation{strings.Trim(cells[0], "`"), cells[1]}] = true
			}
		}
		if !f.isGo() || f.dir() == "internal/archtest" {
			continue
		}
		for i, line := range strings.Split(f.text, "\n") {
			if !strings.Contains(line, "// DIVERGES") {
				continue
			}
			m := divergesMark.FindStringSubmatch(line)
			if m == nil || m[2] == "" {
				complaints = append(complaints, complaint(f.path, i+1, "write // DIVERGES RFC 8225 §9: what and why"))
				continue
			}
			marked[deviation{f.path, m[1]}] = i + 1
		}
	}
	for d, line := range marked {
		if !listed[d] {
			complaints = append(complaints, complaint(d.file, line, "diverges from %s: give it a row in %s", d.section, page))
		}
	}
	for d := range listed {
		if marked[d] == 0 {
			complaints = append(complaints, complaint(page, 0, "%s has no mark // DIVERGES %s", d.file, d.section))
		}
	}
	slices.Sort(complaints)
	return complaints
}

// tableRows gives the trimmed cells of each row of the Markdown tables in text, without heads and rules.
func tableRows(text string) [][]string {
	var rows [][]string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		isRule := func(s string) bool { return strings.HasPrefix(s, "|-") || strings.HasPrefix(s, "| -") }
		if !strings.HasPrefix(line, "|") || isRule(line) || i+1 < len(lines) && isRule(lines[i+1]) {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for j := range cells {
			cells[j] = strings.TrimSpace(cells[j])
		}
		rows = append(rows, cells)
	}
	return rows
}

func TestUnlistedDivergencesAreCaught(t *testing.T) {
	page := "| where | section | it says | we do | why |\n|---|---|---|---|---|\n| `a/a.go` | RFC 8225 §9 | x | y | z |\n"
	for _, c := range []struct{ name, code, page, want string }{
		{"good", "package a\n\n// DIVERGES RFC 8225 §9: we do, because.", page, ""},
		{"not listed", "package a\n\n// DIVERGES RFC 8225 §8: we do, because.\n// DIVERGES RFC 8225 §9: x", page, "a/a.go:3: diverges from RFC 8225 §8"},
		{"not marked", "package a", page, "a/a.go has no mark"},
		{"no reason", "package a\n\n// DIVERGES from the text", "", "write // DIVERGES"},
		{"empty cell", "package a", "| a | b | c | d | |\n", "five full cells"},
	} {
		t.Run(c.name, func(t *testing.T) {
			catches(t, divergenceFaults(example(t, "a/a.go", c.code, "docs/divergences.md", c.page)), c.want)
		})
	}
}

func TestDependenciesAreExplained(t *testing.T) { keep(t, dependencyFaults(allFiles(t))) }

var (
	requireLine    = regexp.MustCompile(`(?m)^(?:require )?\s*([\w./-]+\.[\w./-]+) v\S+`)
	dependencyName = regexp.MustCompile("^`([^`]+)`$")
)

// dependencyFaults compares the modules that our code imports with the rows of docs/dependencies.md, both ways.
func dependencyFaults(files []file) []string {
	const page = "docs/dependencies.md"
	imported, listed := importedModules(files), map[string]bool{}
	for _, f := range files {
		if f.path != page {
			continue
		}
		for _, cells := range tableRows(f.text) {
			if m := dependencyName.FindStringSubmatch(cells[0]); m != nil && len(cells) == 4 && !slices.Contains(cells, "") {
				listed[m[1]] = true
			}
		}
	}
	var complaints []string
	for _, m := range slices.Sorted(maps.Keys(imported)) {
		if !listed[m] {
			complaints = append(complaints, complaint(page, 0, "%s needs a full row: what for, what else was looked at, what it pulls in", m))
		}
	}
	for _, m := range slices.Sorted(maps.Keys(listed)) {
		if !imported[m] {
			complaints = append(complaints, complaint(page, 0, "%s is imported by nothing: take the row out", m))
		}
	}
	return complaints
}

// importedModules are the modules of go.mod from which our code, tests included, imports a package.
func importedModules(files []file) map[string]bool {
	var required []string
	for _, f := range files {
		if f.path == "go.mod" {
			for _, m := range requireLine.FindAllStringSubmatch(f.text, -1) {
				required = append(required, m[1])
			}
		}
	}
	imported := map[string]bool{}
	for _, f := range files {
		if !f.isGo() {
			continue
		}
		for _, path := range f.imports() {
			longest := ""
			for _, m := range required {
				if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(longest) {
					longest = m
				}
			}
			if longest != "" {
				imported[longest] = true
			}
		}
	}
	return imported
}

func TestUnexplainedDependenciesAreCaught(t *testing.T) {
	mod := "module m\n\ngo 1.26.0\n\nrequire (\n\texample.org/a v1.0.0\n\texample.org/a/b v1.0.0 // indirect\n)\n"
	code := "package a\n\nimport _ \"example.org/a/x\""
	for _, c := range []struct{ name, page, want string }{
		{"good", "| `example.org/a` | x | y | z |", ""},
		{"missing", "", "example.org/a needs a full row"},
		{"stale", "| `example.org/a` | x | y | z |\n| `example.org/c` | x | y | z |", "example.org/c is imported by nothing"},
		{"of what is not imported", "| `example.org/a` | x | y | z |\n| `example.org/a/b` | x | y | z |", "example.org/a/b is imported by nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			catches(t, dependencyFaults(example(t, "go.mod", mod, "a/a.go", code, "docs/dependencies.md", c.page)), c.want)
		})
	}
}
