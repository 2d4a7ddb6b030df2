package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A server may be several processes: what is read here of /proc is the sum of a process and all below it, and zero where
// there is no /proc.

// family is a process and all below it.
func family(pid int) []int {
	list := []int{pid}
	for _, text := range threads(pid, "children") {
		for _, child := range strings.Fields(text) {
			if id, err := strconv.Atoi(child); err == nil {
				list = append(list, family(id)...)
			}
		}
	}
	return list
}

// threads reads a file of each thread.
func threads(pid int, file string) []string {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/%s", pid, file)) // the pattern is a good one
	var texts []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err == nil { // else the thread has just ended
			texts = append(texts, string(text))
		}
	}
	return texts
}

// cpu is the processor time taken so far, user and system.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, pid := range family(p.command.Process.Pid) {
		total += cpuOf(pid)
	}
	return total
}

// cpuOf is the processor time of one process. It counts by the nanosecond, where /proc/PID/stat has a hundredth of a second.
func cpuOf(pid int) time.Duration {
	var total time.Duration
	for _, text := range threads(pid, "schedstat") {
		onCore, _, _ := strings.Cut(text, " ")
		nanoseconds, _ := strconv.ParseInt(onCore, 10, 64)
		total += time.Duration(nanoseconds)
	}
	return total
}

// clockTick is the unit of /proc/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// machineCPU is the processor time that everything on the machine has taken so far.
func machineCPU() time.Duration {
	text, _ := os.ReadFile("/proc/stat") // absent: zero
	first, _, _ := strings.Cut(string(text), "\n")
	var total time.Duration
	for i, field := range strings.Fields(first) {
		ticks, _ := strconv.ParseInt(field, 10, 64)
		// After the name: user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user already.
		if i >= 1 && i <= 8 && i != 4 && i != 5 {
			total += time.Duration(ticks) * clockTick
		}
	}
	return total
}

// peak is the most that has been resident so far, in bytes.
func (p *process) peak() int64 { return p.inAll("status", "VmHWM") }

// memory is what is resident, in bytes; pages that several processes share are divided among them.
func (p *process) memory() int64 { return p.inAll("smaps_rollup", "Pss") }

// inAll adds up a line of a file in /proc over the processes, in bytes.
func (p *process) inAll(file, line string) int64 {
	var total int64
	for _, pid := range family(p.command.Process.Pid) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)) // absent: nothing is added
		_, rest, _ := bytes.Cut(text, []byte("\n"+line+":"))
		if fields := bytes.Fields(rest); len(fields) > 0 {
			kilobytes, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			total += kilobytes << 10
		}
	}
	return total
}
