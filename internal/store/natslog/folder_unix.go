//go:build unix

package natslog

import (
	"os"
	"syscall"
)

// lockWhole locks a file, or fails at once when another process has.
func lockWhole(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
