package isup_test

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/isup"
)

// libss7TSV holds messages of another implementation, with what they say; e2e/isup made them and checks that they are right.
//
//go:embed testdata/libss7.tsv
var libss7TSV string

// TestLibss7IsUnderstood reads each message, finds what its row says, and writes it as another message that says the same.
func TestLibss7IsUnderstood(t *testing.T) {
	variants := map[string]isup.Variant{"itu": isup.ITU, "ansi": isup.ANSI}
	rows := 0
	for i, line := range strings.Split(strings.TrimSpace(libss7TSV), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		rows++
		columns := strings.Split(line, "\t")
		variant := variants[columns[0]]
		captured, err := hex.DecodeString(columns[1])
		if err != nil {
			t.Fatal(err)
		}
		message, err := isup.FromCircuit.Cut(variant, captured)
		if err != nil {
			t.Fatal(err)
		}
		m, err := isup.Decode(variant, message)
		if err != nil {
			t.Errorf("row %d: %v", i+1, err)
			continue
		}
		if got, want := strings.Join(said(m), "\t"), strings.Join(columns[2:], "\t"); got != want {
			t.Errorf("row %d says\n%s, want\n%s", i+1, got, want)
		}
		written, err := m.Append(variant, nil)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := isup.Decode(variant, written); err != nil || fmt.Sprint(said(again)) != fmt.Sprint(said(m)) || len(written) != len(message) {
			t.Errorf("row %d is written as % x, %v", i+1, written, err)
		}
	}
	if rows == 0 {
		t.Fatal("no messages")
	}
}

// said are the columns of a message.
func said(m isup.IAM) []string {
	number := func(n *isup.Number) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprintf("%s/%d", strings.TrimSuffix(n.Digits, "F"), n.Nature)
	}
	presentation, screening, reason, counter, jurisdiction := "-", "-", "-", "-", "-"
	if m.Calling != nil {
		presentation, screening = fmt.Sprint(m.Calling.Presentation), fmt.Sprint(m.Calling.Screening)
	}
	if m.Redirection != nil {
		reason, counter = fmt.Sprint(m.Redirection.Reason), fmt.Sprint(m.Redirection.Counter)
	}
	if m.Jurisdiction != "" {
		jurisdiction = m.Jurisdiction
	}
	var ported *isup.Number
	for i, g := range m.Generic {
		if g.Type == isup.GenericPorted {
			ported = &m.Generic[i].Number
		}
	}
	return []string{
		number(&m.Called), number(m.Calling), presentation, screening, number(m.OriginalCalled), number(m.Redirecting),
		jurisdiction, number(ported), reason, counter, number(m.Charge),
	}
}
