package app

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Signer are the flags of commands that sign: who, with which key, and where the certificate is.
type Signer struct {
	Lab string `type:"existingdir" placeholder:"DIR" help:"Laboratory from lab init; gives the key, the x5u, the CPS and the roots."`
	SPC string `placeholder:"SPC" help:"Service provider code in whose name to act."`
	Key string `placeholder:"FILE|URI" help:"Private key on P-256: a PEM file (PKCS #8 or SEC 1), or a key in a token, pkcs11:token=…;object=…?module-path=/…&pin-source=file:/…"`
	X5U string `name:"x5u" placeholder:"URL" help:"Where the certificate chain of the key is served."`
}

// load reads the key. The laboratory fills in what no flag said.
func (s *Signer) load() (crypto.Signer, error) {
	if s.Lab != "" {
		if err := s.fromLab(); err != nil {
			return nil, err
		}
	}
	if s.Key == "" || s.X5U == "" {
		return nil, errors.New("--key and --x5u are needed, or --lab and --spc")
	}
	return openKey(s.Key)
}

// credential is what the authentication service signs with. In a laboratory the certificate is at hand, too.
func (s *Signer) credential() (stias.Credential, error) {
	key, err := s.load()
	if err != nil {
		return stias.Credential{}, err
	}
	credential := stias.Credential{Key: key, X5U: s.X5U}
	if s.Lab == "" {
		return credential, nil
	}
	if credential.Chain, err = readChain(filepath.Join(s.Lab, labRepository, s.SPC+".pem")); err != nil {
		return stias.Credential{}, err
	}
	return credential, nil
}

// readChain reads a certificate chain as an x5u serves it.
func readChain(name string) (*trust.Chain, error) {
	text, err := readFile(name, stircert.ChainBytesMax)
	if err != nil {
		return nil, err
	}
	certs, err := stircert.ParseChainPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return trust.NewChain(certs), nil
}

func (s *Signer) fromLab() error {
	lab, err := readLab(s.Lab)
	if err != nil {
		return err
	}
	if s.SPC == "" {
		return errors.New("--spc is needed: which provider of the laboratory?")
	}
	if !atis.IsSPC(s.SPC) { // it becomes part of the names of files
		return fmt.Errorf("--spc is letters and digits, not %q", s.SPC)
	}
	if s.Key == "" {
		s.Key = lab.path(labProviders, s.SPC, "key.pem")
	}
	if s.X5U == "" {
		text, err := os.ReadFile(lab.path(labProviders, s.SPC, "x5u"))
		if err != nil {
			return fmt.Errorf("the laboratory has no provider %s: %w", s.SPC, plain(err))
		}
		s.X5U = strings.TrimSpace(string(text))
	}
	return nil
}

// laboratory is what the rules for an x5u exempt: the host that serves a laboratory's certificates.
func (s *Signer) laboratory() trust.Laboratory {
	if s.Lab == "" {
		return trust.Laboratory{}
	}
	lab, err := readLab(s.Lab)
	if err != nil {
		return trust.Laboratory{}
	}
	return trust.Laboratory{Hosts: []string{lab.repository}}
}

// openKey opens a key where it is kept: in a file, or in a token, which stays open until the process ends.
func openKey(where string) (crypto.Signer, error) {
	if !hsm.IsURI(where) {
		return readKey(where)
	}
	key, err := hsm.Open(hsm.Config{URI: where})
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	return key, nil
}

func readKey(name string) (*ecdsa.PrivateKey, error) {
	text, err := readFile(name, pemFileBytesMax)
	if err != nil {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, fmt.Errorf("%s: is encrypted; decrypt it first, with `openssl pkey -in FILE -out PLAIN`", name)
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if ec, ok := key.(*ecdsa.PrivateKey); ok {
				return checkCurve(name, ec)
			}
			return nil, fmt.Errorf("%s: not an EC key; ES256 needs P-256", name)
		case "EC PRIVATE KEY":
			key, err := x509.ParseECPrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			return checkCurve(name, key)
		}
	}
	return nil, fmt.Errorf("%s: holds no PEM private key", name)
}

func checkCurve(name string, key *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	if key.Params().BitSize != 256 {
		return nil, fmt.Errorf("%s: the curve is %s; ES256 needs P-256", name, key.Params().Name)
	}
	return key, nil
}

// parseParty reads a number or a URI as people write it: North American where it has no country code.
func parseParty(flag, text string) (tn.Identity, error) {
	if text == "" {
		return tn.Identity{}, fmt.Errorf("%s is needed", flag)
	}
	id, err := tn.NANP.Identity(text)
	if err != nil {
		return tn.Identity{}, fmt.Errorf("%s: %w", flag, err)
	}
	return id, nil
}
