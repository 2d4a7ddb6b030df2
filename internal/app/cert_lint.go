package app

import (
	"fmt"
	"os"

	"github.com/viaduct-oob/viaduct/stircert"
)

// CertLint is `viaduct cert lint`.
type CertLint struct {
	Edition string   `default:"auto" enum:"v003,v004,v005,auto" help:"Edition of ATIS-1000080 to compare with; auto is the one that was in force when the certificate became valid (${default})."`
	File    []string `arg:"" type:"existingfile" help:"Certificates or chains, PEM or DER. Of a chain, every certificate is compared, each in its role."`
}

// Run prints a line for each finding. The exit status tells whether any is an error.
func (c *CertLint) Run(std *Streams) error {
	edition, err := stircert.ParseEdition(c.Edition)
	if err != nil {
		return err
	}
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
		for i, x := range chain {
			cert := stircert.Of(x)
			role := stircert.RoleOf(cert)
			for _, f := range stircert.Lint(cert, role, edition) {
				fmt.Fprintf(std.Out, "%s: certificate %d, %s: %s: %s (%s, %s)\n", name, i+1, role, f.Severity, f.Text, f.Rule, f.Section)
				if f.Severity == stircert.Error {
					result = ErrNegative
				}
			}
		}
	}
	return result
}
