package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/viaduct-oob/viaduct/internal/app"
)

// viaductConfig is all that the product is told: everything else is at its default, the record of each call included.
// Anchors are left out, because nothing is verified.
const viaductConfig = `sip: {udp: [%q], tcp: [%[1]q]}
signing:
  spc: %q
  key: %q
  certificate: %q
  x5u: %q
  margin: 0s # its certificate is young
  numbers: [%q]
trunks:
  - name: sip-out
    match: {sources: [127.0.0.0/8]}
    mode: sign
management: {listen: "127.0.0.1:0"}
`

// viaduct is the product, as `viaduct serve` starts it.
type viaduct struct{ ended chan error }

// Close ends it as an operator would.
func (v viaduct) Close() error {
	return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGTERM), <-v.ended)
}

// startViaduct tries another address when somebody else has taken the one that was free a moment ago.
func startViaduct() (h hello, c io.Closer, err error) {
	for range 5 {
		if h, c, err = tryViaduct(); !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return h, c, err
}

func tryViaduct() (hello, io.Closer, error) {
	with, err := givenSigner()
	if err != nil {
		return hello{}, nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return hello{}, nil, err
	}
	name := filepath.Join(filepath.Dir(with.KeyFile), "viaduct.yaml")
	text := fmt.Sprintf(viaductConfig, address, with.SPC, with.KeyFile, with.ChainFile, with.X5U, ownNumbers)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return hello{}, nil, err
	}
	h, v, err := serveViaduct(name)
	h.SIP = address
	return h, v, err
}

// serveViaduct serves with a configuration file until what it gives is closed.
func serveViaduct(name string) (hello, io.Closer, error) {
	said, log := io.Pipe()
	v := viaduct{ended: make(chan error, 1)}
	go func() {
		err := (&app.Serve{Config: name}).Run(&app.Streams{In: os.Stdin, Out: io.Discard, Err: log})
		_ = log.Close() // of a pipe: never fails
		v.ended <- err
	}()
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		var line struct {
			Message    string `json:"msg"`
			Management string `json:"management"`
			CPS        string `json:"cps"`
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Message == "serving" {
			go func() { _, _ = io.Copy(io.Discard, said) }() // until it ends
			h := hello{Management: line.Management}
			if line.CPS != "" {
				h.URL = "https://" + line.CPS
			}
			return h, v, nil
		}
	}
	return hello{}, nil, <-v.ended
}
