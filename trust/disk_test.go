package trust_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func newDiskLaboratory(t *testing.T, edit func(*trust.Config)) (l *laboratory, directory string) {
	directory = filepath.Join(t.TempDir(), "certificates")
	return newLaboratory(t, func(c *trust.Config) {
		c.Directory = directory
		if edit != nil {
			edit(c)
		}
	}), directory
}

func TestDisk_RestartNeedsNoFetch(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	l.host.Close()
	l.restart()
	l.mustVerify(id)
	l.wantRequests(1)
	credential, err := l.verifier.Credential(t.Context(), id.X5U)
	if err != nil || !credential.Fetched.Equal(l.clock().Truncate(time.Second)) {
		t.Errorf("%+v, %v", credential, err)
	}
	info, err := os.Stat(filepath.Join(directory, trust.FileName(id.X5U)))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err = os.Stat(directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if s := l.verifier.Stats(); s.DiskFailures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestDisk_UntrustedIsNotKept(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	wants(t, l.verify(l.issue(oobtest.IssueConfig{SPC: "1234", WithoutTNAuthList: true})), oob.CredentialUntrusted, stircert.NoTNAuthList)
	if files, err := os.ReadDir(directory); err != nil || len(files) != 0 {
		t.Errorf("%v, %v", files, err)
	}
}

// The disk is not believed: whatever is done to a file costs a fetch and nothing else.
func TestDisk_TamperedFileCostsAFetch(t *testing.T) {
	for name, tamper := range map[string]func(l *laboratory, id *oobtest.Identity, content []byte) []byte{
		"empty":      func(*laboratory, *oobtest.Identity, []byte) []byte { return nil },
		"garbage":    func(*laboratory, *oobtest.Identity, []byte) []byte { return []byte("\x00\xff") },
		"cut":        func(_ *laboratory, _ *oobtest.Identity, b []byte) []byte { return b[:len(b)/2] },
		"head alone": func(_ *laboratory, _ *oobtest.Identity, b []byte) []byte { return b[:bytes.Index(b, []byte("\n\n"))+2] },
		"too long": func(_ *laboratory, _ *oobtest.Identity, b []byte) []byte {
			return append(b, bytes.Repeat([]byte("\n"), 100<<10)...)
		},
		"another URL": func(_ *laboratory, id *oobtest.Identity, b []byte) []byte {
			return bytes.Replace(b, []byte(id.X5U), []byte(id.X5U+"x"), 1)
		},
		"fetched tomorrow": func(l *laboratory, _ *oobtest.Identity, b []byte) []byte {
			return bytes.Replace(b, []byte("fetched: "+stamp(l.clock())), []byte("fetched: "+stamp(l.clock().Add(time.Hour))), 1)
		},
		"fresh for years": func(l *laboratory, _ *oobtest.Identity, b []byte) []byte {
			return bytes.Replace(b, []byte("fresh: "+stamp(l.clock().Add(24*time.Hour))), []byte("fresh: 2999-01-01T00:00:00Z"), 1)
		},
		"expired": func(l *laboratory, _ *oobtest.Identity, b []byte) []byte {
			expired := l.issue(oobtest.IssueConfig{SPC: "1234", NotAfter: l.clock().Add(-time.Minute)})
			return append(b[:bytes.Index(b, []byte("\n\n"))+2:bytes.Index(b, []byte("\n\n"))+2], expired.ChainPEM...)
		},
		"certificate of another CA": func(l *laboratory, _ *oobtest.Identity, b []byte) []byte {
			stranger, err := oobtest.NewPKI(oobtest.PKIConfig{Now: l.clock})
			if err != nil {
				t.Fatal(err)
			}
			forged := issueFrom(t, stranger, l.host.URL, oobtest.IssueConfig{SPC: "1234"})
			return append(b[:bytes.Index(b, []byte("\n\n"))+2:bytes.Index(b, []byte("\n\n"))+2], forged.ChainPEM...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, directory := newDiskLaboratory(t, nil)
			id := l.issue(oobtest.IssueConfig{SPC: "1234"})
			l.mustVerify(id)
			file := filepath.Join(directory, trust.FileName(id.X5U))
			before := read(t, file)
			after := tamper(l, id, bytes.Clone(before))
			if bytes.Equal(before, after) {
				t.Fatal("nothing was tampered with")
			}
			if err := os.WriteFile(file, after, 0o600); err != nil {
				t.Fatal(err)
			}
			l.restart()
			l.mustVerify(id)
			l.wantRequests(2)
			if !bytes.Equal(read(t, file), before) {
				t.Error("the file was not repaired")
			}
		})
	}
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

func TestDisk_RulesForX5UHoldForFilesToo(t *testing.T) {
	l, _ := newDiskLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	l.mustVerify(id)
	l.config.Repository.Laboratory = trust.Laboratory{} // the port is no longer allowed
	l.restart()
	wants(t, l.verify(id), oob.CredentialUnreachable, trust.ErrX5U)
}

func TestDisk_LeavesStrangersFilesAlone(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	secret := filepath.Join(t.TempDir(), "secret")
	link := filepath.Join(directory, strings.Repeat("a", 64)+".chain.pem")
	for _, file := range []string{filepath.Join(directory, "notes.txt"), filepath.Join(directory, "ca.pem"), secret} {
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	halfWritten := filepath.Join(directory, "123.chain.new")
	if err := os.WriteFile(halfWritten, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.restart()
	for _, file := range []string{"notes.txt", "ca.pem", filepath.Base(link)} {
		if _, err := os.Lstat(filepath.Join(directory, file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(halfWritten); !os.IsNotExist(err) {
		t.Errorf("a file that was never finished stays: %v", err)
	}
}

func TestDisk_IsBoundedAsTheCacheIs(t *testing.T) {
	l, directory := newDiskLaboratory(t, func(c *trust.Config) { c.CertificatesMax = 2 })
	count := func() int {
		files, err := os.ReadDir(directory)
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	for range 4 {
		l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
	}
	if n := count(); n != 2 {
		t.Errorf("%d files", n)
	}
	l.config.CertificatesMax = 1
	l.restart()
	if n := count(); n != 1 || l.verifier.Stats().Certificates != 1 {
		t.Errorf("%d files after a restart with a smaller cache", n)
	}
}

func TestDisk_FailureIsCountedAndNoMore(t *testing.T) {
	l, directory := newDiskLaboratory(t, nil)
	if err := os.RemoveAll(directory); err != nil {
		t.Fatal(err)
	}
	l.mustVerify(l.issue(oobtest.IssueConfig{SPC: "1234"}))
	if n := l.verifier.Stats().DiskFailures; n != 1 {
		t.Errorf("%d disk failures", n)
	}
}

func TestDisk_DirectoryThatCannotBeIsAnErrorAtTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := trust.New(trust.Config{Directory: file}); err == nil || v != nil {
		t.Error("a file was taken for a directory")
	}
}
