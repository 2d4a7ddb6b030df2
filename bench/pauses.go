package main

import (
	"context"
	"os"
	"os/exec"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// A wall time alone does not tell why a put or a get took long: it may have worked, waited for a lock, or had no processor. So three
// things stand beside it:
//
//   - what the runtime and the kernel say of the same time (circumstances);
//   - the same once more in front of all others: with SCHED_FIFO, a thread of the process that could run does run, if one of the
//     processors does anything less urgent. What is long then is this program's doing, Go's, or that of the machine beneath;
//   - the processor time of the put or get itself, its goroutine bound to a thread. That has all that it does, its share in a
//     collection (mark assist) and the pages that it touches first, and nothing that it waits for.

// circumstances are sums since the process or the machine has started, but for the histograms.
type circumstances struct {
	waited time.Duration // in which threads of this process could run, and had no processor
	stolen time.Duration // in which the host had the processors, as far as it says so
	idle   time.Duration // of all processors

	stops, stopping  runtimemetrics.Float64Histogram // of the world, by the collector
	assisted, locked float64                         // s
}

// Fields of the first line of /proc/stat.
const (
	idleField  = 4
	stealField = 8
)

func lookAround() (c circumstances) {
	for _, text := range threads(os.Getpid(), "schedstat") {
		if fields := strings.Fields(text); len(fields) > 1 {
			nanoseconds, _ := strconv.ParseInt(fields[1], 10, 64)
			c.waited += time.Duration(nanoseconds)
		}
	}
	text, _ := os.ReadFile("/proc/stat") // absent: zero
	first, _, _ := strings.Cut(string(text), "\n")
	if fields := strings.Fields(first); len(fields) > stealField {
		ticks := func(field int) time.Duration {
			n, _ := strconv.ParseInt(fields[field], 10, 64)
			return time.Duration(n) * clockTick
		}
		c.idle, c.stolen = ticks(idleField), ticks(stealField)
	}
	sample := []runtimemetrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/pauses/stopping/gc:seconds"},
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}, {Name: "/sync/mutex/wait/total:seconds"},
	}
	runtimemetrics.Read(sample)
	c.stops, c.stopping = *sample[0].Value.Float64Histogram(), *sample[1].Value.Float64Histogram()
	c.assisted, c.locked = sample[2].Value.Float64(), sample[3].Value.Float64()
	return c
}

// told adds what there was between two looks, in so long a time.
func (r *resident) told(how string, before, after circumstances, took time.Duration) {
	r.add("longest stop of the world by the collector"+how, "ms", longest(before.stops, after.stops), aimPause)
	r.add("of that, until all had stopped"+how, "ms", longest(before.stopping, after.stopping), 0)
	r.add("mark assist, of all goroutines"+how, "ms/s", 1000*(after.assisted-before.assisted)/took.Seconds(), 0)
	r.add("waiting for locks, of all goroutines"+how, "ms/s", 1000*(after.locked-before.locked)/took.Seconds(), 0)
	r.add("ready without a processor, of all threads"+how, "ms/s", perSecond(after.waited-before.waited, took), 0)
	r.add("meanwhile idle, of all processors"+how, "ms/s", perSecond(after.idle-before.idle, took), 0)
	r.add("taken by the host, as far as it says"+how, "ms/s", perSecond(after.stolen-before.stolen, took), 0)
}

func perSecond(sum, took time.Duration) float64 { return 1000 * sum.Seconds() / took.Seconds() }

// longest is the upper end of the class of the longest pause between two readings, in ms.
func longest(before, after runtimemetrics.Float64Histogram) float64 {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			return after.Buckets[min(i+1, len(after.Buckets)-2)] * 1000
		}
	}
	return 0
}

// inFront has all threads of this process run before all others whenever they can, until back is called. It reports false where that
// is not to be had: without chrt (util-linux), or without the right to it.
func inFront(ctx context.Context) (back func() error, ok bool) {
	set := func(policy, priority string) error {
		return exec.CommandContext(ctx, "chrt", "--all-tasks", policy, "--pid", priority, strconv.Itoa(os.Getpid())).Run()
	}
	if set("--fifo", "1") != nil {
		return nil, false
	}
	return func() error { return set("--other", "0") }, true
}
