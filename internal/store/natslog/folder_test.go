package natslog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFolderIsOfOneNodeAndOneProcess: two that share it, or one that takes that of another, corrupt the log or its votes.
func TestFolderIsOfOneNodeAndOneProcess(t *testing.T) {
	dir := t.TempDir()
	release, err := claim(dir, "main/n1", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := claim(dir, "main/n1", false); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("claimed twice: %v", err)
	}
	release()
	if _, err := claim(dir, "main/n2", false); err == nil || !strings.Contains(err.Error(), "belongs to node main/n1;") {
		t.Errorf("claimed by another node: %v", err)
	}
	if _, err := claim(dir, "main/n1", true); err == nil || !strings.Contains(err.Error(), "when it was one of several: remove") {
		t.Errorf("claimed by the node alone: %v", err)
	}
	if release, err = claim(dir, "main/n1", false); err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	release()
	if err := os.WriteFile(filepath.Join(dir, nodeFile), []byte("main/\x1b\x5a1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if release, err = claim(dir, "main/n1", false); err != nil {
		t.Fatalf("with a damaged name: %v", err)
	}
	release()
	if err := os.WriteFile(filepath.Join(dir, nodeFile), []byte("main/n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if release, err = claim(dir, "main/n1", true); err != nil {
		t.Fatalf("as an earlier version has left it: %v", err)
	}
	release()
	if _, err := claim(dir, "main/n1", false); err == nil || !strings.Contains(err.Error(), "when it was alone: remove") {
		t.Errorf("claimed for a cluster: %v", err)
	}
}
