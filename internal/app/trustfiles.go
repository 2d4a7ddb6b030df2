package app

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// given says whether a document is to be used.
func (s *SourceConfig) given() bool { return s.URL != "" || s.File != "" }

// Bounds of what an operator may set: a source is not asked more than once a second, and not less than once a week.
const (
	refreshMin = Duration(time.Second)
	refreshMax = Duration(7 * 24 * time.Hour)
)

// resolve gives the source of a document that is served as accept.
func (s *SourceConfig) resolve(path, accept string, note func(string, error)) stipa.Source {
	source := stipa.Source{URL: s.URL, File: s.File, Accept: accept, AuthorizationFile: s.AuthorizationFile}
	if s.Login != (LoginConfig{}) {
		source.Login = &stipa.Login{URL: s.Login.URL, User: s.Login.User, PasswordFile: s.Login.PasswordFile}
	}
	note(path, source.Check())
	for _, file := range []struct{ key, name string }{{".authorization_file", s.AuthorizationFile}, {".login.password_file", s.Login.PasswordFile}} {
		if file.name != "" {
			_, err := os.Stat(file.name)
			note(path+file.key, plain(err))
		}
	}
	var err error
	source.Roots, err = loadPool(s.TLSRoots)
	note(path+".tls_roots", plain(err))
	if s.Refresh < refreshMin || s.Refresh > refreshMax {
		note(path+".refresh", fmt.Errorf("is between %s and %s", refreshMin, refreshMax))
	}
	if s.AlarmAfter < s.Refresh {
		note(path+".alarm_after", errors.New("is not less than refresh"))
	}
	return source
}

// loadCertificates reads all certificates of PEM files. A file without one is an error.
func loadCertificates(files []string) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, name := range files {
		rest, err := readFile(name, pemFileBytesMax)
		if err != nil {
			return nil, err
		}
		before := len(all)
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				continue
			}
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			all = append(all, cert)
		}
		if len(all) == before {
			return nil, fmt.Errorf("%s: holds no PEM certificate", name)
		}
	}
	return all, nil
}
