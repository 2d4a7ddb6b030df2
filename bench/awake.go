package main

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strconv"
)

// startAwake turns in a circle until the process ends.
func startAwake() (hello, io.Closer, error) {
	go func() {
		for {
			runtime.Gosched()
		}
	}()
	return hello{}, io.NopCloser(nil), nil
}

// keepAwake lets a process turn in a circle on the servers' core whenever nobody else wants it (SCHED_IDLE). A core of a
// virtual machine that has been halted takes longer to wake than a call takes to answer, and the kernel charges that to the
// server: without this, a server that waits between calls is dearer than one whose core others keep busy. Without chrt
// (util-linux) there is none: nil.
func keepAwake(ctx context.Context) (*process, error) {
	chrt, err := exec.LookPath("chrt")
	if _, pinned := pinning(); err != nil || !pinned {
		return nil, nil
	}
	p, err := startProcess(ctx, roleAwake)
	if err != nil {
		return nil, err
	}
	if err := exec.CommandContext(ctx, chrt, "--all-tasks", "--idle", "--pid", "0", strconv.Itoa(p.command.Process.Pid)).Run(); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}
