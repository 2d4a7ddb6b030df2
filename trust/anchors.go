package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// Limits of trust anchors. The United States list has about two dozen.
const (
	AnchorsMax         = 1000
	AnchorFileBytesMax = 1 << 20
)

// Anchors are the CAs behind which everything is believed. An intermediate may be one: then nothing above it counts.
// Anchors do not change once made.
type Anchors struct {
	pool  *x509.CertPool
	count int
}

// NewAnchors makes anchors of CA certificates. There may be none: then nobody is believed.
func NewAnchors(certs ...*x509.Certificate) (*Anchors, error) {
	a := &Anchors{pool: x509.NewCertPool()}
	for i, cert := range certs {
		if err := a.add(cert); err != nil {
			return nil, fmt.Errorf("trust anchor %d: %w", i+1, err)
		}
	}
	return a, nil
}

// LoadAnchors reads CA certificates from PEM files. A file without one is an error, and so is a block that is no CA
// certificate: whoever can write these files decides who is believed, so they should hold nothing else.
func LoadAnchors(files ...string) (*Anchors, error) {
	a := &Anchors{pool: x509.NewCertPool()}
	for _, name := range files {
		if err := a.load(name); err != nil {
			return nil, fmt.Errorf("trust anchors: %w", err)
		}
	}
	return a, nil
}

// Len is the number of anchors.
func (a *Anchors) Len() int { return a.count }

func (a *Anchors) load(name string) error {
	content, err := readFile(name, AnchorFileBytesMax)
	if err != nil {
		return err
	}
	n := 0
	for {
		var block *pem.Block
		if block, content = pem.Decode(content); block == nil {
			break
		}
		n++
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("%s: block %d: not a certificate but %q", name, n, block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err == nil {
			err = a.add(cert)
		}
		if err != nil {
			return fmt.Errorf("%s: block %d: %w", name, n, err)
		}
	}
	switch {
	case n == 0:
		return fmt.Errorf("%s: no PEM block", name)
	case bytes.Contains(content, []byte("-----BEGIN ")): // an anchor that was passed over would be missed late
		return fmt.Errorf("%s: broken PEM block after block %d", name, n)
	}
	return nil
}

func (a *Anchors) add(cert *x509.Certificate) error {
	if !cert.IsCA {
		return errors.New("not the certificate of a CA")
	}
	if a.count == AnchorsMax {
		return fmt.Errorf("more than %d anchors", AnchorsMax)
	}
	a.pool.AddCert(cert)
	a.count++
	return nil
}

func readFile(name string, bytesMax int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, bytesMax+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > bytesMax {
		return nil, fmt.Errorf("%s: more than %d bytes", name, bytesMax)
	}
	return content, nil
}
