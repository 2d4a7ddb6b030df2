package atis1000080_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/stircert"
)

// certificates are the first ones of the files of certificates that the network uses.
func certificates(t *testing.T) map[string]*stircert.Certificate {
	t.Helper()
	files, err := filepath.Glob("../../stircert/testdata/*/*.pem")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	found := make(map[string]*stircert.Certificate)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		if cert, err := stircert.Parse(block.Bytes); err == nil { // which do not parse is stated in outcomes.tsv
			found[name] = cert
		}
	}
	return found
}

// A quarter of the network's certificates deviate from the profile, and calls are verified with them all the same.
func TestATIS80_45_FindingsFailNoCall(t *testing.T) {
	usable := 0
	for name, cert := range certificates(t) {
		if stircert.RoleOf(cert) != stircert.Leaf || !strings.Contains(name, "/odd/") {
			continue
		}
		for _, f := range stircert.Lint(cert, stircert.Leaf, stircert.V005) {
			if f.Severity == stircert.Error && cert.CheckEndEntity() == nil {
				usable++
				break
			}
		}
	}
	if usable < 30 {
		t.Errorf("%d certificates with errors are usable", usable)
	}
}

func TestATIS80_46_EveryFindingHasARow(t *testing.T) {
	table, err := os.ReadFile("requirements.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rules := make(map[string]bool)
	for _, cert := range certificates(t) {
		for _, edition := range []stircert.Edition{stircert.V003, stircert.V004, stircert.V005} {
			for _, f := range stircert.Lint(cert, stircert.RoleOf(cert), edition) {
				rules[f.Rule] = true
			}
		}
	}
	if len(rules) < 25 {
		t.Errorf("the certificates of the network break %d rules", len(rules))
	}
	for rule := range rules {
		if !strings.Contains(string(table), "(rule "+rule+")") {
			t.Errorf("%s has no row", rule)
		}
	}
}
