package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/viaduct-oob/viaduct/oobtest"
)

// cpsConfig is what a CPS of RFC 9888 is told: all load comes from one address, and rates are none that a run reaches;
// and where the machine stalls, publications are answered late and not refused. Everything else is at its default.
const cpsConfig = `cps:
  listen: "127.0.0.1:0"
  tls: {certificate: cps.pem, key: cps-key.pem}
  audience: [cps.laboratory.example]
  profiles: [rfc9888]
  push: {subscribers: %[1]d, account_subscribers: %[1]d, heartbeat: %[2]s}
  rates:
    publish: {per_second: 1000000, burst: 1000000}
    retrieve: {per_second: 1000000, burst: 1000000}
  limits: {connections: %[1]d, address_connections: %[1]d, in_flight: 65536, turnstile: {burst: 1s}} # one address has a sixteenth
numbers: {file: numbers.csv}
trust:
  anchors: [sti-root.pem]
  laboratory: {hosts: [%[3]q], roots: [tls-root.pem]}
management: {listen: "localhost:0"} # another text than that of cps, for the two are apart
`

// pushLab is what a CPS with subscribers needs around it: a PKI, its repository, and who holds which numbers.
type pushLab struct {
	pki        *oobtest.PKI
	repository *oobtest.Repository
	providers  []provider // those that publish, then those whose numbers are called
	config     string     // file name
}

// spare is how many connections there may be besides those of subscribers: publishers, and those that are being cut.
const spare = 1024

func newPushLab(dir string, p pushPlan) (l *pushLab, err error) {
	l = &pushLab{config: filepath.Join(dir, "viaduct.yaml")}
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		return nil, err
	}
	if l.repository, err = l.pki.StartRepository(); err != nil {
		return nil, err
	}
	if err := l.write(dir, p); err != nil {
		return nil, errors.Join(err, l.repository.Close())
	}
	return l, nil
}

func (l *pushLab) write(dir string, p pushPlan) error {
	files, err := l.pki.IssueTLS("127.0.0.1")
	if err != nil {
		return err
	}
	var numbers strings.Builder
	for i := range 2 * providers {
		issued, err := issue(l.pki, i)
		if err != nil {
			return err
		}
		l.providers = append(l.providers, issued)
		if i >= providers {
			fmt.Fprintf(&numbers, "%s,%d,%d\n", issued.SPC, firstCalled+(i-providers)*p.perProvider(), p.perProvider())
		}
	}
	text := fmt.Sprintf(cpsConfig, p.Subscribers+spare, p.Heartbeat, l.repository.Host)
	for name, content := range map[string][]byte{
		"cps.pem": files.CertificatePEM, "cps-key.pem": files.KeyPEM, "numbers.csv": []byte(numbers.String()),
		"sti-root.pem": l.pki.RootPEM(), "tls-root.pem": l.pki.TLSRootPEM(), filepath.Base(l.config): []byte(text),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startCPS starts the product with the configuration that it was handed.
func startCPS() (hello, io.Closer, error) { return serveViaduct(os.Getenv(configVariable)) }
