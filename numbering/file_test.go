package numbering_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stircert"
)

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func openFile(t testing.TB, text string) *numbering.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "numbers.csv")
	write(t, name, text)
	f, err := numbering.OpenFile(numbering.FileConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestRFC9888_S10_WhatHasBeenPortedIsTheNewProviders(t *testing.T) {
	f := openFile(t, "OLD1,12155550000,10000\nNEW1,12155550121\nALL1,911\nALL2,911\n")
	wants(t, f, number(t, "12155550120"), 0, "OLD1")
	wants(t, f, number(t, "12155550121"), 0, "NEW1")
	wants(t, f, number(t, "911"), 0, "ALL1", "ALL2")
	wants(t, f, number(t, "12155560000"), oob.NotFound)
	wants(t, f, number(t, "*67"), oob.NotFound)
}

func TestOpenFile_Refused(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, text, want string }{
		{"a line that is wrong", "567A,12155550121\n567A\n", "line 2"},
		{"nothing", "", "no rows"},
		{"comments alone", "# to come\n", "no rows"},
	} {
		name := filepath.Join(dir, "numbers.csv")
		write(t, name, c.text)
		if f, err := numbering.OpenFile(numbering.FileConfig{Name: name}); err == nil || f != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := numbering.OpenFile(numbering.FileConfig{Name: filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := numbering.OpenFile(numbering.FileConfig{Name: dir}); err == nil {
		t.Error("a directory is a file of numbers")
	}
}

func TestFile_ABrokenFileLeavesTheOldOneInUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "numbers.csv")
	write(t, name, "OLD1,12155550121\n")
	f, err := numbering.OpenFile(numbering.FileConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := number(t, "12155550121")
	loaded := f.State().Loaded
	for _, broken := range []string{"NEW1,12155550121\nNEW1,+1\n", ""} {
		write(t, name, broken)
		if err := f.Reload(); err == nil {
			t.Error("no error")
		}
		wants(t, f, n, 0, "OLD1")
		if s := f.State(); s.Fault == nil || s.Failed.IsZero() || s.Rows != 1 || !s.Loaded.Equal(loaded) {
			t.Errorf("%+v", s)
		}
	}
	write(t, name, "NEW1,12155550121\nNEW1,12155550123\n")
	if err := f.Reload(); err != nil {
		t.Error(err)
	}
	wants(t, f, n, 0, "NEW1")
	if s := f.State(); s.Fault != nil || s.Rows != 2 || !s.Failed.IsZero() {
		t.Errorf("%+v", s)
	}
}

func TestFile_IsLoadedAgainWhenItHasChangedAndSettled(t *testing.T) {
	name := filepath.Join(t.TempDir(), "numbers.csv")
	write(t, name, "OLD1,12155550121\n")
	synctest.Test(t, func(t *testing.T) {
		noted := make(chan numbering.FileState, 10)
		f, err := numbering.OpenFile(numbering.FileConfig{Name: name, Poll: time.Second, Note: func(s numbering.FileState) { noted <- s }})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		n := number(t, "12155550121")
		look := func() {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		replace := func(text string) { // as another file: two writes may have the same time
			write(t, name+".new", text)
			if err := os.Rename(name+".new", name); err != nil {
				t.Fatal(err)
			}
		}
		look()
		look()
		replace("NEW1,12155550121\n")
		look()
		wants(t, f, n, 0, "OLD1") // it has changed just now
		replace("NEW2,12155550121\n")
		look()
		wants(t, f, n, 0, "OLD1") // and again
		look()
		wants(t, f, n, 0, "NEW2")
		look()
		if len(noted) != 1 || (<-noted).Fault != nil {
			t.Error("not noted, or as a fault")
		}
		replace("NEW3\n")
		for range 5 { // a broken one is tried once
			look()
		}
		wants(t, f, n, 0, "NEW2")
		if len(noted) != 1 {
			t.Errorf("noted %d times", len(noted))
		}
		if s := <-noted; !errors.Is(s.Fault, stircert.ErrNumberData) || !strings.Contains(s.Fault.Error(), "line 1") {
			t.Errorf("%+v", s)
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			look()
		}
		wants(t, f, n, 0, "NEW2")
		if len(noted) != 1 || !errors.Is(f.State().Fault, os.ErrNotExist) {
			t.Errorf("noted %d times: %+v", len(noted), f.State())
		}
		replace("NEW4,12155550121\n")
		look()
		look()
		wants(t, f, n, 0, "NEW4")
		if f.State().Fault != nil {
			t.Error(f.State().Fault)
		}
	})
}

func TestFile_ALookUpAllocatesNothing(t *testing.T) {
	f := openFile(t, "OLD1,12155550000,10000\nNEW1,12155550121\n")
	n := number(t, "12155550121")
	if allocs := testing.AllocsPerRun(1000, func() { _, _ = f.SPCs(t.Context(), n) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
