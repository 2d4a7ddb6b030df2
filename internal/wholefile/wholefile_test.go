package wholefile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/wholefile"
)

func TestWrite_WholeAndForItsOwnerAlone(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new")
	name := filepath.Join(directory, "a")
	for _, text := range []string{"first", "second, and longer"} {
		if err := wholefile.Write(directory, "a", []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := wholefile.Read(name, 100)
		if err != nil || string(got) != text {
			t.Errorf("%q, %v", got, err)
		}
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// What a crash, or somebody else, has left where the half of a file goes is not followed.
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.Symlink(victim, name+wholefile.NewSuffix); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(directory, "a", []byte("third")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(victim); err == nil {
		t.Error("a link was followed")
	}
	left, err := os.ReadDir(directory)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestRead_Refused(t *testing.T) {
	directory := t.TempDir()
	if err := wholefile.Write(directory, "a", []byte("four")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		most int64
	}{"too long": {filepath.Join(directory, "a"), 3}, "not there": {filepath.Join(directory, "b"), 10}, "a directory": {directory, 10}} {
		if got, err := wholefile.Read(c.path, c.most); err == nil || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
