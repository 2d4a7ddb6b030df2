package archtest_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/viaduct-oob/viaduct"

// file is one text file of the repository; of a Go file also the syntax.
type file struct {
	path string // slash-separated, from the root of the repository
	text string
	fset *token.FileSet
	ast  *ast.File
}

func (f file) dir() string  { return path.Dir(f.path) }
func (f file) isGo() bool   { return f.ast != nil }
func (f file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// line numbers a position for a complaint.
func (f file) line(p token.Pos) int { return f.fset.Position(p).Line }

// imports lists what a Go file imports, our own packages by their folder.
func (f file) imports() []string {
	var all []string
	for _, spec := range f.ast.Imports {
		all = append(all, strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module+"/"))
	}
	return all
}

// skippedFolders are no part of the repository, or only built from it.
var skippedFolders = []string{".git", "bin", "lab"}

// repository reads every text file once. What cannot be read fails every test.
var repository = sync.OnceValues(func() ([]file, error) {
	var files []file
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skippedFolders, rel) {
				return fs.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), string(text))
		files = append(files, f)
		return err
	})
	return files, err
})

// parse makes a file of a text. Go code in testdata is data.
func parse(name, text string) (file, error) {
	f := file{path: name, text: text}
	if !strings.HasSuffix(name, ".go") || strings.Contains(name, "testdata/") {
		return f, nil
	}
	f.fset = token.NewFileSet()
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

// allFiles is the whole repository; goFiles, the Go files of it.
func allFiles(t *testing.T) []file {
	t.Helper()
	files, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func goFiles(t *testing.T) []file {
	t.Helper()
	return slices.DeleteFunc(slices.Clone(allFiles(t)), func(f file) bool { return !f.isGo() })
}

// example makes files of pairs of name and text, to show a rule what it must complain of.
func example(t *testing.T, pairs ...string) []file {
	t.Helper()
	var files []file
	for i := 0; i < len(pairs); i += 2 {
		f, err := parse(pairs[i], pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// keep fails the test once per complaint.
func keep(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// catches fails the test unless there is exactly one complaint and it contains want; with an empty want, none.
func catches(t *testing.T, complaints []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(complaints) > 0:
		t.Errorf("complains of a good example: %q", complaints)
	case want != "" && (len(complaints) != 1 || !strings.Contains(complaints[0], want)):
		t.Errorf("complaints %q, want one with %q", complaints, want)
	}
}

// complaint is one sentence about one place.
func complaint(place string, line int, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", place, line, fmt.Sprintf(format, args...))
}
