package porttest_test

import (
	"net"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/porttest"
)

// TestNoPortIsGivenTwice, of more than a block has, and each can be listened on.
func TestNoPortIsGivenTwice(t *testing.T) {
	given := map[string]bool{}
	for range 1500 {
		address, err := porttest.Address("tcp")
		if err != nil {
			t.Fatal(err)
		}
		if given[address] {
			t.Fatalf("%s twice", address)
		}
		given[address] = true
		listener, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}
