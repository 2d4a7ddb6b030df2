// Package openapitest holds an OpenAPI description against what a door really answers.
//
// Knows: package testing, the keywords of JSON Schema that our descriptions use. Never hears of: what is described.
package openapitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Description is an OpenAPI file: what it says of each operation, and what has been seen of it.
type Description struct {
	testing.TB
	root any
	seen map[string]bool // "operation status"
}

// Read reads the file at path.
func Read(t testing.TB, path string) *Description {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := &Description{TB: t, seen: map[string]bool{}}
	if err := yaml.Unmarshal(text, &d.root); err != nil {
		t.Fatal(err)
	}
	return d
}

// Of finds what stands at the end of a way from the root, through references.
func (d *Description) Of(way ...string) any { return d.At(d.root, way...) }

// At finds what stands at the end of a way from node, through references.
func (d *Description) At(node any, way ...string) any {
	for {
		m, _ := node.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			node = d.At(d.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			continue
		}
		if len(way) == 0 || m == nil {
			return node
		}
		node, way = m[way[0]], way[1:]
	}
}

// Operations are "get /health" and so on, each with its responses by status.
func (d *Description) Operations() map[string]map[string]any {
	all := map[string]map[string]any{}
	paths, _ := d.At(d.root, "paths").(map[string]any)
	for path, item := range paths {
		for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
			if responses, ok := d.At(item, method, "responses").(map[string]any); ok {
				all[method+" "+path] = responses
			}
		}
	}
	return all
}

// Fits wants an answer to be one that the description has for the operation.
func (d *Description) Fits(operation string, statusCode int, header http.Header, text string) {
	d.Helper()
	status := strconv.Itoa(statusCode)
	response, documented := d.Operations()[operation][status]
	if !documented {
		d.Errorf("%s: status %s is not documented", operation, status)
		return
	}
	d.seen[operation+" "+status] = true
	headers, _ := d.At(response, "headers").(map[string]any)
	for name, described := range headers {
		value := header.Get(name)
		if value == "" {
			if d.At(described, "required") == true {
				d.Errorf("%s %s: no %s", operation, status, name)
			}
			continue
		}
		var typed any = value
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			typed = n
		}
		d.Valid(operation+" "+status+" "+name, d.At(described, "schema"), typed)
	}
	content, media := d.At(response, "content"), header.Get("Content-Type")
	if content == nil {
		if text != "" {
			d.Errorf("%s %s: a body, and none is documented", operation, status)
		}
		return
	}
	schema := d.At(content, media, "schema")
	if schema == nil {
		d.Errorf("%s %s: content type %q is not documented", operation, status, media)
		return
	}
	var body any = text
	if media == "application/json" || strings.HasSuffix(media, "+json") {
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			d.Errorf("%s %s: %v", operation, status, err)
		}
	}
	d.Valid(operation+" "+status, schema, body)
}

// ExamplesFit wants every example to be one of what it stands beside.
func (d *Description) ExamplesFit() {
	d.Helper()
	d.examples("", d.root)
}

func (d *Description) examples(where string, node any) {
	d.Helper()
	switch node := node.(type) {
	case map[string]any:
		if example, has := node["example"]; has {
			schema, beside := node["schema"]
			if !beside {
				schema = node
			}
			d.Valid(where+" example", schema, asJSON(example))
		}
		for name, member := range node {
			if name != "example" {
				d.examples(where+"/"+name, member)
			}
		}
	case []any:
		for _, element := range node {
			d.examples(where, element)
		}
	}
}

// asJSON is a value of the description as one of JSON: YAML knows more kinds of numbers.
func asJSON(value any) (plain any) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &plain)
	}
	if err != nil {
		panic(err) // a description is read from YAML that JSON can say
	}
	return plain
}

// Valid checks a value against a schema. A keyword that it does not know fails, so that none is passed over.
func (d *Description) Valid(where string, schema, value any) {
	d.Helper()
	keywords, ok := d.At(schema).(map[string]any)
	if !ok {
		d.Errorf("%s: no schema", where)
		return
	}
	for keyword, rule := range keywords {
		if !d.keeps(where, keyword, rule, value) {
			d.Errorf("%s: %s %v is not kept by %v", where, keyword, rule, value)
		}
	}
}

func (d *Description) keeps(where, keyword string, rule, value any) bool {
	d.Helper()
	text, isText := value.(string)
	list, isList := value.([]any)
	object, isObject := value.(map[string]any)
	number, isNumber := value.(float64)
	switch keyword {
	case "description", "example":
		return true
	case "type":
		return rule == "string" && isText || rule == "array" && isList || rule == "object" && isObject || rule == "integer" && isNumber && number == float64(int64(number))
	case "required":
		return !slices.ContainsFunc(rule.([]any), func(name any) bool { _, has := object[name.(string)]; return !has })
	case "properties":
		for name, schema := range rule.(map[string]any) {
			if member, has := object[name]; has {
				d.Valid(where+"/"+name, schema, member)
			}
		}
		return true
	case "items":
		for _, element := range list {
			d.Valid(where+"[]", rule, element)
		}
		return true
	case "allOf":
		for _, schema := range rule.([]any) {
			d.Valid(where, schema, value)
		}
		return true
	case "anyOf":
		return slices.ContainsFunc(rule.([]any), func(schema any) bool { return d.fitsOne(schema, value) })
	case "enum":
		return slices.ContainsFunc(rule.([]any), func(one any) bool { return one == value || isNumber && Figure(one) == number })
	case "minimum":
		return number >= Figure(rule)
	case "minItems":
		return float64(len(list)) >= Figure(rule)
	case "maxItems":
		return float64(len(list)) <= Figure(rule)
	case "minLength":
		return float64(len(text)) >= Figure(rule)
	case "maxLength":
		return float64(len(text)) <= Figure(rule)
	case "pattern":
		return regexp.MustCompile(rule.(string)).MatchString(text)
	}
	d.Errorf("%s: this test does not know the keyword %s", where, keyword)
	return false
}

// fitsOne tells whether a value has the type and the members of a schema, so far that it can be told from others.
func (d *Description) fitsOne(schema, value any) bool {
	keywords, _ := d.At(schema).(map[string]any)
	for _, keyword := range []string{"type", "required", "enum"} {
		if rule, has := keywords[keyword]; has && !d.keeps("", keyword, rule, value) {
			return false
		}
	}
	switch value.(type) {
	case map[string]any, []any:
		d.Valid("anyOf", schema, value)
	}
	return true
}

// Figure is a number of the description, such as a limit.
func Figure(rule any) float64 {
	n, err := strconv.ParseFloat(fmt.Sprint(rule), 64)
	if err != nil {
		panic(err) // a limit that is no number
	}
	return n
}

// AllSeen wants every status that is documented to have been seen.
func (d *Description) AllSeen() {
	d.Helper()
	for operation, responses := range d.Operations() {
		for _, status := range slices.Sorted(maps.Keys(responses)) {
			if !d.seen[operation+" "+status] {
				d.Errorf("%s: status %s is documented and was not produced", operation, status)
			}
		}
	}
}
