// Package seedtest has rapid draw the same each time in the tests of who imports it, which is all that it is for: what is found by
// chance would make a change red that has no part in it. With -rapid.seed=0 it draws anew. What fails is not noted in a file: it
// fails again.
//
// Knows: the flags of rapid. Never hears of: what is drawn.
package seedtest

import (
	"flag"

	_ "pgregory.net/rapid" // whose flags they are
)

func init() {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err) // rapid has no such flag
		}
	}
}
