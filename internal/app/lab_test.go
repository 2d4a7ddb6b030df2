package app

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/trust/crl"
)

// laboratoryIn writes a laboratory into a folder of its own.
func laboratoryIn(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "lab")
	lab := LabInit{Dir: dir, SPC: []string{"1234"}, Repository: "127.0.0.1:1", CPS: "127.0.0.1:2", Management: "127.0.0.1:3", SIP: "127.0.0.1:0"}
	if text, err := output(t, &lab); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return dir
}

// What a laboratory issues is as ATIS-1000080 has it, and the revocation list is where its certificates say.
func TestLab_CertificatesNameTheListThatIsServed(t *testing.T) {
	dir := laboratoryIn(t)
	if text, err := output(t, &CertLint{"v005", []string{filepath.Join(dir, labRepository, "1234.pem"), filepath.Join(dir, labSTIRoot)}}); err != nil || !strings.HasSuffix(text, "2 of 2 without a finding\n") {
		t.Errorf("%v\n%s", err, text)
	}
	answer := httptest.NewRecorder()
	newRepositoryServer(dir).Handler.ServeHTTP(answer, httptest.NewRequest("GET", labCRLPath, nil))
	if _, err := crl.Parse(answer.Body.Bytes()); err != nil || answer.Header().Get("Content-Type") != "application/pkix-crl" {
		t.Errorf("%d %v: %v", answer.Code, answer.Header(), err)
	}
	answer = httptest.NewRecorder()
	newRepositoryServer(dir).Handler.ServeHTTP(answer, httptest.NewRequest("GET", "/1234.pem", nil))
	want, err := os.ReadFile(filepath.Join(dir, labRepository, "1234.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(answer.Body.Bytes(), want) || answer.Header().Get("Content-Type") != "application/pem-certificate-chain" {
		t.Errorf("%d %v", answer.Code, answer.Header())
	}
}

func TestLabInit_RefusesBeforeItWrites(t *testing.T) {
	good := LabInit{SPC: []string{"1234"}, Repository: "127.0.0.1:1", CPS: "127.0.0.1:2", Management: "127.0.0.1:3", SIP: "127.0.0.1:0"}
	for _, c := range []struct {
		name   string
		change func(*LabInit)
		want   string
	}{
		{"no provider", func(l *LabInit) { l.SPC = nil }, "--spc is needed"},
		{"a path", func(l *LabInit) { l.SPC = []string{"../x"} }, "letters and digits"},
		{"a provider twice", func(l *LabInit) { l.SPC = []string{"a", "A"} }, "there twice"},
		{"one address for repository and CPS", func(l *LabInit) { l.CPS = l.Repository }, "--repository and --cps"},
		{"one address for CPS and management", func(l *LabInit) { l.Management = l.CPS }, "--cps and --management"},
		{"one address for repository and management", func(l *LabInit) { l.Management = l.Repository }, "--repository and --management"},
	} {
		lab := good
		lab.Dir = filepath.Join(t.TempDir(), "lab")
		c.change(&lab)
		text, err := output(t, &lab)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || text != "" {
			t.Errorf("%s: %v\n%s", c.name, err, text)
		}
		if _, err := os.Stat(lab.Dir); err == nil {
			t.Errorf("%s: something was written", c.name)
		}
	}
	lab := good
	lab.Dir, lab.CPS, lab.Management = filepath.Join(t.TempDir(), "lab"), "127.0.0.1:0", "127.0.0.1:0"
	if _, err := output(t, &lab); err != nil {
		t.Errorf("port 0 is another one each time: %v", err)
	}
}

func TestLab_SPCsAreNoPaths(t *testing.T) {
	dir := laboratoryIn(t)
	for _, spc := range []string{"../x", "..", "a/b", "1234/../1234", "1234\x00"} {
		for name, signer := range map[string]Signer{"its own key": {Lab: dir, SPC: spc}, "another key": {Lab: dir, SPC: spc, Key: "k", X5U: "u"}} {
			if _, err := signer.credential(); err == nil || !strings.Contains(err.Error(), "letters and digits") {
				t.Errorf("%q with %s: %v", spc, name, err)
			}
		}
	}
	if _, err := (&Signer{Lab: dir, SPC: "9999"}).load(); err == nil || !strings.Contains(err.Error(), "has no provider 9999") {
		t.Error(err)
	}
}

// TestReadFile_IsBounded: a device has no end.
func TestReadFile_IsBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("12345678"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := readFile(name, 8); err != nil || string(content) != "12345678" {
		t.Errorf("%q, %v", content, err)
	}
	for _, c := range []struct {
		name string
		max  int64
		want string
	}{{name, 7, "longer than 7 bytes"}, {"/dev/zero", 7, "/dev/zero: longer than 7 bytes"}, {t.TempDir(), 7, "is a directory"}, {name + "?", 7, "no such file"}} {
		if content, err := readFile(c.name, c.max); content != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v", c.name, content, err)
		}
	}
}
