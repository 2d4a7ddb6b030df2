package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// Demo is `viaduct demo`.
type Demo struct {
	Messages int  `placeholder:"NUMBER" help:"Show the SIP messages of the call with this number."`
	Once     bool `help:"Place every call once and exit; the status tells whether every verdict was as expected. Without it calls are placed until Ctrl-C."`
}

// Run builds the country and places calls.
func (d *Demo) Run(std *Streams) error {
	if d.Messages < 0 || d.Messages > len(scenarios) {
		return fmt.Errorf("--messages is the number of a call, 1 to %d", len(scenarios))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	land, err := openCountry()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "The country: CPS at %s, metrics at http://%s/metrics,\n", land.cps.url(), land.cps.managementListen.Addr())
	fmt.Fprintf(std.Out, "provider %s originates, %s is in transit, %s terminates; each has a SIP element that its switch asks.\n", originatingSPC, transitSPC, terminatingSPC)
	fmt.Fprintf(std.Out, "What happened to each call that arrived: http://%s/calls. Ready in %s.\n\n",
		land.providers[terminatingSPC].element.managementListen.Addr(), time.Since(began).Round(time.Millisecond))
	err = d.place(ctx, land, std.Out)
	return errors.Join(err, land.close())
}

// errInterrupted ends a round before all calls have been placed.
var errInterrupted = errors.New("interrupted before all calls were placed")

// roundPause lies between two rounds of calls: after it nothing of the round before is held by a CPS, or remembered by whoever
// verifies.
const roundPause = 65 * time.Second

func (d *Demo) place(ctx context.Context, land *country, out io.Writer) error {
	for {
		err := placeAll(ctx, land, out, d.Messages)
		if errors.Is(err, errInterrupted) && !d.Once {
			return nil // that is how it ends
		}
		if err != nil || d.Once {
			return err
		}
		fmt.Fprintf(out, "again in %s; Ctrl-C ends\n\n", roundPause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(roundPause):
		}
	}
}

// placeAll places one call of each kind. Its error is ErrNegative when a verdict was not as expected.
func placeAll(ctx context.Context, land *country, out io.Writer, messages int) error {
	unexpected := 0
	for i, s := range scenarios {
		t := &trip{country: land}
		began := time.Now()
		arrivals, err := s.place(ctx, t)
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			return fmt.Errorf("call %d, %s: %w", i+1, s.title, err)
		}
		good := len(arrivals) > 0
		for _, a := range arrivals {
			good = good && s.expects(a)
		}
		if !good {
			unexpected++
		}
		s.write(out, i+1, t.steps, arrivals, good, time.Since(began))
		if messages == i+1 {
			if err := t.writeMessages(out); err != nil {
				return err
			}
		}
	}
	if unexpected > 0 {
		fmt.Fprintf(out, "%d of %d calls did not end as expected\n", unexpected, len(scenarios))
		return ErrNegative
	}
	fmt.Fprintf(out, "all %d calls ended as expected\n", len(scenarios))
	return nil
}

// scenario is one kind of call and the verdict that it must end in.
type scenario struct {
	title   string
	verstat oob.Verstat
	attest  string // of a verified call
	errCase string // row of the error table of a call that failed
	place   func(context.Context, *trip) ([]arrival, error)
}

func (s *scenario) expects(a arrival) bool {
	return a.verstat == s.verstat && a.attest == s.attest && a.errCase == s.errCase
}

// write is the table of one call.
func (s *scenario) write(out io.Writer, number int, steps []step, arrivals []arrival, good bool, took time.Duration) {
	fmt.Fprintf(out, "%d. %s (%s)\n", number, s.title, took.Round(time.Millisecond))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, st := range steps {
		fmt.Fprintf(table, "   %s\t%s\t%s\t%s\n", st.who, st.what, st.took.Round(10*time.Microsecond), st.outcome)
	}
	_ = table.Flush()
	for _, a := range arrivals {
		mark := "as expected"
		if !good {
			mark = fmt.Sprintf("NOT AS EXPECTED: %s %s %s", s.verstat, s.attest, s.errCase)
		}
		text := string(a.verstat)
		if a.attest != "" {
			text += ", attest " + a.attest + ", signed by " + a.signerSPC
		}
		if a.errCase != "" {
			text += ", " + a.errCase
		}
		fmt.Fprintf(out, "   => %s (%s)\n", text, mark)
	}
	fmt.Fprintln(out)
}
