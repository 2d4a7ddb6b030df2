package atis1000096_test

import (
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/pairtest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// form is the form of this document; the other is what it must not be mixed with.
const (
	form  = oob.Mesh
	other = oob.Agreed
)

// pair has what the tests of this document alone say.
type pair struct{ *pairtest.Pair }

func start(t *testing.T, c oobtest.CPSConfig) *pair {
	t.Helper()
	return &pair{pairtest.Start(t, form, c)}
}
