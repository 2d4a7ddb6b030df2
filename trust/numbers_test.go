package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func numberData(t testing.TB, lines ...string) *stircert.NumberData {
	t.Helper()
	file := filepath.Join(t.TempDir(), "numbers.csv")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := trust.LoadNumberData(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRFC9060_S4_AProvidersNumbersAreKnownFromData(t *testing.T) {
	l := newLaboratory(t, nil)
	under := delegate(t, l.pki, oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true})
	leaf, err := under.Issue(oobtest.IssueConfig{TNAuthList: blockOf(t, "12155550100-12155550199")})
	if err != nil {
		t.Fatal(err)
	}
	chain := chainOf(leaf, under.Intermediate.Certificate)
	wants(t, l.verifier.Judge(chain), oob.CredentialUntrusted, stircert.BeyondIssuer)
	l.verifier.SetNumbers(numberData(t, "# ours", "1234,12155550000,1000"))
	if err := l.verifier.Judge(chain); err != nil {
		t.Error(err)
	}
	l.verifier.SetNumbers(numberData(t, "567B,12155550000,1000"))
	wants(t, l.verifier.Judge(chain), oob.CredentialUntrusted, stircert.BeyondIssuer)

	l.config.Numbers = numberData(t, "1234,12155550000,1000")
	l.restart()
	if err := l.verifier.Judge(chain); err != nil {
		t.Error(err)
	}
}

func TestLoadNumberData_NamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "numbers.csv")
	if _, err := trust.LoadNumberData(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(file, []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	data, err := trust.LoadNumberData(file)
	if !errors.Is(err, stircert.ErrNumberData) || !strings.Contains(err.Error(), file) || data != nil {
		t.Errorf("got %v", err)
	}
	if _, err := trust.LoadNumberData(filepath.Dir(file)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if err := os.Truncate(file, trust.NumberFileBytesMax+1); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.LoadNumberData(file); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a long file: %v", err)
	}
}
