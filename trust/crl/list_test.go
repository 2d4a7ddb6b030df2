package crl_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var (
	made = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	day  = 24 * time.Hour

	oidECDSA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
	oidECDSA384 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}
)

// signer is who issues lists: no CA, as that of the STI-PA is none.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(t testing.TB, curve elliptic.Curve, usage x509.KeyUsage) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{certify(t, key, usage), key}
}

func certify(t testing.TB, key crypto.Signer, usage x509.KeyUsage) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), RawSubject: paName, KeyUsage: usage, NotBefore: made, NotAfter: made.Add(day),
		SubjectKeyId: []byte{1}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// nameOf writes a name with one attribute in each relative name.
func nameOf(tag casn1.Tag, pairs ...string) []byte {
	oids := map[string]asn1.ObjectIdentifier{
		"C": {2, 5, 4, 6}, "O": {2, 5, 4, 10}, "CN": {2, 5, 4, 3}, "L": {2, 5, 4, 7}, "ST": {2, 5, 4, 8},
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := 0; i < len(pairs); i += 2 {
			b.AddASN1(casn1.SET, func(b *cryptobyte.Builder) {
				b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1ObjectIdentifier(oids[pairs[i]])
					b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(pairs[i+1])) })
				})
			})
		}
	})
	return b.BytesOrPanic()
}

// Those of the network, as its certificates have them.
var (
	paName = nameOf(casn1.UTF8String, "C", "US", "O", "STI-PA", "CN", "STI-PA CRL")
	caA    = nameOf(casn1.UTF8String, "C", "US", "O", "Alpha", "CN", "SHAKEN Alpha CA")
	caB    = nameOf(casn1.UTF8String, "C", "US", "O", "Beta", "CN", "SHAKEN Beta CA")
)

// extensionOf is one as it stands in a list.
func extensionOf(oid asn1.ObjectIdentifier, critical bool, value []byte) pkix.Extension {
	return pkix.Extension{Id: oid, Critical: critical, Value: value}
}

var unknown = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}

func number(n int64) pkix.Extension {
	value, _ := asn1.Marshal(n)
	return extensionOf(asn1.ObjectIdentifier{2, 5, 29, 20}, false, value)
}

// distribution is an IssuingDistributionPoint of what is in it.
func distribution(content ...byte) pkix.Extension {
	return extensionOf(asn1.ObjectIdentifier{2, 5, 29, 28}, true, append([]byte{0x30, byte(len(content))}, content...))
}

var indirect = distribution(0x84, 1, 0xff)

func issuedBy(name []byte) pkix.Extension {
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.Tag(4).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(name) })
	})
	return extensionOf(asn1.ObjectIdentifier{2, 5, 29, 29}, true, b.BytesOrPanic())
}

func because(code byte) pkix.Extension {
	return extensionOf(asn1.ObjectIdentifier{2, 5, 29, 21}, false, []byte{0x0a, 1, code})
}

// revocation is one entry.
type revocation struct {
	serial     *big.Int
	at         time.Time // default made
	extensions []pkix.Extension
}

func revoked(serial int64, extensions ...pkix.Extension) revocation {
	return revocation{serial: big.NewInt(serial), extensions: extensions}
}

// document is a list before it is written, good or bad. The zero value of every field is what a good list has.
type document struct {
	version    []byte // default that of version 2
	algorithm  asn1.ObjectIdentifier
	inner      asn1.ObjectIdentifier // default algorithm
	issuer     []byte
	thisUpdate time.Time
	nextUpdate time.Time
	expires    func(*cryptobyte.Builder) // instead of nextUpdate
	entries    []revocation
	extensions []pkix.Extension // default a number, and that it is indirect
	after      []byte           // after the signature
}

// write signs the list, with whatever hash the algorithm has.
func (d document) write(t testing.TB, s *signer) []byte {
	t.Helper()
	if d.algorithm == nil {
		d.algorithm = oidECDSA256
	}
	if d.inner == nil {
		d.inner = d.algorithm
	}
	signed := d.signed()
	hash := crypto.SHA256
	if d.algorithm.Equal(oidECDSA384) {
		hash = crypto.SHA384
	}
	h := hash.New()
	h.Write(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, h.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		addAlgorithm(b, d.algorithm)
		b.AddASN1BitString(signature)
	})
	return append(b.BytesOrPanic(), d.after...)
}

func addAlgorithm(b *cryptobyte.Builder, oid asn1.ObjectIdentifier) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(oid) })
}

func (d document) signed() []byte {
	if d.version == nil {
		d.version = []byte{2, 1, 1}
	}
	if d.issuer == nil {
		d.issuer = paName
	}
	if d.thisUpdate.IsZero() {
		d.thisUpdate = made
	}
	if d.nextUpdate.IsZero() {
		d.nextUpdate = d.thisUpdate.Add(day)
	}
	if d.extensions == nil {
		d.extensions = []pkix.Extension{number(7), indirect}
	}
	if d.expires == nil {
		d.expires = func(b *cryptobyte.Builder) { b.AddASN1UTCTime(d.nextUpdate) }
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(d.version)
		addAlgorithm(b, d.inner)
		b.AddBytes(d.issuer)
		b.AddASN1UTCTime(d.thisUpdate)
		d.expires(b)
		if len(d.entries) > 0 {
			b.AddASN1(casn1.SEQUENCE, d.addEntries)
		}
		if len(d.extensions) > 0 {
			b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { addExtensions(b, d.extensions) })
		}
	})
	return b.BytesOrPanic()
}

func (d document) addEntries(b *cryptobyte.Builder) {
	for _, e := range d.entries {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1BigInt(e.serial)
			at := e.at
			if at.IsZero() {
				at = made
			}
			if at.Year() < 2050 {
				b.AddASN1UTCTime(at)
			} else {
				b.AddASN1GeneralizedTime(at)
			}
			if len(e.extensions) > 0 {
				addExtensions(b, e.extensions)
			}
		})
	}
}

func addExtensions(b *cryptobyte.Builder, all []pkix.Extension) {
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, e := range all {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(e.Id)
				if e.Critical {
					b.AddASN1Boolean(true)
				}
				b.AddASN1OctetString(e.Value)
			})
		}
	})
}

// issued is as much of a certificate as its ID is made of.
func issued(issuer []byte, serial *big.Int) *x509.Certificate {
	return &x509.Certificate{RawIssuer: issuer, SerialNumber: serial}
}

// serialOf spreads small numbers over the 16 octets that serials have.
func serialOf(i int) *big.Int {
	hash := sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)})
	return new(big.Int).SetBytes(hash[:16])
}
