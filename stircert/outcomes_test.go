package stircert_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// outcome is one row of testdata/outcomes.tsv.
type outcome struct {
	path, read, endEntity string
	at                    time.Time // zero when the file cannot be read
}

func outcomes(t *testing.T) []outcome {
	t.Helper()
	f, err := os.Open("testdata/outcomes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []outcome
	lines := bufio.NewScanner(f)
	lines.Scan() // the head
	for lines.Scan() {
		column := strings.Split(lines.Text(), "\t")
		if len(column) != 5 {
			t.Fatalf("row with %d columns: %s", len(column), lines.Text())
		}
		row := outcome{path: column[0], read: column[1], endEntity: column[2]}
		if column[4] != "-" {
			if row.at, err = time.Parse(time.RFC3339, column[4]); err != nil {
				t.Fatal(err)
			}
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// named turns an error into what a table says.
func named(err error) string {
	if err == nil {
		return "ok"
	}
	if problem, ok := errors.AsType[stircert.Problem](err); ok {
		return problem.Name()
	}
	return "not a Problem: " + err.Error()
}

func TestOutcomes_EveryCertificateHasItsStatedOutcome(t *testing.T) {
	for _, row := range outcomes(t) {
		t.Run(row.path, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata", row.path))
			if err != nil {
				t.Fatal(err)
			}
			chain, err := stircert.ParseChainPEM(body)
			if got := named(err); got != row.read {
				t.Fatalf("read: %s, want %s", got, row.read)
			}
			if err != nil {
				if chain != nil {
					t.Error("certificates beside an error")
				}
				return
			}
			leaf := stircert.Of(chain[0])
			if got := named(leaf.CheckEndEntity()); got != row.endEntity {
				t.Errorf("end entity: %s, want %s", got, row.endEntity)
			}
			if err := leaf.CheckTime(row.at); err != nil {
				t.Errorf("at the stated time: %v", err)
			}
		})
	}
}

func TestOutcomes_EveryFileHasOneRow(t *testing.T) {
	var rows, files []string
	for _, row := range outcomes(t) {
		rows = append(rows, row.path)
	}
	err := fs.WalkDir(os.DirFS("testdata"), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".pem") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(rows)
	slices.Sort(files)
	if len(files) != 209 || !slices.Equal(rows, files) {
		t.Errorf("%d files, %d rows; they must be the same 209", len(files), len(rows))
	}
}

// lint.tsv states for the first certificate of every file its role, the edition that was in force, what Lint finds, errors
// and warnings apart, and how many CRL distribution points and claim constraints it has.
func TestOutcomes_EveryCertificateHasItsStatedFindings(t *testing.T) {
	f, err := os.Open("testdata/lint.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	stated := make(map[string]string)
	lines := bufio.NewScanner(f)
	lines.Scan() // the head
	for lines.Scan() {
		path, rest, _ := strings.Cut(lines.Text(), "\t")
		stated[path] = rest
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, row := range outcomes(t) {
		got := "-"
		if row.read == "ok" {
			got = findingsLine(t, row.path)
		}
		if got != stated[row.path] {
			t.Errorf("%s:\n%s, stated\n%s", row.path, got, stated[row.path])
		}
		delete(stated, row.path)
	}
	if len(stated) > 0 {
		t.Errorf("findings of files that are not there: %v", stated)
	}
}

func findingsLine(t *testing.T, path string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := stircert.ParseChainPEM(body)
	if err != nil {
		t.Fatal(err)
	}
	cert := stircert.Of(chain[0])
	role := stircert.RoleOf(cert)
	found := map[stircert.Severity][]string{}
	for _, finding := range stircert.Lint(cert, role, stircert.EditionInForce) {
		found[finding.Severity] = append(found[finding.Severity], finding.Rule)
	}
	points, err := cert.CRLPoints()
	if err != nil {
		t.Fatal(err)
	}
	issuers := 0
	for _, point := range points {
		if point.Issuer != "" {
			issuers++
		}
	}
	return fmt.Sprintf("%v\t%v\t%s\t%s\t%d of %d\t%v", role, stircert.EditionAt(cert.NotBefore),
		orNone(found[stircert.Error]), orNone(found[stircert.Warning]), issuers, len(points), cert.Constraints != nil)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, " ")
}
