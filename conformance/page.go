package conformance

import (
	"fmt"
	"strings"
)

// Page is docs/CONFORMANCE.md.
func Page(tables []Table) string {
	var b strings.Builder
	b.WriteString(`# Conformance

<!-- Generated from conformance/*/requirements.tsv by go generate ./conformance; edit those. -->

What each document asks for, in words of our own, and what shows that it is done. CHOICE marks what a document leaves open, or
says where its text is not public: there we decided.

| document | requirements | tested | later | waived | not applicable |
|---|---|---|---|---|---|
`)
	for _, t := range tables {
		count := map[State]int{}
		for _, r := range t.Requirements {
			count[r.State]++
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %d | %d | %d | %d |\n", t.Document, anchor(t.Document), len(t.Requirements),
			count[Tested], count[Later], count[Waived], count[NotApplicable])
	}
	for _, t := range tables {
		fmt.Fprintf(&b, "\n## %s\n\n", t.Document)
		if t.Note != "" {
			fmt.Fprintf(&b, "%s\n\n", t.Note)
		}
		b.WriteString("| id | section | level | requirement | shown by, or why not |\n|---|---|---|---|---|\n")
		for _, r := range t.Requirements {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.ID, r.Section, r.Level, escape(r.Text), shownBy(t, r))
		}
	}
	return b.String()
}

// shownBy names the tests, or the state and its reason.
func shownBy(t Table, r Requirement) string {
	var parts []string
	if r.State != Tested {
		parts = append(parts, "**"+string(r.State)+"**")
	}
	for _, test := range r.Tests {
		name := test.String()
		if test.Dir == t.Dir {
			name = test.Name
		}
		parts = append(parts, "`"+name+"`")
	}
	if r.Reason != "" {
		parts = append(parts, escape(r.Reason))
	}
	return strings.Join(parts, " ")
}

func escape(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// anchor is how a page's heading is linked to.
func anchor(heading string) string { return strings.ToLower(strings.ReplaceAll(heading, " ", "-")) }
