package app

import (
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

// LabRevoke is `viaduct lab revoke`. Of the laboratory's STI-PA there is only who signs the revocation list, and the list of
// CPSs.
type LabRevoke struct {
	Dir string   `arg:"" type:"existingdir" help:"Folder that lab init has written."`
	SPC []string `arg:"" placeholder:"SPC" help:"Service provider code of a provider whose certificate to revoke."`
}

// The files of a laboratory's STI-PA, relative to its folder.
const (
	labCRLIssuer    = "crl-issuer.pem"
	labCRLIssuerKey = "crl-issuer-key.pem"
	labCRL          = "revoked.crl" // the revocation list
	labRevoked      = "revoked"     // the SPCs on it, in lines
)

// labCRLLifetime is long, because nobody signs a laboratory's list anew.
const labCRLLifetime = 365 * 24 * time.Hour

// labCRLPath is where the laboratory's repository serves the list.
const labCRLPath = "/" + labCRL

// policyAdministrator writes who signs the revocation list, and a list without entries. What is issued from now on says
// that it is told of at url.
func (w *labWriter) policyAdministrator(pki *oobtest.PKI, url string) {
	if w.err != nil {
		return
	}
	administrator, err := pki.NewPolicyAdministrator()
	if err != nil {
		w.err = err
		return
	}
	key, err := administrator.CRLIssuer.KeyPEM()
	if err != nil {
		w.err = err
		return
	}
	list, err := labRevocationList(administrator.CRLIssuer, nil)
	if err != nil {
		w.err = err
		return
	}
	if w.point, w.err = oobtest.CRLDistributionPoint(url, administrator.CRLIssuer.Certificate.RawSubject); w.err != nil {
		return
	}
	intermediate := *pki.Intermediate.Certificate
	w.announce(&intermediate)
	der, err := x509.CreateCertificate(rand.Reader, &intermediate, pki.Root.Certificate, &pki.Intermediate.Key.PublicKey, pki.Root.Key)
	if err == nil {
		pki.Intermediate.Certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		w.err = err
		return
	}
	w.file(filepath.Join(labSTIPA, labCRLIssuer), administrator.CRLIssuer.CertificatePEM())
	w.file(filepath.Join(labSTIPA, labCRLIssuerKey), key)
	w.file(filepath.Join(labSTIPA, labCRL), list)
	w.administrator = administrator.CRLIssuer.Key
}

// labCPSList is the list of CPSs that the laboratory's STI-PA signs.
const labCPSList = "cps-list.jwt"

// cpsList signs that all providers of the laboratory have its one CPS.
func (w *labWriter) cpsList(spcs []string, url string) {
	if w.err != nil {
		return
	}
	mapping := map[string]string{}
	for _, spc := range spcs {
		mapping[spc] = url
	}
	list, err := ocnlist.Sign(w.administrator, "https://localhost/"+labCRLIssuer, 1, time.Now().Add(labCRLLifetime), mapping)
	if w.err = err; err == nil {
		w.file(filepath.Join(labSTIPA, labCPSList), []byte(list+"\n"))
	}
}

// announce adds to a certificate who would tell of its revocation (ATIS-1000080 §6.4.1).
func (w *labWriter) announce(certificate *x509.Certificate) {
	certificate.ExtraExtensions = append(certificate.ExtraExtensions, w.point)
}

// labRevocationList signs the list with so many entries. It is numbered by them: none is ever taken off.
func labRevocationList(issuer *oobtest.Authority, revoked []oobtest.Revoked) ([]byte, error) {
	now := time.Now()
	return issuer.RevocationList(oobtest.RevocationListConfig{
		Number: big.NewInt(1 + int64(len(revoked))), ThisUpdate: now, NextUpdate: now.Add(labCRLLifetime), Revoked: revoked,
	})
}

// Run writes the new list.
func (l *LabRevoke) Run(std *Streams) error {
	lab, err := readLab(l.Dir)
	if err != nil {
		return err
	}
	issuer, err := lab.crlIssuer()
	if err != nil {
		return err
	}
	all, err := lab.revoked()
	if err != nil {
		return err
	}
	for _, spc := range l.SPC {
		if !slices.Contains(all, spc) {
			all = append(all, spc)
		}
	}
	var entries []oobtest.Revoked
	for _, spc := range all {
		cert, err := lab.certificate(spc)
		if err != nil {
			return err
		}
		entries = append(entries, oobtest.Revoke(cert.X509()))
	}
	list, err := labRevocationList(issuer, entries)
	if err != nil {
		return err
	}
	w := &labWriter{dir: l.Dir}
	w.file(filepath.Join(labSTIPA, labRevoked), []byte(strings.Join(all, "\n")+"\n"))
	w.file(filepath.Join(labSTIPA, labCRL+".new"), list)
	if w.err == nil { // whoever reads the list finds it whole
		w.err = os.Rename(lab.path(labSTIPA, labCRL+".new"), lab.path(labSTIPA, labCRL))
	}
	if w.err != nil {
		return w.err
	}
	fmt.Fprintf(std.Out, "revoked: %s; serve reads the list every few seconds, and on SIGHUP\n", strings.Join(all, ", "))
	return nil
}

func (l *laboratory) crlIssuer() (*oobtest.Authority, error) {
	certificate, err := os.ReadFile(l.path(labSTIPA, labCRLIssuer))
	if err != nil {
		return nil, plain(err)
	}
	key, err := os.ReadFile(l.path(labSTIPA, labCRLIssuerKey))
	if err != nil {
		return nil, plain(err)
	}
	return oobtest.LoadAuthority(certificate, key)
}

// revoked gives the SPCs that are on the list.
func (l *laboratory) revoked() ([]string, error) {
	text, err := os.ReadFile(l.path(labSTIPA, labRevoked))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, plain(err)
	}
	return strings.Fields(string(text)), nil
}

// certificate gives that of a provider.
func (l *laboratory) certificate(spc string) (*stircert.Certificate, error) {
	if spc != filepath.Base(spc) {
		return nil, fmt.Errorf("the laboratory has no provider %s", spc)
	}
	text, err := os.ReadFile(l.path(labRepository, spc+".pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the laboratory has no provider %s", spc)
	}
	if err != nil {
		return nil, plain(err)
	}
	chain, err := stircert.ParseChainPEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s.pem: %w", spc, err)
	}
	return stircert.Of(chain[0]), nil
}
