package app

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"time"

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
	File []string `arg:"" help:"Certificates or chains, PEM or DER. Of a chain, every certificate is shown, the signer's own first."`
}

// Run describes every certificate of the files. The exit status tells whether the first of each may sign calls; whether
// it is trusted is another question.
func (c *CertInspect) Run(std *Streams) error {
	var result error
	err := eachChain(c.File, std.Err, func(name string, chain []*x509.Certificate) {
		for i, x := range chain {
			cert := stircert.Of(x)
			fmt.Fprintf(std.Out, "%s, certificate %d of %d\n", name, i+1, len(chain))
			for _, field := range stircert.Describe(cert) {
				fmt.Fprintf(std.Out, "  %-20s %s\n", field.Name, field.Value)
			}
			if i > 0 {
				continue
			}
			may, how := maySign(cert, time.Now())
			fmt.Fprintf(std.Out, "  %-20s %s\n", "may sign calls", how)
			if !may {
				result = ErrNegative
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// maySign says whether calls that are signed with a certificate now can verify, and which.
func maySign(cert *stircert.Certificate, now time.Time) (may bool, how string) {
	switch err := cert.CheckEndEntity(); {
	case err != nil:
		return false, "no: " + err.Error()
	case now.After(cert.NotAfter):
		return false, "no: expired on " + cert.NotAfter.UTC().Format(time.RFC3339)
	case now.Before(cert.NotBefore):
		return false, "no: not valid before " + cert.NotBefore.UTC().Format(time.RFC3339)
	case len(cert.TNAuthList.SPCs) == 0: // that of a delegate
		return true, "yes, PASSporTs without attestation, for its numbers"
	}
	return true, "yes"
}

// eachChain hands the certificates of every file to each. A file that cannot be read is told, and the others are read all
// the same; the error says how many there were.
func eachChain(files []string, problems io.Writer, each func(name string, chain []*x509.Certificate)) error {
	unread := 0
	for _, name := range files {
		text, err := readFile(name, stircert.ChainBytesMax)
		if err == nil {
			var chain []*x509.Certificate
			if chain, err = stircert.ParseChainPEM(text); err == nil {
				each(name, chain)
				err = checkWhole(text)
			}
			if err != nil {
				err = fmt.Errorf("%s: %w", name, err)
			}
		}
		if err != nil {
			fmt.Fprintln(problems, err)
			unread++
		}
	}
	if unread > 0 {
		return fmt.Errorf("%d of %d files could not be read, or not to the end", unread, len(files))
	}
	return nil
}

// checkWhole tells of PEM that begins and does not end. Who reads a chain passes over it.
func checkWhole(text []byte) error {
	begun, read := bytes.Count(text, []byte("-----BEGIN ")), 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		read++
	}
	if read > 0 && begun > read {
		return fmt.Errorf("beside %d PEM blocks there is something that cannot be read: is one of them cut off?", read)
	}
	return nil
}
