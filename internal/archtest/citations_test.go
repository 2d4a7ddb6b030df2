package archtest_test

import (
	_ "embed"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// citationsTSV lists every document that may be cited. A new one is a new line.
//
//go:embed citations.tsv
var citationsTSV string

// documents are the names in citations.tsv.
func documents() map[string]bool {
	known := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(citationsTSV), "\n")[1:] {
		name, _, _ := strings.Cut(line, "\t")
		known[name] = true
	}
	return known
}

// Citations are written RFC 8225 §5.2.1, ATIS-1000096 §7, TS 24.229 §7.2A.20, draft-name-02 §3; an appendix is §A. Several
// sections of one document: RFC 8225 §4, §8.1.
var (
	cited      = regexp.MustCompile(`\bRFC \d+|\bATIS-\d+|\bTS \d\d\.\d{3}`)
	citedDraft = regexp.MustCompile(`\bdraft-[a-z0-9]+(?:-[a-z0-9]+){2,}`)
	citingName = regexp.MustCompile(`(?m)^func (?:Test|Fuzz|Benchmark|Example)(RFC|ATIS)(\d+)`)
)

const document = `(RFC \d+|ATIS-\d{7}|TS \d\d\.\d{3}|draft-[a-z0-9-]+)(?:\.v\d+)?`

// citingWords are a quick look, because most lines cite nothing.
var citingWords = []string{"RFC", "rfc ", "Rfc ", "ATIS", "TS ", "draft-"}

// misspellings are the wrong forms that people write; fix makes the right one of the parts found.
var misspellings = []struct {
	form *regexp.Regexp
	fix  string
}{
	{regexp.MustCompile(`\bRFC[-_]?(\d{4,5})\b(?:-\d\d\b)?`), "RFC $1"},
	{regexp.MustCompile(`\b[Rr]fc (\d{3,5})\b`), "RFC $1"},
	{regexp.MustCompile(`\bATIS[ _]?(\d{7})`), "ATIS-$1"},
	{regexp.MustCompile(document + `,? (?i:sections?|sect?\.|clause|appendix|annex|app\.) ?([0-9A-Z][0-9A-Za-z.]*)`), "$1 §$2"},
	{regexp.MustCompile(document + `(?:|, ?|  +)§§? ?([0-9A-Z][0-9A-Za-z.]*)`), "$1 §$2"},
	{regexp.MustCompile(document + ` (?:§ |§§ ?)([0-9A-Z][0-9A-Za-z.]*)`), "$1 §$2"},
	{regexp.MustCompile(`(?i:section|§) ?([0-9][0-9A-Z.]*) of ` + document), "$2 §$1"},
}

// requirementID is how a row of a requirement table is called (RFC8225-07), which looks like a misspelling.
var requirementID = regexp.MustCompile(`^RFC\d+-\d\d$`)

// declares follows an identifier where a value is given a name, or a name its value.
var declares = regexp.MustCompile(`^\s*(?:=|:|//)`)

func TestCitationsAreExact(t *testing.T) {
	known := documents()
	for _, f := range allFiles(t) {
		if citing(f) {
			keep(t, citationFaults(f, known))
		}
	}
}

// citing files are those in which people cite: Go and pages, not test data, nor the examples and lists of this package.
func citing(f file) bool {
	if strings.Contains(f.path, "testdata/") || f.dir() == "internal/archtest" {
		return false
	}
	return slices.Contains([]string{".go", ".md", ".tsv", ".yaml"}, path.Ext(f.path))
}

func citationFaults(f file, known map[string]bool) []string {
	var complaints []string
	for i, line := range strings.Split(f.text, "\n") {
		if !slices.ContainsFunc(citingWords, func(word string) bool { return strings.Contains(line, word) }) {
			continue
		}
		say := func(format string, args ...any) {
			complaints = append(complaints, complaint(f.path, i+1, format, args...))
		}
		for _, m := range misspellings {
			for _, at := range m.form.FindAllStringSubmatchIndex(line, -1) {
				wrong := line[at[0]:at[1]]
				member := at[0] > 0 && line[at[0]-1] == '.'                                             // of a package, as in time.RFC3339
				declared := strings.TrimSpace(line[:at[0]]) == "" && declares.MatchString(line[at[1]:]) // an identifier
				if !member && !declared && !requirementID.MatchString(wrong) {
					say("write %q, not %q", m.form.ExpandString(nil, m.fix, line, at), wrong)
				}
			}
		}
		for _, name := range cited.FindAllString(line, -1) {
			if !known[name] {
				say("%s is not in internal/archtest/citations.tsv", name)
			}
		}
		for _, name := range citedDraft.FindAllString(line, -1) {
			if !known[name] {
				say("%s is not in internal/archtest/citations.tsv, with its version", name)
			}
		}
		for _, m := range citingName.FindAllStringSubmatch(line, -1) {
			if name := namedDocument(m[1], m[2]); !known[name] {
				say("a test is named after %s, which is not in internal/archtest/citations.tsv", name)
			}
		}
	}
	return complaints
}

// namedDocument is the document in a test's name: RFC8225, ATIS1000096, or ATIS96 for short.
func namedDocument(series, number string) string {
	if series == "RFC" {
		return "RFC " + number
	}
	if len(number) == 7 {
		return "ATIS-" + number
	}
	return fmt.Sprintf("ATIS-1000%03s", number)
}

func TestMiscitationsAreCaught(t *testing.T) {
	known := documents()
	for _, c := range []struct{ text, want string }{
		{"RFC 8225 §5.2.1 and RFC 8225 §4, §8.1 and RFC 8225", ""},
		{"ATIS-1000096 §7; TS 24.229 §7.2A.20; draft-wendt-stir-vesper-oob-02 §3; RFC 8225 §A", ""},
		{"RFC8225-07 of conformance/rfc8225/requirements.tsv", ""},
		{"func TestRFC8226_S9_Range(t *testing.T) {}", ""},
		{"func TestATIS96_07_Health(t *testing.T) {}", ""},
		{"func TestATIS1000105_S7_Health(t *testing.T) {}", ""},
		{"t.Format(time.RFC3339)", ""},
		{"func TestATIS105_07_Health(t *testing.T) {}", ""},
		{"	RFC8225 = Rules{}", ""},
		{"	RFC8225   // a profile", ""},
		{"RFC8225 is short", `write "RFC 8225"`},
		{"rfc 8225 is short", `write "RFC 8225"`},
		{"RFC-8225 is short", `write "RFC 8225"`},
		{"RFC 8225, Section 5.1", `write "RFC 8225 §5.1"`},
		{"RFC 8225 section 5", `write "RFC 8225 §5"`},
		{"RFC 8225 Appendix A", `write "RFC 8225 §A"`},
		{"RFC 8225§5", `write "RFC 8225 §5"`},
		{"RFC 8225, §5", `write "RFC 8225 §5"`},
		{"RFC 8225 § 5", `write "RFC 8225 §5"`},
		{"RFC 8225 §§5", `write "RFC 8225 §5"`},
		{"section 5 of RFC 8225", `write "RFC 8225 §5"`},
		{"ATIS 1000096 §7", `write "ATIS-1000096"`},
		{"RFC 8227 §5", "RFC 8227 is not in"},
		{"ATIS-1000999 §5", "ATIS-1000999 is not in"},
		{"draft-wendt-stir-vesper-oob §5", "draft-wendt-stir-vesper-oob is not in"},
		{"func TestRFC8227_S9_Range(t *testing.T) {}", "RFC 8227, which is not in"},
		{"func TestATIS99_S9_Range(t *testing.T) {}", "ATIS-1000099, which is not in"},
	} {
		t.Run(c.text, func(t *testing.T) { catches(t, citationFaults(file{path: "x.md", text: c.text}, known), c.want) })
	}
}
