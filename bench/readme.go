package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where reports are kept, and between which lines of the README they are shown.
const (
	resultsDir  = "bench/results"
	readmeFile  = "README.md"
	readmeBegin = "<!-- bench -->"
	readmeEnd   = "<!-- /bench -->"
)

// errNoPlace is about a page that has not both lines.
var errNoPlace = errors.New("there is no place for the figures: two lines, " + readmeBegin + " and " + readmeEnd)

// resultsTables shows the reports of a folder, each as a table of those figures that have an aim, and its pictures.
func resultsTables(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json")) // sorted
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", fmt.Errorf("there are no reports in %s", dir)
	}
	var page strings.Builder
	for _, name := range names {
		r, err := readReport(name)
		if err != nil {
			return "", err
		}
		r.writeMarkdown(&page)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	for _, name := range pictures {
		fmt.Fprintf(&page, "\n![%s](%s)\n", strings.TrimSuffix(filepath.Base(name), ".svg"), filepath.ToSlash(name))
	}
	return page.String(), err
}

func readReport(name string) (*report, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if r.Command == "" || len(r.Figures) == 0 {
		return nil, fmt.Errorf("%s is no report", name)
	}
	return r, nil
}

// writeMarkdown writes where and how it was measured, and the table.
func (r *report) writeMarkdown(page *strings.Builder) {
	fmt.Fprintf(page, "\n`%s`: %s, commit %s, %s, %s\n\n", strings.TrimSpace(r.Command), r.Date, r.Commit, r.Machine, r.Go)
	fmt.Fprintf(page, "| | floor | measured | ratio | needed | |\n|---|---|---|---|---|---|\n")
	others := 0
	for _, f := range r.Figures {
		if f.limit() == "" && f.Failed == "" {
			others++
			continue
		}
		name := f.Name
		if f.Unit != "" && f.Unit != "ratio" {
			name += ", " + f.Unit
		}
		fmt.Fprintf(page, "| %s | %s | %s | %s | %s | %s |\n",
			strings.ReplaceAll(name, "|", "\\|"), quantity(f.Floor), quantity(f.Value), quantity(f.Ratio), f.aim(), f.verdict())
	}
	if others > 0 {
		fmt.Fprintf(page, "\nWithout an aim: %d more.\n", others)
	}
}

// aim is limit, without exponents.
func (f figure) aim() string {
	var parts []string
	for sign, v := range map[string]float64{"≥ ": f.Least, "≤ ": f.Most} {
		if v != 0 {
			parts = append(parts, sign+strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// splice puts tables between the two lines of a page.
func splice(page, tables string) (string, error) {
	before, rest, found := strings.Cut(page, readmeBegin+"\n")
	_, after, ends := strings.Cut(rest, readmeEnd)
	if !found || !ends {
		return "", errNoPlace
	}
	return before + readmeBegin + "\n" + tables + "\n" + readmeEnd + after, nil
}

// updateReadme shows the reports that there are in the README. Both are found from the root of the repository.
func updateReadme() error {
	tables, err := resultsTables(resultsDir)
	if err != nil {
		return err
	}
	page, err := os.ReadFile(readmeFile)
	if err != nil {
		return err
	}
	changed, err := splice(string(page), tables)
	if err != nil {
		return err
	}
	return os.WriteFile(readmeFile, []byte(changed), 0o644)
}
