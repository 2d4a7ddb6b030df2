package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed dip.xml
var sippScenario []byte

// checkWithSipp lets sipp, which others have written, place the same calls at the same rate: that the load generator counts
// right. It is left out where there is no sipp.
func (c *sipComparison) checkWithSipp(ctx context.Context, transport string) error {
	if c.SippCalls == 0 {
		return nil
	}
	program, err := exec.LookPath("sipp")
	if err != nil {
		c.Log("not checked with sipp (Debian: apt-get install sip-tester)")
		return nil
	}
	c.sipp[transport] = map[string]float64{}
	for _, s := range c.judged() {
		running, err := s.start(ctx, c.with)
		if err != nil {
			return err
		}
		counts, err := runSipp(ctx, program, running.SIP, transport, c.Rate, c.SippCalls, c.Patience)
		_ = running.stop() // its exit status tells nothing that the calls have not
		if err != nil {
			return fmt.Errorf("sipp against %s: %w", s.name, err)
		}
		c.Log("sipp: %s %s %d/s: %v", s.name, transport, c.Rate, counts)
		c.sipp[transport][s.name] = 100 * float64(counts["SuccessfulCall(C)"]) / float64(c.SippCalls)
	}
	return nil
}

// runSipp places calls without retransmissions and gives sipp's counters.
func runSipp(ctx context.Context, program, server, transport string, rate, calls int, patience time.Duration) (map[string]int, error) {
	dir, err := os.MkdirTemp("", "bench-sipp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	scenario, numbers, counters := filepath.Join(dir, "dip.xml"), filepath.Join(dir, "numbers.csv"), filepath.Join(dir, "counters.csv")
	list := []byte("SEQUENTIAL\n")
	for i := range calls {
		list = fmt.Appendf(list, "%d;%d\n", call{number: i}.orig(), call{number: i}.dest())
	}
	if err := errors.Join(os.WriteFile(scenario, sippScenario, 0o600), os.WriteFile(numbers, list, 0o600)); err != nil {
		return nil, err
	}
	mode := map[string]string{udp: "u1", tcp: "t1"}[transport] // one socket, one connection
	command := exec.CommandContext(ctx, program, server, "-sf", scenario, "-inf", numbers, "-i", "127.0.0.1", "-t", mode,
		"-r", strconv.Itoa(rate), "-m", strconv.Itoa(calls), "-l", strconv.Itoa(calls), "-nr", "-recv_timeout", strconv.FormatInt(patience.Milliseconds(), 10), "-timeout", "120",
		"-nostdin", "-buff_size", strconv.Itoa(socketBuffer), "-trace_stat", "-stf", counters)
	command.Dir = dir
	out, failed := command.CombinedOutput() // exit status 1: calls have failed, which its counters tell
	text, err := os.ReadFile(counters)
	if err != nil {
		return nil, fmt.Errorf("%w: %w\n%s", failed, err, out)
	}
	return readSippCounters(text)
}

// readSippCounters reads the last state of those counters that are cumulative: columns named by the first line, separated by
// semicolons.
func readSippCounters(text []byte) (map[string]int, error) {
	lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
	names, values := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	counts := map[string]int{}
	for i, name := range names {
		if i < len(values) && (name == "TotalCallCreated" || name == "SuccessfulCall(C)" || name == "FailedCall(C)" || name == "Retransmissions(C)") {
			n, err := strconv.Atoi(values[i])
			if err != nil {
				return nil, err
			}
			counts[name] = n
		}
	}
	if counts["TotalCallCreated"] == 0 {
		return nil, errors.New("no calls in the counters of sipp")
	}
	return counts, nil
}
