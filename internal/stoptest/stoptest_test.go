package stoptest_test

import (
	"bufio"
	"io"
	"os/exec"
	"syscall"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/stoptest"
)

// TestStopped: who has been stopped says nothing until it goes on.
func TestStopped(t *testing.T) {
	cmd := exec.Command("cat")
	to, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := stoptest.Stop(cmd.Process); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(to, "word\n"); err != nil {
		t.Fatal(err)
	}
	if err := stoptest.Stop(cmd.Process); err != nil { // twice is once
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(from).ReadString('\n'); err != nil || line != "word\n" {
		t.Errorf("%q, %v", line, err)
	}
	if err := to.Close(); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if err := stoptest.Stop(cmd.Process); err == nil {
		t.Error("a process that has ended was stopped")
	}
}
