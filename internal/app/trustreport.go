package app

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// describe says what would be believed from the first request on: what files have, and what the disk has kept. It asks
// nobody and writes nothing.
func (p trustPlan) describe(out io.Writer) error {
	// What a file has would be kept on disk; what the disk has is only read.
	if p.list != nil && p.list.keeper.Source.File != "" {
		list := *p.list
		list.keeper.Directory, p.list = "", &list
	}
	if p.revocation != nil && p.revocation.keeper.Source.File != "" {
		revocation := *p.revocation
		revocation.keeper.Directory, p.revocation = "", &revocation
	}
	verifier, err := trust.New(trust.Config{})
	if err != nil {
		return err
	}
	defer verifier.Close()
	t, err := newTrusted(&p, verifier, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  believes %d trust anchors\n", t.anchorCount())
	if p.list != nil {
		writeKept(out, "list of trusted STI-CAs", p.list.keeper.Source, t.list.State())
	}
	if p.revocation != nil {
		writeKept(out, "revocation list", p.revocation.keeper.Source, t.revocation.State())
	}
	return nil
}

func writeKept(out io.Writer, what string, source stipa.Source, s stipa.State) {
	fmt.Fprintf(out, "  %s from %s%s\n", what, source.URL, source.File)
	if s.Number != nil {
		fmt.Fprintf(out, "    held: number %s, %d entries, until %s\n", s.Number, s.Entries, s.Expires.UTC().Format(time.RFC3339))
	}
	if s.LastProblem != 0 {
		fmt.Fprintf(out, "    refused: %s\n", s.LastProblem)
	}
	if s.Alarm != stipa.NoAlarm {
		fmt.Fprintf(out, "    ALARM: %s\n", s.Alarm)
	}
}
