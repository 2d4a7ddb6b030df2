package app

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// configFault is one thing that is wrong with a configuration.
type configFault struct {
	path   string // YAML path, such as $.cps.audience; empty for what is wrong with the file
	line   int    // 0 for that of path
	column int    // 0 when it is not known
	text   string
}

// configError is all that is wrong with a configuration. It says where, and never what stands there: the file that
// somebody has named may be a private key.
type configError struct {
	file   *configFile
	faults []configFault
}

// Error has a line per fault: file, line number, key, text. They stand in the order of the file.
func (e *configError) Error() string {
	faults := slices.Clone(e.faults)
	for i := range faults {
		if faults[i].line == 0 {
			faults[i].line = e.file.line(faults[i].path)
		}
	}
	slices.SortStableFunc(faults, func(a, b configFault) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.path, b.path))
	})
	var lines []string
	for _, f := range faults {
		place := fmt.Sprintf("%s:%d", e.file.name, f.line)
		if f.column > 0 {
			place = fmt.Sprintf("%s:%d", place, f.column)
		}
		if key := strings.TrimPrefix(f.path, "$."); key != "" {
			place += ": " + key
		}
		lines = append(lines, place+": "+f.text)
	}
	return strings.Join(lines, "\n")
}

// line is where a key stands; where it is left out, the line of the nearest key around it.
func (f *configFile) line(path string) int {
	for ; path != ""; path = path[:max(strings.LastIndexByte(path, '.'), 0)] {
		selector, err := yaml.PathString(path)
		if err != nil {
			continue
		}
		if node, err := selector.FilterFile(f.tree); err == nil && node.GetToken() != nil {
			return node.GetToken().Position.Line
		}
	}
	return 1
}

func (f *configFile) fault(fault configFault) error {
	return &configError{file: f, faults: []configFault{fault}}
}

// nodeError is what our own types say of a value.
type nodeError struct {
	node ast.Node
	text string
}

// Error is the text alone: where it stands is told by a configFault.
func (e *nodeError) Error() string { return e.text }

// What a key and a path of keys look like, and what a library's text looks like that quotes more than one character.
// Anything else in the place of a key is not repeated, and neither is what is quoted.
var (
	aKey   = regexp.MustCompile(`^[a-z_0-9]{1,32}$`)
	aPath  = regexp.MustCompile(`^\$(\.[a-z_0-9]{1,32}|\[\d+\])*`)
	quoted = regexp.MustCompile("[\"`]|'..+'")
)

// notYAML says in the words of this program why the text of a file was refused. The library's own words repeat the file.
func (f *configFile) notYAML(err error) error {
	if own, isOwn := errors.AsType[*nodeError](err); isOwn {
		at := own.node.GetToken().Position
		return f.fault(configFault{path: f.keyAt(at.Line, at.Column), line: at.Line, column: at.Column, text: own.text})
	}
	fault := configFault{line: 1, text: "is not YAML"}
	told, isTold := errors.AsType[yaml.Error](err)
	if !isTold || told.GetToken() == nil {
		return f.fault(fault)
	}
	token := told.GetToken()
	fault.line, fault.column = token.Position.Line, token.Position.Column
	switch told.(type) {
	case *yaml.UnknownFieldError:
		fault.text = "there is no such key here"
		if aKey.MatchString(token.Value) {
			fault.text = "there is no key " + token.Value + " here"
		}
	case *yaml.DuplicateKeyError:
		fault.text = "this key is there twice"
	case *yaml.TypeError, *yaml.OverflowError, *yaml.UnexpectedNodeTypeError:
		fault.path = f.keyAt(fault.line, fault.column)
		fault.text = kindAt(fault.path)
		if fault.path == "$" {
			fault.path, fault.text = "", "is no configuration: that has keys, such as cps and trust, each with a value"
		}
	case *yaml.SyntaxError:
		switch said := told.GetMessage(); {
		case strings.HasPrefix(said, "mapping key "):
			fault.text = "this key is there twice"
		case strings.Contains(said, "'\t'"):
			fault.text = "is not YAML: lines are indented with spaces, not with tabs"
		case !quoted.MatchString(said):
			fault.text = "is not YAML: " + said
		}
	}
	return f.fault(fault)
}

// keyAt is the YAML path of the value at a place; empty if there is none.
func (f *configFile) keyAt(line, column int) string {
	if f.tree == nil {
		return ""
	}
	path := ""
	for _, doc := range f.tree.Docs {
		ast.Walk(visitor(func(node ast.Node) {
			if at := node.GetToken(); at != nil && at.Position.Line == line && at.Position.Column == column {
				path = aPath.FindString(node.GetPath())
			}
		}), doc)
	}
	return path
}

// visitor visits every node.
type visitor func(ast.Node)

// Visit goes on below.
func (v visitor) Visit(node ast.Node) ast.Visitor {
	v(node)
	return v
}

// kindAt says what a configuration has at a YAML path.
func kindAt(path string) string {
	t := reflect.TypeFor[Config]()
	keys := strings.FieldsFunc(strings.TrimPrefix(path, "$"), func(r rune) bool { return r == '.' || r == '[' })
	for _, key := range keys {
		switch t.Kind() {
		case reflect.Struct:
			field, found := fieldNamed(t, key)
			if !found {
				return "is of the wrong kind"
			}
			t = field.Type
		case reflect.Slice, reflect.Map:
			t = t.Elem()
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return "is true or false"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "is a number"
	case reflect.Slice:
		return "is a list"
	case reflect.Struct, reflect.Map:
		return "is a mapping: keys, each with a value"
	}
	return "is a text"
}

func fieldNamed(t reflect.Type, key string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(name string) bool {
		field, _ := t.FieldByName(name)
		return field.Tag.Get("yaml") == key
	})
}
