//go:build !unix

package app

import "syscall"

// apart is nothing here: a terminal's signals go to all its processes.
func apart() *syscall.SysProcAttr { return nil }
