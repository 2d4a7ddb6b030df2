// Package stoptest stops a process where it is, as a machine does that swaps or waits for its disk.
//
// Knows: when a process stands still. Never hears of: what it does.
//
// Who sends SIGSTOP comes back at once, and the process answers for some milliseconds more where the machine has much to do.
package stoptest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience bounds the wait. It is no speed that is asked for.
const patience = time.Minute

// Stop stops p, a child of this process, and returns when each of its threads stands still. SIGCONT lets it go on.
func Stop(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < patience; <-time.After(time.Millisecond) {
		still, err := stands(p.Pid)
		if still || err != nil {
			return err
		}
	}
	return errors.New("a process goes on that was told to stop")
}

// stands tells whether all threads of a process are stopped, by the state behind the name of each (proc(5)).
func stands(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false, err
	}
	if len(threads) == 0 {
		return false, errors.New("there is no such process, or no /proc to tell of it")
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if os.IsNotExist(err) || errors.Is(err, syscall.ESRCH) {
			continue // a thread that has ended
		}
		if err != nil {
			return false, err
		}
		line := string(text)
		if !strings.HasPrefix(line[strings.LastIndexByte(line, ')')+1:], " T") {
			return false, nil
		}
	}
	return true, nil
}
