package rfc9888_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/pairtest"
	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// providers are a pair whose CPS knows that the called number is the downstream provider's.
type providers struct {
	*pairtest.Pair
	numbers oob.Numbering
}

func start(t *testing.T, c oobtest.CPSConfig) *providers {
	t.Helper()
	name := filepath.Join(t.TempDir(), "numbers.csv")
	if err := os.WriteFile(name, []byte(oobtest.DownstreamSPC+","+oobtest.CalledNumber+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := numbering.OpenFile(numbering.FileConfig{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(file.Close)
	c.Service.Numbering = file
	return &providers{pairtest.Start(t, oob.RFC9888, c), file}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for t.Context().Err() == nil {
		if done() {
			return
		}
		runtime.Gosched()
	}
	t.Fatal("it has not come about")
}
