//go:build unix

package app

import "syscall"

// apart keeps a process from the signals of the terminal: it ends when it is told to.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
