package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// Demo is `viaduct demo`.
type Demo struct {
	Once bool `help:"Place every call once and exit; the status tells whether every verdict was as expected."`
}

// Run builds the country and places calls.
func (d *Demo) Run(std *Streams) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	land, err := openCountry()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "The country: CPS at %s, metrics at http://%s/metrics,\n", land.cps.url(), land.cps.managementListen.Addr())
	fmt.Fprintf(std.Out, "provider %s originates, %s is in transit, %s terminates. Ready in %s.\n\n",
		originatingSPC, transitSPC, terminatingSPC, time.Since(began).Round(time.Millisecond))
	err = d.place(ctx, land, std.Out)
	return errors.Join(err, land.close())
}

// errInterrupted ends a round before all calls have been placed.
var errInterrupted = errors.New("interrupted before all calls were placed")

// roundPause lies between two rounds of calls.
const roundPause = 5 * time.Second

func (d *Demo) place(ctx context.Context, land *country, out io.Writer) error {
	for {
		err := placeAll(ctx, land, out)
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
func placeAll(ctx context.Context, land *country, out io.Writer) error {
	unexpected := 0
	for i, s := range scenarios {
		t := &trip{country: land}
		began := time.Now()
		verdicts, err := s.place(ctx, t)
		if ctx.Err() != nil {
			return errInterrupted
		}
		if err != nil {
			return fmt.Errorf("call %d, %s: %w", i+1, s.title, err)
		}
		good := len(verdicts) > 0
		for _, v := range verdicts {
			good = good && s.expects(v)
		}
		if !good {
			unexpected++
		}
		s.write(out, i+1, t.steps, verdicts, good, time.Since(began))
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
	place   func(context.Context, *trip) ([]oob.Verdict, error)
}

func (s *scenario) expects(v oob.Verdict) bool {
	return v.Verstat == s.verstat && v.Attest == s.attest && v.Case == s.errCase
}

// write is the table of one call.
func (s *scenario) write(out io.Writer, number int, steps []step, verdicts []oob.Verdict, good bool, took time.Duration) {
	fmt.Fprintf(out, "%d. %s (%s)\n", number, s.title, took.Round(time.Millisecond))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, st := range steps {
		fmt.Fprintf(table, "   %s\t%s\t%s\t%s\n", st.who, st.what, st.took.Round(10*time.Microsecond), st.outcome)
	}
	_ = table.Flush()
	for _, v := range verdicts {
		mark := "as expected"
		if !good {
			mark = fmt.Sprintf("NOT AS EXPECTED: %s %s %s", s.verstat, s.attest, s.errCase)
		}
		text := string(v.Verstat)
		if v.Attest != "" {
			text += ", attest " + v.Attest + ", signed by " + v.SignerSPC
		}
		if v.Case != "" {
			text += fmt.Sprintf(", %s: %d %s", v.Case, v.Code, v.ReasonText)
		}
		fmt.Fprintf(out, "   => %s (%s)\n", text, mark)
	}
	fmt.Fprintln(out)
}

// trip is one call on its way, with what happened to it.
type trip struct {
	*country
	steps []step
}

type step struct {
	who, what, outcome string
	took               time.Duration
}

// do records a step. A failure is an outcome like any other: the call goes on.
func (t *trip) do(who, what string, act func() (string, error)) error {
	began := time.Now()
	outcome, err := act()
	if err != nil {
		f := oob.FaultOf(err)
		outcome = f.Kind.Row().Title
		if f.Detail != "" {
			outcome += " (" + f.Detail + ")"
		}
	}
	t.steps = append(t.steps, step{who: "SPC " + who, what: what, outcome: outcome, took: time.Since(began)})
	return err
}

// cross is the TDM gap.
func (t *trip) cross(call sipCall) tdmCall {
	crossing := "two numbers go over"
	if len(call.identity) > 0 {
		crossing += "; the Identity header is lost"
	}
	t.steps = append(t.steps, step{
		who: "TDM", what: "trunk", outcome: crossing,
	})
	return tdm(call)
}

// originate signs a call of the originating provider.
func (t *trip) originate(from, to string) (sipCall, stias.Signed, error) {
	var call sipCall
	var signed stias.Signed
	var err error
	if call.orig, err = number(from); err != nil {
		return call, signed, err
	}
	if call.dest, err = number(to); err != nil {
		return call, signed, err
	}
	err = t.do(originatingSPC, "sign", func() (string, error) {
		var err error
		signed, err = t.providers[originatingSPC].signs.Sign(stias.Call{Orig: call.orig, Dest: []tn.Identity{call.dest}, Customer: "acme"})
		return fmt.Sprintf("attest %s: %s", signed.Attest, signed.Reason), err
	})
	call.identity = []string{signed.Identity.String()}
	return call, signed, err
}

// publish is fail-open: what a CPS says never stops the call.
func (t *trip) publish(ctx context.Context, publisher oob.Publisher, spc string, p oob.Publication) {
	_ = t.do(spc, "publish, "+p.Key.Profile.String(), func() (string, error) {
		return "the CPS has it", publisher.Publish(ctx, p)
	})
}

// arrive verifies a call at the terminating provider, which finds what it can out of band.
func (t *trip) arrive(ctx context.Context, service *stivs.Service, call tdmCall, key oob.Key) oob.Verdict {
	return t.arriveNamed(ctx, service, "", call, key)
}

// arriveNamed does so for a call that can be told from others between the same numbers.
func (t *trip) arriveNamed(ctx context.Context, service *stivs.Service, id string, call tdmCall, key oob.Key) oob.Verdict {
	var verdict oob.Verdict
	what := "retrieve and verify, " + key.Profile.String()
	if id != "" {
		what += ", " + id
	}
	_ = t.do(terminatingSPC, what, func() (string, error) {
		verdict = service.Verify(ctx, stivs.Call{ID: id, Orig: call.orig, Dest: call.dest, Key: key})
		passed := 0
		var failed []string
		for _, c := range verdict.Checks {
			switch c.Outcome {
			case oob.CheckPassed:
				passed++
			case oob.CheckFailed:
				failed = append(failed, c.Name)
			}
		}
		outcome := fmt.Sprintf("checks passed: %d", passed)
		if len(failed) > 0 {
			outcome += ", failed: " + strings.Join(failed, ", ")
		}
		for _, d := range verdict.Diversions {
			outcome += fmt.Sprintf("; diverted from %s to %s by %s", d.From, d.To, d.SignerSPC)
		}
		return outcome, nil
	})
	return verdict
}
