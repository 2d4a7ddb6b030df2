package testdata

import "testing"

func FuzzParse(f *testing.F) { f.Skip("is only here to be found by name") }
