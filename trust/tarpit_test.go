package trust_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/trust"
)

// A host that takes connections and never says a word holds none of them, however long it would.
func TestCore_S4_1_SilentHostIsLetGo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ended := make(chan struct{}, 16)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, conn) // until the other side hangs up
				ended <- struct{}{}
				conn.Close()
			}()
		}
	}()
	l := newLaboratory(t, func(c *trust.Config) { c.Repository.Deadline = 500 * time.Millisecond }) // in which anybody connects
	for i := range 4 {
		_, err := l.verifier.Credential(t.Context(), fmt.Sprintf("https://%s/%d", listener.Addr(), i))
		wants(t, err, oob.CredentialUnreachable, nil)
		if errors.Is(err, trust.ErrX5U) {
			t.Fatal(err)
		}
	}
	late := time.After(time.Minute) // what never ends must end the test
	for i := range 4 {
		select {
		case <-ended:
		case <-late:
			t.Fatalf("connection %d is still open", i+1)
		}
	}
	for strings.Contains(stacks(), "net/http.(*Transport).dialConn") {
		select {
		case <-late:
			t.Fatal("its goroutines are still there")
		default:
			runtime.Gosched()
		}
	}
}

func stacks() string {
	text := make([]byte, 1<<20)
	return string(text[:runtime.Stack(text, true)])
}
