package app

import (
	"fmt"
	"os"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Cert is `viaduct cert`.
type Cert struct {
	Inspect CertInspect `cmd:"" help:"Say what an STI certificate is good for."`
	Lint    CertLint    `cmd:"" help:"Compare STI certificates with ATIS-1000080 and the certificate policy."`
	Survey  CertSurvey  `cmd:"" help:"Read a corpus of STI certificates and count what becomes of them."`
}

// CertInspect is `viaduct cert inspect`.
type CertInspect struct {
	File []string `arg:"" type:"existingfile" help:"Certificate or chain, PEM or DER."`
}

// Run describes the leaf of each file. The exit status tells whether all may sign calls; whether they are trusted is
// another question.
func (c *CertInspect) Run(std *Streams) error {
	var result error
	for _, name := range c.File {
		text, err := os.ReadFile(name)
		if err != nil {
			return plain(err)
		}
		chain, err := stircert.ParseChainPEM(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		leaf := stircert.Of(chain[0])
		fmt.Fprintf(std.Out, "%s (%d in the file)\n", name, len(chain))
		for _, field := range stircert.Describe(leaf) {
			fmt.Fprintf(std.Out, "  %-20s %s\n", field.Name, field.Value)
		}
		if err := leaf.CheckEndEntity(); err != nil {
			fmt.Fprintf(std.Out, "  %-20s no: %v\n", "may sign calls", err)
			result = ErrNegative
			continue
		}
		fmt.Fprintf(std.Out, "  %-20s yes\n", "may sign calls")
	}
	return result
}
