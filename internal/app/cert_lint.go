package app

import (
	"crypto/x509"
	"fmt"

	"github.com/viaduct-oob/viaduct/stircert"
)

// CertLint is `viaduct cert lint`.
type CertLint struct {
	Edition string   `default:"auto" enum:"v003,v004,v005,auto" help:"Edition of ATIS-1000080 to compare with: v003, v004, v005, or auto for the one that was in force when the certificate became valid (${default})."`
	File    []string `arg:"" help:"Certificates or chains, PEM or DER. Of a chain, every certificate is compared, each in its role."`
}

// Run prints a line for each finding, and how many files have none. The exit status tells whether any finding is an error.
func (c *CertLint) Run(std *Streams) error {
	edition, err := stircert.ParseEdition(c.Edition)
	if err != nil {
		return err
	}
	var result error
	clean := 0
	err = eachChain(c.File, std.Err, func(name string, chain []*x509.Certificate) {
		found := 0
		for i, x := range chain {
			cert := stircert.Of(x)
			role := stircert.RoleOf(cert)
			for _, f := range stircert.Lint(cert, role, edition) {
				found++
				fmt.Fprintf(std.Out, "%s: certificate %d, %s: %s: %s (%s, %s)\n", name, i+1, role, f.Severity, f.Text, f.Rule, f.Section)
				if f.Severity == stircert.Error {
					result = ErrNegative
				}
			}
		}
		if found == 0 {
			clean++
			fmt.Fprintf(std.Out, "%s: no findings\n", name)
		}
	})
	fmt.Fprintf(std.Out, "%d of %d without a finding\n", clean, len(c.File))
	if err != nil {
		return err
	}
	return result
}
