package isup_test

import (
	"flag"
	"fmt"
	"log/slog"

	"os"
	"testing"

	"github.com/emiago/sipgo/sip"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler)) // what goes wrong on purpose is no news
	sip.UDPMTUSize = 1 << 16                            // an INVITE with a PASSporT fits no frame, but loopback has no small ones
	flag.Parse()
	_ = flag.Set("test.parallel", "6") // most of a test is the second in which a link is aligned, whatever the number of processors
	dir, err := os.MkdirTemp("", "viaduct-isup-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err == nil && missing == "" {
		err = buildViaduct(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer endProcesses()
	return m.Run()
}
