package app

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

const certificates = "../../stircert/testdata"

// output runs a command and gives what it writes.
func output(t *testing.T, command interface{ Run(*Streams) error }) (string, error) {
	t.Helper()
	var out strings.Builder
	err := command.Run(&Streams{Out: &out, Err: &out})
	return out.String(), err
}

func TestCertLint_TellsFindingsAndWhetherTheyAreErrors(t *testing.T) {
	leaf := filepath.Join(certificates, "odd/no-c-74c13973.pem")
	good := filepath.Join(certificates, "ca/intermediate-martini-security-shaken-g3-49917938.pem")
	warned := filepath.Join(certificates, "ca/intermediate-peeringhub-inc-shaken-intermediate-ca-2-f0087196.pem")
	chain := filepath.Join(certificates, "chains/transnexus-inc-shaken-issuing-ca3-32df47cc.pem")
	for _, c := range []struct {
		name    string
		command CertLint
		want    string // as a regular expression
		result  error
	}{
		{"an error", CertLint{"auto", []string{leaf}}, `certificate 1, leaf: error: the subject has not exactly one C and one CN \(subject-c-cn, ATIS-1000080\.v00\d §6\.4\.1\)`, ErrNegative},
		{"nothing", CertLint{"auto", []string{good}}, `(?m)\.pem: no findings\n1 of 1 without a finding$`, nil},
		{"nothing that is an error", CertLint{"auto", []string{warned}}, `(?m)^1 of 1 without a finding$`, nil},
		{"another edition", CertLint{"v005", []string{chain}}, `certificate 3, root: error: KeyUsage is not keyCertSign alone \(key-usage-ca, ATIS-1000080\.v005 §6\.4\.1\)`, ErrNegative},
		{"all files", CertLint{"auto", []string{good, leaf}}, `(?s)no-c-74c13973.*1 of 2 without a finding\n$`, ErrNegative},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := output(t, &c.command)
			if !errors.Is(err, c.result) || c.result == nil && err != nil || !regexp.MustCompile(c.want).MatchString(text) {
				t.Errorf("%v\n%s", err, text)
			}
		})
	}
}

func TestCertLint_WhatCannotBeReadIsTold(t *testing.T) {
	good := filepath.Join(certificates, "ca/intermediate-martini-security-shaken-g3-49917938.pem")
	for _, file := range []string{"README.md", "odd-synthetic/shakenCaSerialNegative.pem", "nothing.pem"} {
		for _, command := range []interface{ Run(*Streams) error }{
			&CertLint{"auto", []string{filepath.Join(certificates, file), good}}, &CertInspect{[]string{filepath.Join(certificates, file), good}},
		} {
			text, err := output(t, command)
			if err == nil || errors.Is(err, ErrNegative) || !strings.Contains(err.Error(), "1 of 2 files") || !strings.Contains(text, filepath.Base(file)+": ") {
				t.Errorf("%s: %v, %s", file, err, text)
			}
			if !strings.Contains(text, good+", certificate 1 of 1") && !strings.Contains(text, good+": no findings") {
				t.Errorf("%s: the next file was not read:\n%s", file, text)
			}
		}
	}
}

// A chain whose second certificate is cut off is not a chain of one.
func TestCertInspect_TellsWhatIsCutOff(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(certificates, "chains/transnexus-inc-shaken-issuing-ca3-32df47cc.pem"))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(text), "-----BEGIN") + 200
	for name, cut := range map[string]string{"in the middle": string(text[:at]), "before the end": strings.TrimSpace(string(text))[:len(text)-20]} {
		file := filepath.Join(t.TempDir(), "cut.pem")
		if err := os.WriteFile(file, []byte(cut), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []interface{ Run(*Streams) error }{&CertLint{"auto", []string{file}}, &CertInspect{[]string{file}}} {
			if out, err := output(t, command); err == nil || errors.Is(err, ErrNegative) || !strings.Contains(out, "cut.pem: beside 2 PEM blocks there is something that cannot be read") {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
}

func TestCertInspect_SaysWhoMaySign(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	held, err := tn.ParseRange("12155550140-12155550149")
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until := from.Add(24 * time.Hour)
	for _, c := range []struct {
		name   string
		config oobtest.IssueConfig
		at     time.Time
		may    bool
		how    string
	}{
		{"a provider", oobtest.IssueConfig{SPC: "1234"}, until, true, "yes"},
		{"a provider, a second too late", oobtest.IssueConfig{SPC: "1234"}, until.Add(time.Second), false, "no: expired on 2026-01-02T00:00:00Z"},
		{"a provider, a second too early", oobtest.IssueConfig{SPC: "1234"}, from.Add(-time.Second), false, "no: not valid before 2026-01-01T00:00:00Z"},
		{"a delegate", oobtest.IssueConfig{SPC: "acme", TNAuthList: stircert.TNAuthList{Ranges: []tn.Range{held}}}, from, true, "yes, PASSporTs without attestation, for its numbers"},
		{"a certificate for nothing", oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true}, from, false, "no: "},
	} {
		c.config.NotBefore, c.config.NotAfter = from, until
		id, err := pki.Issue(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if may, how := maySign(id.Certificate, c.at); may != c.may || !strings.HasPrefix(how, c.how) || c.may && how != c.how {
			t.Errorf("%s: %t, %q", c.name, may, how)
		}
	}
}

func TestCertInspect_ShowsLimits(t *testing.T) {
	text, err := output(t, &CertInspect{[]string{filepath.Join(certificates, "odd-synthetic/rfc9118-example-EnhancedJWTClaimConstraints.pem")}})
	if err != nil && !errors.Is(err, ErrNegative) { // it has expired, or will
		t.Fatal(err)
	}
	for _, want := range []string{"spc +1234", "must claim +confidence", "may claim +confidence of high, medium", "must not claim +priority", "role +leaf"} {
		if !regexp.MustCompile(`(?m)^  ` + want + `$`).MatchString(text) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	text, _ = output(t, &CertInspect{[]string{filepath.Join(certificates, "ca/intermediate-martini-security-shaken-g3-49917938.pem")}})
	if want := "crl                  https://authenticate-api.iconectiv.com/download/v1/crl issued by "; !strings.Contains(text, want) || !strings.Contains(text, "CN=STI-PA CRL") {
		t.Errorf("%q is not in\n%s", want, text)
	}
}

// corpus writes lines into a file.
func corpus(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "corpus.jsonl")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func corpusLine(t *testing.T, der []byte) string {
	t.Helper()
	line, err := json.Marshal(map[string]any{"url": "https://cr.example.net/a.pem", "der": der})
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// fileCorpus is all certificates of the test data, as a corpus, with their roots.
func fileCorpus(t *testing.T) (roots []string, file string) {
	t.Helper()
	var lines []string
	err := fs.WalkDir(os.DirFS(certificates), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pem" {
			return err
		}
		if strings.HasPrefix(path, "ca/root-") {
			roots = append(roots, filepath.Join(certificates, path))
		}
		text, err := os.ReadFile(filepath.Join(certificates, path))
		if err != nil {
			return err
		}
		for {
			var block *pem.Block
			if block, text = pem.Decode(text); block == nil {
				return nil
			}
			lines = append(lines, corpusLine(t, block.Bytes))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return roots, corpus(t, lines...)
}

func counted(text, group, name string, want int) bool {
	pattern := fmt.Sprintf(`(?m)^%s +%s *%d$`, regexp.QuoteMeta(group), regexp.QuoteMeta(name), want)
	return regexp.MustCompile(pattern).MatchString(text)
}

func TestCore_S6_SurveyOfRealCertificates(t *testing.T) {
	roots, file := fileCorpus(t)
	text, err := output(t, &CertSurvey{Roots: roots, Corpus: file})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group, name string
		want        int
	}{
		{"total", "lines", 235}, {"total", "parsed", 233}, {"total", "not parsed", 2}, {"total", "crashed", 0},
		{"role", "leaf", 133}, {"role", "intermediate", 60}, {"role", "root", 40},
		{"leaves: usable", "", 112}, {"leaves: unusable", "bad-tnauthlist", 9}, {"leaves: unusable", "wrong-version", 2},
		{"leaves: chained", "", 103}, {"leaves: not chained", "not-trusted", 30},
		{"lint: no error", "", 61}, {"lint: error", "spc-form", 1},
	} {
		if !counted(text, c.group, c.name, c.want) {
			t.Errorf("%s, %s: want %d in\n%s", c.group, c.name, c.want, text)
		}
	}
}

func TestCertSurvey_AuthoritiesOfTheCorpusCountWhereverTheyStand(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pki.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	authority := corpusLine(t, pki.Intermediate.Certificate.Raw)
	for _, c := range []struct {
		name  string
		lines []string
		group string
		inRow string
		want  int
	}{
		{"after the leaf", []string{corpusLine(t, leaf.Certificate.Raw), authority}, "leaves: chained", "", 1},
		{"before the leaf", []string{authority, authority, corpusLine(t, leaf.Certificate.Raw)}, "leaves: chained", "", 1},
		{"nowhere", []string{corpusLine(t, leaf.Certificate.Raw)}, "leaves: not chained", "not-trusted", 1},
		{"beside lines that are none", []string{"", "x", "{}", `{"der":"?"}`, `{"der":"MAA="}`, authority}, "total", "without a certificate", 3},
	} {
		text, err := output(t, &CertSurvey{Roots: []string{roots}, Corpus: corpus(t, c.lines...)})
		if err != nil || !counted(text, c.group, c.inRow, c.want) {
			t.Errorf("%s: %v\n%s", c.name, err, text)
		}
	}
	for _, c := range []struct {
		name    string
		command CertSurvey
	}{
		{"a line that is too long", CertSurvey{Roots: []string{roots}, Corpus: corpus(t, strings.Repeat("x", corpusLineBytesMax+1))}},
		{"no corpus", CertSurvey{Roots: []string{roots}, Corpus: "nothing.jsonl"}},
		{"roots that are none", CertSurvey{Roots: []string{corpus(t, "x")}, Corpus: corpus(t, authority)}},
	} {
		if text, err := output(t, &c.command); err == nil || text != "" {
			t.Errorf("%s: %v, %s", c.name, err, text)
		}
	}
}

// A certificate that makes the program panic is one line of the table, and the next is judged as if nothing had been.
func TestCertSurvey_CrashesAreCountedAndEndInANo(t *testing.T) {
	var out strings.Builder
	s := survey{problems: &out, counts: make(map[surveyKey]int)}
	calls := 0
	err := s.read(corpus(t, corpusLine(t, []byte{1}), corpusLine(t, []byte{2})), func([]byte) error {
		if calls++; calls == 1 {
			panic("on purpose") // what the test is about
		}
		return nil
	})
	if err != nil || calls != 2 || s.counts[surveyKey{"total", "crashed"}] != 1 || !strings.Contains(out.String(), "line 1: crashed: on purpose") {
		t.Errorf("%v, %d calls, %v\n%s", err, calls, s.counts, out.String())
	}
	if err := s.print(&out); err != nil || !errors.Is(s.verdict(), ErrNegative) {
		t.Errorf("%v, %v", err, s.verdict())
	}
}
