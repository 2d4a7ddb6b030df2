package oobtest

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"github.com/viaduct-oob/viaduct/internal/jws"
)

// signedListLifetime is how long what the laboratory's STI-PA signs holds, unless said otherwise.
const signedListLifetime = 24 * time.Hour

// PolicyAdministrator is the STI-PA of a laboratory: it signs the list of trusted STI-CAs, and the one revocation list of
// all STI-CAs. Both signers are end entities under its own root, which is not that of the STI-CAs.
type PolicyAdministrator struct {
	Root      *Authority
	Signer    *Authority // signs lists of trusted STI-CAs
	CRLIssuer *Authority // signs revocation lists

	pki *PKI
	x5u string
}

// NewPolicyAdministrator makes an STI-PA. Its signer's chain is served by the repository of p.
func (p *PKI) NewPolicyAdministrator() (*PolicyAdministrator, error) {
	a := &PolicyAdministrator{pki: p}
	var err error
	if a.Root, err = p.newAuthority("STI-PA ROOT", nil); err != nil {
		return nil, err
	}
	if a.Signer, err = p.newSigner("STI-PA", a.Root, x509.KeyUsageDigitalSignature); err != nil {
		return nil, err
	}
	if a.CRLIssuer, err = p.newSigner("STI-PA CRL", a.Root, x509.KeyUsageCRLSign); err != nil {
		return nil, err
	}
	a.x5u = p.Serve("/sti-pa.crt", a.Signer.CertificatePEM())
	return a, nil
}

// newSigner makes an end entity that signs no PASSporTs.
func (p *PKI) newSigner(cn string, issuer *Authority, usage x509.KeyUsage) (*Authority, error) {
	key, err := keyOrNew(nil, nil)
	if err != nil {
		return nil, err
	}
	template, err := p.template(cn, key)
	if err != nil {
		return nil, err
	}
	template.Subject.Organization = []string{p.name + " STI-PA"}
	template.KeyUsage = usage
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.Key)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", cn, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", cn, err)
	}
	return &Authority{Certificate: cert, Key: key}, nil
}

// TrustListConfig says what a list of trusted STI-CAs holds. The zero value lists the root of the PKI and nothing else.
type TrustListConfig struct {
	Sequence uint64    // default 1
	Expires  time.Time // default: in 24 hours

	Certificates []*x509.Certificate // default: the root of the PKI; every other one is written in PEM, the rest in plain base64
	Entries      []string            // instead of Certificates: the entries as they are written; empty and not nil for none

	Signer *Authority // default: Signer of the PolicyAdministrator

	// Members that differ from what is said above, or are added; nil leaves a member out.
	Header, Payload map[string]any
}

// TrustList signs a list of trusted STI-CAs: a JWT, as application/jose+json serves it.
func (a *PolicyAdministrator) TrustList(cfg TrustListConfig) (string, error) {
	if cfg.Sequence == 0 {
		cfg.Sequence = 1
	}
	if cfg.Expires.IsZero() {
		cfg.Expires = a.pki.now().Add(signedListLifetime)
	}
	if cfg.Certificates == nil {
		cfg.Certificates = []*x509.Certificate{a.pki.Root.Certificate}
	}
	if cfg.Entries == nil {
		cfg.Entries = trustListEntries(cfg.Certificates)
	}
	if cfg.Signer == nil {
		cfg.Signer = a.Signer
	}
	header, err := membersWith(map[string]any{"alg": "ES256", "typ": "JWT", "x5u": a.x5u}, cfg.Header)
	if err != nil {
		return "", err
	}
	payload, err := membersWith(map[string]any{
		"version": 1, "sequence": cfg.Sequence, "exp": cfg.Expires.Unix(), "trustList": cfg.Entries,
	}, cfg.Payload)
	if err != nil {
		return "", err
	}
	return jws.Sign(cfg.Signer.Key, header, payload)
}

// TrustListAnswer is the other form in which an STI-PA serves the list: the answer of its interface.
func TrustListAnswer(list string) []byte {
	return fmt.Appendf(nil, `{"status":"success","caList":%q}`, list)
}

func trustListEntries(certs []*x509.Certificate) []string {
	entries := make([]string, len(certs))
	for i, cert := range certs {
		entries[i] = base64.StdEncoding.EncodeToString(cert.Raw)
		if i%2 == 0 {
			entries[i] = string(certificatePEM(cert.Raw))
		}
	}
	return entries
}

func membersWith(members, differing map[string]any) ([]byte, error) {
	for name, value := range differing {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return json.Marshal(members)
}

// RevocationListConfig says what a revocation list holds. The zero value is an indirect CRL with number 1 that revokes
// nothing.
type RevocationListConfig struct {
	Number     *big.Int  // default 1
	ThisUpdate time.Time // default: an hour ago
	NextUpdate time.Time // default: 24 hours after ThisUpdate
	Revoked    []Revoked
	Direct     bool       // leave out the issuingDistributionPoint that says indirectCRL
	Signer     *Authority // default: CRLIssuer of the PolicyAdministrator; it must have cRLSign and no more

	Modify func(*x509.RevocationList) // has the last word on the template
}

// Revoked is one entry of a revocation list.
type Revoked struct {
	// Issuer is the DN in DER of who issued the certificate, for a certificateIssuer extension. Nil leaves the extension
	// out: the issuer is that of the entry before, and of the first entry the signer of the list (RFC 5280 §5.3.3).
	Issuer []byte
	Serial *big.Int
	At     time.Time // default: ThisUpdate of the list
}

// Revoke is the entry for a certificate.
func Revoke(cert *x509.Certificate) Revoked {
	return Revoked{Issuer: cert.RawIssuer, Serial: cert.SerialNumber}
}

var (
	oidIssuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidCertificateIssuer        = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidCRLDistributionPoints    = asn1.ObjectIdentifier{2, 5, 29, 31}
)

// RevocationList signs a revocation list, in DER.
func (a *PolicyAdministrator) RevocationList(cfg RevocationListConfig) ([]byte, error) {
	if cfg.Signer == nil {
		cfg.Signer = a.CRLIssuer
	}
	if cfg.ThisUpdate.IsZero() {
		cfg.ThisUpdate = a.pki.now().Add(-backdating)
	}
	return cfg.Signer.RevocationList(cfg)
}

// RevocationList signs a revocation list, in DER, for whoever is at hand: cfg.Signer does not count.
func (a *Authority) RevocationList(cfg RevocationListConfig) ([]byte, error) {
	if cfg.Number == nil {
		cfg.Number = big.NewInt(1)
	}
	if cfg.ThisUpdate.IsZero() {
		cfg.ThisUpdate = time.Now().Add(-backdating)
	}
	if cfg.NextUpdate.IsZero() {
		cfg.NextUpdate = cfg.ThisUpdate.Add(signedListLifetime)
	}
	template := &x509.RevocationList{Number: cfg.Number, ThisUpdate: cfg.ThisUpdate, NextUpdate: cfg.NextUpdate}
	if !cfg.Direct {
		// IssuingDistributionPoint { indirectCRL [4] TRUE } (RFC 5280 §5.2.5)
		indirect := pkix.Extension{Id: oidIssuingDistributionPoint, Critical: true, Value: []byte{0x30, 3, 0x84, 1, 0xff}}
		template.ExtraExtensions = append(template.ExtraExtensions, indirect)
	}
	for _, revoked := range cfg.Revoked {
		entry, err := revoked.entry(cfg.ThisUpdate)
		if err != nil {
			return nil, err
		}
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries, entry)
	}
	if cfg.Modify != nil {
		cfg.Modify(template)
	}
	return x509.CreateRevocationList(rand.Reader, template, a.Certificate, a.Key)
}

func (r Revoked) entry(at time.Time) (x509.RevocationListEntry, error) {
	entry := x509.RevocationListEntry{SerialNumber: r.Serial, RevocationTime: r.At}
	if r.At.IsZero() {
		entry.RevocationTime = at
	}
	if r.Issuer == nil {
		return entry, nil
	}
	names, err := asn1.Marshal([]asn1.RawValue{directoryName(r.Issuer)})
	if err != nil {
		return x509.RevocationListEntry{}, fmt.Errorf("revoking: %w", err)
	}
	entry.ExtraExtensions = []pkix.Extension{{Id: oidCertificateIssuer, Critical: true, Value: names}}
	return entry, nil
}

// directoryName is the GeneralName directoryName [4] of a DN in DER. It is tagged explicitly, because Name is a CHOICE.
func directoryName(dn []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: dn}
}

// CRLDistributionPoint is the extension of a certificate that names where its revocation list is, and the DN in DER of
// who signs that, as cRLIssuer; nil leaves the latter out.
func CRLDistributionPoint(url string, issuer []byte) (pkix.Extension, error) {
	context := func(tag int, compound bool, content []byte) asn1.RawValue {
		return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, IsCompound: compound, Bytes: content}
	}
	var parts [2][]byte // fullName with the URL, directoryName of the issuer
	for i, value := range []asn1.RawValue{context(6, false, []byte(url)), directoryName(issuer)} {
		der, err := asn1.Marshal(value)
		if err != nil {
			return pkix.Extension{}, err
		}
		parts[i] = der
	}
	fullName, err := asn1.Marshal(context(0, true, parts[0]))
	if err != nil {
		return pkix.Extension{}, err
	}
	point := []asn1.RawValue{context(0, true, fullName)}
	if issuer != nil {
		point = append(point, context(2, true, parts[1]))
	}
	der, err := asn1.Marshal([][]asn1.RawValue{point})
	return pkix.Extension{Id: oidCRLDistributionPoints, Value: der}, err
}

// Numbers of ASN.1 string types, for ReencodeName.
const (
	UTF8String      = asn1.TagUTF8String
	PrintableString = asn1.TagPrintableString
)

// ReencodeName writes a DN in DER anew, with every value as a string of one type: CAs and the STI-PA write the same
// name in different types.
func ReencodeName(dn []byte, stringType int) ([]byte, error) {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(dn, &name); err != nil || len(rest) > 0 {
		return nil, fmt.Errorf("not a DN (%d bytes left): %w", len(rest), err)
	}
	for _, rdn := range name {
		for i := range rdn {
			rdn[i].Value = asn1.RawValue{Tag: stringType, Bytes: fmt.Append(nil, rdn[i].Value)}
		}
	}
	return asn1.Marshal(name)
}
