package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// Passport is `viaduct passport`.
type Passport struct {
	Sign    PassportSign    `cmd:"" help:"Sign a PASSporT of any type and print it."`
	Verify  PassportVerify  `cmd:"" help:"Verify a PASSporT for a call; every check is shown."`
	Inspect PassportInspect `cmd:"" help:"Take a PASSporT apart and say what is odd about it. Verifies nothing."`
}

// PassportInspect is `viaduct passport inspect`.
type PassportInspect struct {
	Token string `arg:"" optional:"" help:"Token or Identity header value; read from standard input if left out."`
}

// Run prints header, payload and everything that deviates. The exit status tells whether the token is well-formed.
func (i *PassportInspect) Run(std *Streams) error {
	texts, err := readTokens(i.Token, std.In)
	if err != nil {
		return err
	}
	if len(texts) == 0 {
		return errNoToken
	}
	var result error
	for _, text := range texts {
		// A whole Identity header value is as good as its token; what cannot be told apart is diagnosed as it is.
		header, err := identity.Parse(text)
		if err == nil && header.Info != "" {
			text = header.Token
			fmt.Fprintf(std.Out, "info     %s\n", readable(header.Info))
		}
		d := passport.Diagnose(text)
		fmt.Fprintf(std.Out, "header   %s\npayload  %s\n", readable(d.Header), readable(d.Payload))
		for _, deviation := range d.Deviations {
			fmt.Fprintf(std.Out, "odd      %s", deviation.Code)
			if deviation.Where != "" {
				fmt.Fprintf(std.Out, " in %s", deviation.Where)
			}
			fmt.Fprintf(std.Out, ": %s", deviation.Text)
			if deviation.Section != "" {
				fmt.Fprintf(std.Out, " (%s)", deviation.Section)
			}
			fmt.Fprintln(std.Out)
		}
		if d.Refusal != nil {
			fmt.Fprintf(std.Out, "refused  %v\n", d.Refusal)
			result = ErrNegative
			continue
		}
		fmt.Fprintln(std.Out, "form     good; the signature was not verified")
	}
	return result
}

// readable indents JSON; what is none is quoted, because it may hold anything.
func readable(text string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(text), "         ", "  ") != nil {
		return fmt.Sprintf("%q", text)
	}
	return out.String()
}

var errNoToken = errors.New("no token: give it as an argument or on standard input")

// tokenLineBytesMax bounds a line with a token, or with Identity header values.
const tokenLineBytesMax = 64 << 10

// lineError says of a line that a scanner could not take, which it was.
func lineError(err error, line, max int) error {
	if errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes", line, max)
	}
	return plain(err)
}

// readTokens gives the argument, or the lines of standard input. The whole value of an Identity header is as good as a
// token.
func readTokens(argument string, in io.Reader) ([]string, error) {
	if argument != "" && argument != "-" {
		return []string{argument}, nil
	}
	var tokens []string
	lines := bufio.NewScanner(io.LimitReader(in, 1<<20))
	lines.Buffer(nil, tokenLineBytesMax)
	n := 0
	for ; lines.Scan(); n++ {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			tokens = append(tokens, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("standard input: %w", lineError(err, n+1, tokenLineBytesMax))
	}
	return tokens, nil
}

// bareTokens cuts Identity headers down to their tokens.
func bareTokens(texts []string) ([]string, error) {
	tokens := make([]string, 0, len(texts))
	for _, text := range texts {
		header, err := identity.Parse(text)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, header.Token)
	}
	return tokens, nil
}

// partiesOf reads who calls whom from the tokens, for flags that were left out.
func partiesOf(tokens []string) (orig, dest tn.Identity) {
	for _, text := range tokens {
		if token, err := passport.Parse(text); err == nil {
			return token.Claims.Orig, token.Claims.Dest[0]
		}
	}
	return tn.Identity{}, tn.Identity{}
}
