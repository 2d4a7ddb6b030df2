package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/advert"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Discover is `viaduct discover`: which CPS a number or a provider has, and why that is believed.
type Discover struct {
	Config string        `required:"" type:"path" placeholder:"FILE" help:"Configuration file, of which discovery, numbers and trust are used."`
	Side   string        `enum:"dest,orig" default:"dest" help:"Whose number it is: dest, the called party's, or orig, the caller's (${default})."`
	Wait   time.Duration `default:"10s" help:"How long to wait for the first answers of those who sign lists and advertisements (${default})."`
	Of     string        `arg:"" name:"NUMBER|SPC" help:"A number such as 12155550131 or '+1 215 555 0131', or a service provider code."`
}

// Run prints the CPSs and the chain of reasons. That there is none is an answer that is no.
func (d *Discover) Run(std *Streams) error {
	question, err := d.question()
	if err != nil {
		return err
	}
	file, err := readConfig(d.Config)
	if err != nil {
		return err
	}
	if !file.Discovery.given() {
		return errors.New("the configuration has no discovery: there is nowhere to look")
	}
	p, err := resolve(file)
	if err != nil {
		return err
	}
	defer p.numbers.close()
	ctx, cancel := context.WithTimeout(context.Background(), d.Wait+10*time.Second)
	defer cancel()
	quiet := slog.New(slog.DiscardHandler)
	verifier, err := trust.New(trust.Config{
		Repository: trust.RepositoryConfig{Deadline: time.Duration(file.Trust.FetchTimeout), Laboratory: p.trust.laboratory},
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	believed, err := newTrusted(p.trust, verifier, quiet)
	if err != nil {
		return err
	}
	defer believed.close()
	var numbering oob.Numbering
	if p.numbers != nil {
		numbering = p.numbers
	}
	found, err := openDiscovery(ctx, file, p.trust, believed, numbering, verifier, quiet)
	if err != nil {
		return err
	}
	defer found.close()
	believed.run(ctx)
	found.run(ctx)
	found.settle(ctx, d.Wait)
	return d.print(std, found.resolver.Explain(ctx, question), found)
}

func (d *Discover) question() (discovery.Question, error) {
	q := discovery.Question{}
	if d.Side == discovery.Orig.String() {
		q.Side = discovery.Orig
	}
	if n, err := tn.ParseNumber(d.Of); (err != nil || len(d.Of) <= spcDigitsMax) && wire.IsSPC(d.Of) {
		q.SPC = d.Of
		return q, nil
	} else if err == nil {
		q.Number = n
		return q, nil
	}
	party, err := parseParty("NUMBER", d.Of)
	if err == nil {
		if n, ok := party.Number(); ok {
			q.Number = n
			return q, nil
		}
	}
	return q, errors.New("neither a number such as 12155550131 nor a service provider code")
}

// spcDigitsMax tells a provider code of digits, which has four, from a number.
const spcDigitsMax = 6

// settle waits until everybody who signs has been asked once.
func (d *discovered) settle(ctx context.Context, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !d.settled() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (d *discovered) settled() bool {
	if d.list != nil {
		if s := d.list.State(); s.LastSuccess.IsZero() && s.LastFailure.IsZero() {
			return false
		}
	}
	if d.fetcher != nil {
		for _, s := range d.fetcher.States() {
			if s.LastSuccess.IsZero() && s.LastFailure.IsZero() {
				return false
			}
		}
	}
	return true
}

// failures say why the newest of what others sign is not used, or not all of it, of a source that is asked.
func (d *discovered) failures(source string) (lines []string) {
	switch {
	case source == "list" && d.list != nil:
		if s := d.list.State(); s.LastFailure.After(s.LastSuccess) {
			lines = append(lines, fmt.Sprintf("discovery.list: %v", s.LastProblem))
		}
	case source == "advertisements" && d.fetcher != nil:
		for _, s := range d.fetcher.States() {
			lines = append(lines, failuresOf(s)...)
		}
		for _, c := range d.book.Conflicts() {
			lines = append(lines, fmt.Sprintf("several signers advertise %s, the newest counts", c.Resource))
		}
	}
	if len(lines) > failureLinesMax {
		lines = append(lines[:failureLinesMax], "and so on")
	}
	return lines
}

// failureLinesMax is how much of what is wrong a person reads.
const failureLinesMax = 20

// failuresOf are those of one place where CPSs are advertised.
func failuresOf(s advert.SourceState) (lines []string) {
	if s.LastError != "" && len(s.LastReport.Refused) == 0 {
		lines = append(lines, s.URL+": "+s.LastError)
	}
	for _, refusal := range s.LastReport.Refused {
		at := ""
		if refusal.Line > 1 {
			at = fmt.Sprintf("line %d: ", refusal.Line)
		}
		lines = append(lines, fmt.Sprintf("%s: %srefused: %v", s.URL, at, refusal.Err))
	}
	for _, problem := range advert.Problems() {
		if n := s.LastReport.Members[problem]; n > 0 {
			lines = append(lines, fmt.Sprintf("%s: not believed of %d of its entries: %v", s.URL, n, problem))
		}
	}
	return lines
}

func (d *Discover) print(std *Streams, a discovery.Answer, found *discovered) error {
	for _, url := range a.CPSs {
		fmt.Fprintln(std.Out, url)
	}
	if len(a.CPSs) == 0 {
		fmt.Fprintln(std.Out, "no CPS is known")
	}
	w := tabwriter.NewWriter(std.Err, 0, 0, 2, ' ', 0)
	if a.Source != "" {
		fmt.Fprintf(w, "known from\t%s, for %s", a.Source, a.Resource)
		if a.Signer != "" {
			fmt.Fprintf(w, ", by %s", a.Signer)
		}
		fmt.Fprintf(w, ", %s old\n", a.Age.Round(time.Second))
	}
	for _, r := range a.Reasons {
		fmt.Fprintf(w, "  %s\t%s\t%s", r.Source, r.Outcome, r.Detail)
		if r.Took > 0 {
			fmt.Fprintf(w, "\t%s", r.Took.Round(time.Millisecond))
		}
		fmt.Fprintln(w)
		for _, line := range found.failures(r.Source) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(a.CPSs) == 0 {
		return ErrNegative
	}
	return nil
}
