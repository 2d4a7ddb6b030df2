package oobtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
)

// shakenPolicy is the US SHAKEN certificate policy 1.4; oidTNAuthList is id-pe-TNAuthList (RFC 8226 §9).
var (
	shakenPolicy  = mustOID(2, 16, 840, 1, 114569, 1, 1, 4)
	oidTNAuthList = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}
)

func mustOID(numbers ...uint64) x509.OID {
	oid, err := x509.OIDFromInts(numbers)
	if err != nil {
		panic(err) // a constant of this file is wrong
	}
	return oid
}

// Authority is a CA of the laboratory.
type Authority struct {
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
}

// LoadAuthority reads what CertificatePEM and KeyPEM gave.
func LoadAuthority(certificatePEM, keyPEM []byte) (*Authority, error) {
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key of a laboratory authority is not an EC key")
	}
	return &Authority{Certificate: pair.Leaf, Key: key}, nil
}

// CertificatePEM is the CA's certificate.
func (a *Authority) CertificatePEM() []byte { return certificatePEM(a.Certificate.Raw) }

// KeyPEM is the CA's key in PKCS #8.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.Key) }

// newAuthority makes a CA that parent signs, or a root when there is none.
func (p *PKI) newAuthority(role string, parent *Authority) (*Authority, error) {
	key, err := keyOrNew(nil, nil)
	if err != nil {
		return nil, err
	}
	template, err := p.template(p.name+" "+role, key)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign
	signer := &Authority{Certificate: template, Key: key}
	if parent != nil {
		template.Policies = []x509.OID{shakenPolicy}
		template.MaxPathLenZero = true
		signer = parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.Certificate, key.Public(), signer.Key)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", role, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("making %s: %w", role, err)
	}
	return &Authority{Certificate: cert, Key: key}, nil
}

// TLSFiles is a TLS certificate with its key, as files hold them.
type TLSFiles struct {
	CertificatePEM []byte
	KeyPEM         []byte // PKCS #8
}

// Certificate is the pair as crypto/tls wants it.
func (f TLSFiles) Certificate() (tls.Certificate, error) {
	return tls.X509KeyPair(f.CertificatePEM, f.KeyPEM)
}

// IssueTLS issues a TLS certificate for host names and IP addresses, for servers and clients.
func (p *PKI) IssueTLS(hosts ...string) (TLSFiles, error) {
	if len(hosts) == 0 {
		return TLSFiles{}, errors.New("a TLS certificate needs a host")
	}
	key, err := keyOrNew(nil, nil)
	if err != nil {
		return TLSFiles{}, err
	}
	template, err := p.template(hosts[0], key)
	if err != nil {
		return TLSFiles{}, err
	}
	template.NotAfter = template.NotBefore.Add(leafLifetime)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.TLSRoot.Certificate, key.Public(), p.TLSRoot.Key)
	if err != nil {
		return TLSFiles{}, fmt.Errorf("issuing TLS certificate: %w", err)
	}
	keyFile, err := keyPEM(key)
	if err != nil {
		return TLSFiles{}, err
	}
	return TLSFiles{CertificatePEM: certificatePEM(der), KeyPEM: keyFile}, nil
}

func keyOrNew(key *ecdsa.PrivateKey, curve elliptic.Curve) (*ecdsa.PrivateKey, error) {
	if key != nil {
		return key, nil
	}
	if curve == nil {
		curve = elliptic.P256()
	}
	return ecdsa.GenerateKey(curve, rand.Reader)
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
