package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is what operators read.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "switches.md"))
	check(t, err)
	return string(text)
}

// TestSwitchSnippetsAreOnThePage: each file says at its head whether it was tested, and the table of the page says the same.
func TestSwitchSnippetsAreOnThePage(t *testing.T) {
	dir := filepath.Join("..", "deploy", "switches")
	files, err := os.ReadDir(dir)
	check(t, err)
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		check(t, err)
		head := strings.Join(strings.Split(string(text), "\n")[:min(8, strings.Count(string(text), "\n"))], "\n")
		untested := strings.Contains(head, "NOT TESTED HERE: ")
		if !untested && !strings.Contains(head, "TESTED with ") {
			t.Errorf("%s does not say in its first lines whether it was tested", file.Name())
		}
		row := regexp.MustCompile(`(?m)^\|.*\]\(\.\./deploy/switches/` + regexp.QuoteMeta(file.Name()) + `\).*$`).FindString(page(t))
		if row == "" {
			t.Errorf("%s stands in no row of docs/switches.md", file.Name())
		} else if untested != strings.Contains(row, "| not tested here |") || untested == strings.Contains(row, "| tested: ") {
			t.Errorf("docs/switches.md says otherwise than %s: %s", file.Name(), row)
		}
	}
}

// TestSwitchRowsOnThePage: the rows that operators copy are a trunk table that is taken.
func TestSwitchRowsOnThePage(t *testing.T) {
	lab := initLaboratory(t, "127.0.0.1:8444")
	name := lab.path("switches", "1234.yaml")
	text, err := os.ReadFile(name)
	check(t, err)
	_, rows, _ := strings.Cut(page(t), "```yaml\n")
	rows, _, _ = strings.Cut(rows, "```\n")
	before, after, _ := strings.Cut(string(text), "\ntrunks:\n")
	_, after, _ = strings.Cut(after, "\ntrust:\n")
	check(t, os.WriteFile(name, []byte(before+"\n"+strings.ReplaceAll(rows, "[east, west]", "[lab]")+"trust:\n"+after), 0o600))
	out, err := exec.Command(filepath.Join(binDir, "viaduct"), "check", "--config", name).CombinedOutput()
	if err != nil {
		t.Errorf("viaduct check: %v\n%s", err, out)
	}
	for _, row := range []string{"tdm-out", "sip-out", "transit-out", "from-567B", "sip-in"} {
		if !strings.Contains(string(out), row) {
			t.Errorf("viaduct check does not speak of %s:\n%s", row, out)
		}
	}
}
