package archtest_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// emptyWords say nothing of what is inside.
var emptyWords = []string{"util", "utils", "common", "helper", "helpers", "core", "manager", "impl"}

// foreign are words that tie a file to one machine: absolute paths of work places, and hosts of package registries, which
// are configured where they are used.
var foreign = regexp.MustCompile(`/(?:work|root)/[\w.-]+|\b(?:proxy\.golang|sum\.golang|registry\.npmjs|deb\.debian)\.org\b`)

// foreignWord finds one in a line. A path that goes on from a host or another folder is not absolute.
func foreignWord(line string) string {
	if !strings.Contains(line, "/work/") && !strings.Contains(line, "/root/") && !strings.Contains(line, ".org") {
		return ""
	}
	for _, at := range foreign.FindAllStringIndex(line, -1) {
		if line[at[0]] != '/' || at[0] == 0 || strings.ContainsRune(" \t\"'(=:`", rune(line[at[0]-1])) {
			return line[at[0]:at[1]]
		}
	}
	return ""
}

func TestNamesSaySomething(t *testing.T) { keep(t, nameFaults(allFiles(t))) }

func nameFaults(files []file) []string {
	var complaints []string
	for _, f := range files {
		if f.isGo() {
			stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
			for _, word := range []string{f.ast.Name.Name, path.Base(f.dir()), stem} {
				if slices.Contains(emptyWords, word) {
					complaints = append(complaints, complaint(f.path, 1, "%q says nothing: name the noun or step it holds", word))
				}
			}
		}
		for i, line := range strings.Split(f.text, "\n") {
			if found := foreignWord(line); found != "" {
				complaints = append(complaints, complaint(f.path, i+1, "%q belongs to one machine, not in the repository", found))
			}
		}
	}
	return complaints
}

func TestEmptyNamesAreCaught(t *testing.T) {
	for _, c := range []struct{ name, path, text, want string }{
		{"good", "tn/number.go", "package tn", ""},
		{"package", "tn/number.go", "package util", "says nothing"},
		{"file", "tn/helpers_test.go", "package tn", "says nothing"},
		{"url", "a.md", "https://example.org/root/cert.pem", ""},
		{"path", "a.md", "see /" + "work/main", "belongs to one machine"},
		{"registry", "a.md", "from https://deb." + "debian.org/x", "belongs to one machine"},
	} {
		t.Run(c.name, func(t *testing.T) { catches(t, nameFaults(example(t, c.path, c.text)), c.want) })
	}
}

// longFiles are the files of more than lengthMax lines, each with its length and the reason. Lengths only shrink; a new
// entry needs a reviewer.
var longFiles = map[string]struct {
	lines  int
	reason string
}{}

const lengthMax = 400 // lines of a non-test Go file

func TestFilesAreShort(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		lines, entry := strings.Count(f.text, "\n"), longFiles[f.path]
		switch {
		case lines > lengthMax && entry.lines == 0:
			t.Errorf("%s has %d lines, more than %d: split it by noun or step", f.path, lines, lengthMax)
		case entry.lines > 0 && (lines > entry.lines || entry.reason == ""):
			t.Errorf("%s grew from %d to %d lines, or its entry lacks a reason", f.path, entry.lines, lines)
		case entry.lines > 0 && lines < entry.lines:
			t.Errorf("%s shrank to %d lines: write that into longFiles, or take it out at %d", f.path, lines, lengthMax)
		}
	}
}
