package app

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// describe says what would be believed from the first request on: what files have, and what the disk has kept. It asks
// nobody and writes nothing. It tells whether all is well: serve would start all the same, because a list that is late
// must not stop calls. signers are our own certificates, by what is signed with them.
func (p trustPlan) describe(out io.Writer, signers map[string]*trust.Chain) (good bool, err error) {
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
		return false, err
	}
	defer verifier.Close()
	t, err := newTrusted(&p, verifier, slog.New(slog.DiscardHandler))
	if err != nil {
		return false, err
	}
	fmt.Fprintf(out, "  believes %d trust anchor(s)\n", t.anchorCount())
	good = true
	if p.list != nil {
		good = writeKept(out, "list of trusted STI-CAs", p.list.keeper.Source, t.list.State())
	}
	if t.anchorCount() == 0 && (p.list == nil || p.list.keeper.Source.URL == "") {
		fmt.Fprintln(out, "    ALARM: nobody would be believed")
		good = false
	}
	if p.revocation != nil {
		good = writeKept(out, "revocation list", p.revocation.keeper.Source, t.revocation.State()) && good
	} else if t.anchorCount() > 0 || p.list != nil {
		fmt.Fprintln(out, "  no revocation list: certificates that have been revoked are believed")
	}
	for _, what := range slices.Sorted(maps.Keys(signers)) {
		if t.anchorCount() == 0 {
			break // of which has been told
		}
		if err := verifier.Judge(signers[what]); err != nil {
			fmt.Fprintf(out, "    ALARM: the certificate that %s signed with is not believed: %v\n", what, err)
			good = false
		}
	}
	return good, nil
}

// writeKept shows one list, and tells whether it is well. One that is fetched may not be there before serve has begun.
func writeKept(out io.Writer, what string, source stipa.Source, s stipa.State) bool {
	fmt.Fprintf(out, "  %s from %s%s\n", what, source.URL, source.File)
	if s.Number != nil {
		fmt.Fprintf(out, "    held: number %s, %d entries, until %s\n", s.Number, s.Entries, s.Expires.UTC().Format(time.RFC3339))
	}
	if s.Number == nil && source.URL != "" {
		fmt.Fprintln(out, "    not fetched yet: serve does it")
		return true
	}
	if s.LastProblem != 0 {
		fmt.Fprintf(out, "    refused: %s\n", reasonOf(source.File, s.LastProblem))
	}
	if s.Alarm != stipa.NoAlarm {
		fmt.Fprintf(out, "    ALARM: %s\n", s.Alarm)
	}
	return s.LastProblem == 0 && s.Alarm == stipa.NoAlarm
}

// reasonOf says why a file cannot be read where that is the problem.
func reasonOf(file string, problem stipa.Problem) string {
	if problem == stipa.Unreachable && file != "" {
		if info, err := os.Stat(file); err != nil {
			return plain(err).Error()
		} else if !info.Mode().IsRegular() {
			return "it is no regular file"
		}
	}
	return problem.Error()
}
