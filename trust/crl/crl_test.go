package crl_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust/crl"
)

func mustParse(t testing.TB, content []byte) *crl.List {
	t.Helper()
	list, err := crl.Parse(content)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func has(t testing.TB, list *crl.List, issuer []byte, serial *big.Int) bool {
	t.Helper()
	id, err := crl.IDOf(issued(issuer, serial))
	if err != nil {
		t.Fatal(err)
	}
	_, at, revoked := list.Revoked(id)
	if revoked == at.IsZero() {
		t.Errorf("revoked %v at %v", revoked, at)
	}
	return revoked
}

func TestRFC5280_S5_3_3_CertificateIssuerCarriesOver(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	list := mustParse(t, document{entries: []revocation{
		revoked(1), revoked(2), revoked(3, issuedBy(caA)), revoked(4, because(1)), revoked(5, issuedBy(caB)), revoked(6),
		revoked(1, issuedBy(caA)), revoked(7, issuedBy(paName)), revoked(8),
	}}.write(t, s))
	on := map[string][]int64{"PA": {1, 2, 7, 8}, "A": {3, 4, 1}, "B": {5, 6}}
	for name, issuer := range map[string][]byte{"PA": paName, "A": caA, "B": caB} {
		for serial := int64(0); serial < 10; serial++ {
			want := false
			for _, listed := range on[name] {
				want = want || listed == serial
			}
			if got := has(t, list, issuer, big.NewInt(serial)); got != want {
				t.Errorf("serial %d of %s: revoked %v", serial, name, got)
			}
		}
	}
	if list.Len() != 9 || !list.Indirect() {
		t.Errorf("%d entries, indirect %v", list.Len(), list.Indirect())
	}
}

// The network writes the same issuer with other string types, in other cases and orders.
func TestRFC5280_S7_1_IssuersCompareAsNamesAndNotAsBytes(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	list := mustParse(t, document{entries: []revocation{revoked(3, issuedBy(caA))}}.write(t, s))
	for name, issuer := range map[string][]byte{
		"PrintableString": nameOf(casn1.PrintableString, "C", "US", "O", "Alpha", "CN", "SHAKEN Alpha CA"),
		"another case":    nameOf(casn1.UTF8String, "C", "us", "O", "ALPHA", "CN", "shaken  alpha ca "),
		"another order":   nameOf(casn1.UTF8String, "CN", "SHAKEN Alpha CA", "O", "Alpha", "C", "US"),
	} {
		if !has(t, list, issuer, big.NewInt(3)) {
			t.Errorf("%s: not revoked", name)
		}
	}
	if has(t, list, nameOf(casn1.UTF8String, "C", "US", "O", "Alpha"), big.NewInt(3)) {
		t.Error("another name: revoked")
	}
}

func TestRFC5280_S5_3_1_Reasons(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	later := made.Add(-day)
	list := mustParse(t, document{entries: []revocation{
		revoked(0), revoked(1, because(1)), revoked(6, because(6)), revoked(7, because(7)), revoked(8, because(8)),
		revoked(9, because(200)), {serial: big.NewInt(10), at: made.Add(-2 * day)}, {serial: big.NewInt(10), at: later},
		revoked(11), revoked(11, because(8)),
	}}.write(t, s))
	for _, c := range []struct {
		name    string
		serial  int64
		revoked bool
		reason  string
		at      time.Time
	}{
		{"none", 0, true, "unspecified", made},
		{"keyCompromise", 1, true, "keyCompromise", made},
		{"on hold is revoked", 6, true, "certificateHold", made},
		{"without a meaning", 7, true, "unspecified", made},
		{"RFC 5280 §6.3.3 (l): removed", 8, false, "unspecified", time.Time{}},
		{"beyond all", 9, true, "unspecified", made},
		{"twice: the earlier one", 10, true, "unspecified", made.Add(-2 * day)},
		{"removed and not", 11, true, "unspecified", made},
	} {
		id, err := crl.IDOf(issued(paName, big.NewInt(c.serial)))
		if err != nil {
			t.Fatal(err)
		}
		reason, at, revoked := list.Revoked(id)
		if revoked != c.revoked || reason.String() != c.reason || !at.Equal(c.at) {
			t.Errorf("%s: %v, %v, %v", c.name, revoked, reason, at)
		}
	}
}

func TestRFC5280_S5_ListsThatAreRead(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	large := append([]byte{0x02, 20, 0x7f}, bytes.Repeat([]byte{0xff}, 19)...)
	for _, c := range []struct {
		name string
		list document
	}{
		{"no entries", document{}},
		{"one entry", document{entries: []revocation{revoked(3)}}},
		{"a number of 20 octets", document{extensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 20}, Value: large}}}},
		{"no number", document{extensions: []pkix.Extension{indirect}}},
		{"direct", document{extensions: []pkix.Extension{number(1)}}},
		{"direct, and says so", document{extensions: []pkix.Extension{number(1), distribution(0x84, 1, 0)}}},
		{"a distribution point", document{extensions: []pkix.Extension{number(1), distribution(0xa0, 5, 0xa0, 3, 0x86, 1, 'x', 0x84, 1, 0xff)}}},
		{"an unknown extension", document{extensions: []pkix.Extension{{Id: unknown, Value: []byte{5, 0}}}}},
		{"an unknown extension of an entry", document{entries: []revocation{revoked(3, extensionOf(unknown, false, nil))}}},
		{"an entry of 2050", document{entries: []revocation{{serial: big.NewInt(3), at: time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)}}}},
		{"a serial of 64 octets", document{entries: []revocation{{serial: new(big.Int).Lsh(big.NewInt(1), 511)}}}},
		{"SHA-384", document{algorithm: oidECDSA384}},
	} {
		t.Run(c.name, func(t *testing.T) {
			der := c.list.write(t, s)
			list := mustParse(t, der)
			if err := list.CheckSignature(s.cert); err != nil {
				t.Error(err)
			}
			key, _ := stircert.NameKey(paName)
			if list.Len() != len(c.list.entries) || list.Issuer() != key || !list.ThisUpdate().Equal(made) || !list.NextUpdate().Equal(made.Add(day)) {
				t.Errorf("%d entries of %q, %v to %v", list.Len(), list.Issuer(), list.ThisUpdate(), list.NextUpdate())
			}
			for _, e := range c.list.entries {
				if !has(t, list, paName, e.serial) {
					t.Error("not revoked")
				}
			}
			agrees(t, der, list)
			text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
			if again := mustParse(t, append([]byte("the list\n"), text...)); again.Len() != list.Len() || again.CheckSignature(s.cert) != nil {
				t.Error("in PEM it is another list")
			}
		})
	}
	if n := mustParse(t, document{}.write(t, s)).Number(); n.Cmp(big.NewInt(7)) != 0 {
		t.Errorf("number %v", n)
	}
	if n := mustParse(t, document{extensions: []pkix.Extension{indirect}}.write(t, s)).Number(); n != nil {
		t.Errorf("number %v", n)
	}
}

func TestRFC5280_S5_ListsThatAreRefused(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	good := document{entries: []revocation{revoked(3)}}.write(t, s)
	wide := document{entries: []revocation{revoked(0x103)}}.write(t, s)
	written := func(d document) []byte { return d.write(t, s) }
	extended := func(all ...pkix.Extension) []byte { return written(document{extensions: all}) }
	entry := func(all ...pkix.Extension) []byte {
		return written(document{entries: []revocation{revoked(3, all...)}})
	}
	huge := append([]byte{0x02, 21, 0x7f}, bytes.Repeat([]byte{0xff}, 20)...)
	for _, c := range []struct {
		name string
		list []byte
		want error
	}{
		{"nothing", nil, crl.ErrMalformed},
		{"a page", []byte("<html>"), crl.ErrMalformed},
		{"cut short", good[:len(good)-1], crl.ErrMalformed},
		{"a byte more", append(bytes.Clone(good), 0), crl.ErrMalformed},
		{"PEM of another kind", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good}), crl.ErrMalformed},
		{"PEM twice", bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: good}), 2), crl.ErrMalformed},
		{"version 1", written(document{version: []byte{2, 1, 0}}), crl.ErrMalformed},
		{"version 3", written(document{version: []byte{2, 1, 2}}), crl.ErrMalformed},
		{"two algorithms", written(document{inner: oidECDSA384}), crl.ErrMalformed},
		{"SHA-1", written(document{algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}}), crl.ErrAlgorithm},
		{"an issuer without a name", written(document{issuer: []byte{0x30, 0}}), crl.ErrMalformed},
		{"no nextUpdate", written(document{expires: func(*cryptobyte.Builder) {}}), crl.ErrMalformed},
		{"nextUpdate before thisUpdate", written(document{nextUpdate: made.Add(-day)}), crl.ErrMalformed},
		{"delta", extended(number(1), extensionOf(asn1.ObjectIdentifier{2, 5, 29, 27}, true, []byte{2, 1, 1})), crl.ErrDelta},
		{"delta that is not critical", extended(extensionOf(asn1.ObjectIdentifier{2, 5, 29, 27}, false, []byte{2, 1, 1})), crl.ErrDelta},
		{"negative number", extended(number(-1)), crl.ErrMalformed},
		{"number of 21 octets", extended(extensionOf(asn1.ObjectIdentifier{2, 5, 29, 20}, false, huge)), crl.ErrMalformed},
		{"number that is none", extended(extensionOf(asn1.ObjectIdentifier{2, 5, 29, 20}, false, []byte{4, 1, 1})), crl.ErrMalformed},
		{"number twice", extended(number(1), number(2)), crl.ErrMalformed},
		{"critical and unknown", extended(number(1), extensionOf(unknown, true, nil)), crl.ErrCritical},
		{"extensions without one", written(document{extensions: []pkix.Extension{}, after: nil, expires: func(b *cryptobyte.Builder) {
			b.AddASN1UTCTime(made.Add(day))
			b.AddASN1(casn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1(casn1.SEQUENCE, func(*cryptobyte.Builder) {}) })
		}}), crl.ErrMalformed},
		{"users alone", extended(distribution(0x81, 1, 0xff)), crl.ErrPartial},
		{"CAs alone", extended(distribution(0x82, 1, 0xff)), crl.ErrPartial},
		{"some reasons", extended(distribution(0x83, 2, 1, 2)), crl.ErrPartial},
		{"attribute certificates", extended(distribution(0x85, 1, 0xff)), crl.ErrPartial},
		{"a BOOLEAN that is neither", extended(distribution(0x84, 1, 1)), crl.ErrMalformed},
		{"an unknown field of the distribution point", extended(distribution(0x86, 1, 0xff)), crl.ErrMalformed},
		{"fields of the distribution point out of order", extended(distribution(0x84, 1, 0xff, 0x81, 1, 0)), crl.ErrMalformed},
		{"critical and unknown in an entry", entry(extensionOf(unknown, true, nil)), crl.ErrCritical},
		{"two reasons", entry(because(1), because(2)), crl.ErrMalformed},
		{"two issuers", entry(issuedBy(caA), issuedBy(caB)), crl.ErrMalformed},
		{"an issuer that is a URL", entry(extensionOf(asn1.ObjectIdentifier{2, 5, 29, 29}, true, []byte{0x30, 3, 0x86, 1, 'x'})), crl.ErrMalformed},
		{"an issuer in a list that is not indirect", written(document{
			extensions: []pkix.Extension{number(1)}, entries: []revocation{revoked(3, issuedBy(caA))},
		}), crl.ErrMalformed},
		{"a time that is none", bytes.Replace(good, []byte{2, 1, 3, 0x17}, []byte{2, 1, 3, 0x16}, 1), crl.ErrMalformed},
		{"a serial that is not minimal", bytes.Replace(wide, []byte{2, 2, 1, 3}, []byte{2, 2, 0, 3}, 1), crl.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := crl.Parse(c.list)
			if !errors.Is(err, c.want) || list != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestLists_AreBounded(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	der := document{entries: []revocation{revoked(1), revoked(2), revoked(3)}}.write(t, s)
	for _, c := range []struct {
		name   string
		limits crl.Limits
		want   error
	}{
		{"at both limits", crl.Limits{Bytes: len(der), Entries: 3}, nil},
		{"a byte more", crl.Limits{Bytes: len(der) - 1}, crl.ErrTooLarge},
		{"an entry more", crl.Limits{Entries: 2}, crl.ErrTooLarge},
	} {
		if _, err := c.limits.Parse(der); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestLists_HaveTheirTime(t *testing.T) {
	list := mustParse(t, document{}.write(t, newSigner(t, elliptic.P256(), 0)))
	for _, c := range []struct {
		at   time.Time
		want error
	}{
		{made.Add(-time.Second), crl.ErrNotYetValid}, {made, nil}, {made.Add(day), nil}, {made.Add(day + time.Second), crl.ErrExpired},
	} {
		if err := list.CheckTime(c.at); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.at, err)
		}
	}
}

func TestCore_S3_5_SignerNeedBeNoCA(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	other := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	der := document{entries: []revocation{revoked(3)}}.write(t, s)
	changed := bytes.Replace(der, []byte{2, 1, 3}, []byte{2, 1, 4}, 1)
	foreign := document{issuer: caA}.write(t, s)
	wide := newSigner(t, elliptic.P384(), x509.KeyUsageCRLSign)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaCert := certify(t, rsaKey, x509.KeyUsageCRLSign)
	rsaList, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: made, NextUpdate: made.Add(day)}, rsaCert, rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		list   []byte
		signer *x509.Certificate
		want   error
	}{
		{"signed", der, s.cert, nil},
		{"without KeyUsage", der, certify(t, s.key, 0), nil},
		{"P-384 and SHA-384", document{algorithm: oidECDSA384}.write(t, wide), wide.cert, nil},
		{"RSA", rsaList, rsaCert, nil},
		{"KeyUsage without cRLSign", der, certify(t, s.key, x509.KeyUsageDigitalSignature), crl.ErrSigner},
		{"a list of another issuer", foreign, s.cert, crl.ErrSigner},
		{"another key", der, other.cert, crl.ErrSignature},
		{"an entry changed", changed, s.cert, crl.ErrSignature},
		{"RSA for ECDSA", der, rsaCert, crl.ErrSignature},
		{"ECDSA for RSA", rsaList, s.cert, crl.ErrSignature},
	} {
		if err := mustParse(t, c.list).CheckSignature(c.signer); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	weak := *rsaCert
	weak.PublicKey = &rsa.PublicKey{N: new(big.Int).Rsh(rsaKey.N, 1), E: rsaKey.E}
	if err := mustParse(t, rsaList).CheckSignature(&weak); !errors.Is(err, crl.ErrSigner) {
		t.Errorf("RSA of 2047 bits: %v", err)
	}
	if _, ok := s.cert.PublicKey.(*ecdsa.PublicKey); !ok || s.cert.IsCA {
		t.Error("the signer is a CA")
	}
}

func TestIDOf_NamesIssuerAndSerial(t *testing.T) {
	seen := map[crl.ID]string{}
	for name, cert := range map[string]*x509.Certificate{
		"A 0": issued(caA, big.NewInt(0)), "A 127": issued(caA, big.NewInt(127)), "A 128": issued(caA, big.NewInt(128)),
		"A 2^80": issued(caA, new(big.Int).Lsh(big.NewInt(1), 80)), "B 0": issued(caB, big.NewInt(0)),
	} {
		id, err := crl.IDOf(cert)
		if err != nil || seen[id] != "" {
			t.Errorf("%s: %v, the same as %s", name, err, seen[id])
		}
		seen[id] = name
	}
	if _, err := crl.IDOf(issued(caA, big.NewInt(-1))); err == nil {
		t.Error("a negative serial has an ID")
	}
}

// An issuer whose name cannot be normalised is known by its bytes: it neither escapes nor spoils the list for others.
func TestRFC5280_S5_3_3_OddIssuersAreRevocableToo(t *testing.T) {
	s := newSigner(t, elliptic.P256(), x509.KeyUsageCRLSign)
	var names pkix.RDNSequence
	for range 33 {
		names = append(names, pkix.RelativeDistinguishedNameSET{{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "x"}})
	}
	long, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	for name, odd := range map[string][]byte{"long": long, "empty": {0x30, 0}} {
		if _, err := stircert.NameKey(odd); err == nil {
			t.Fatalf("%s: not odd", name)
		}
		list, err := crl.Parse(document{extensions: []pkix.Extension{distribution(0x84, 1, 0xff)}, entries: []revocation{revoked(3, issuedBy(odd)), revoked(4, issuedBy(caA))}}.write(t, s))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range []struct {
			cert *x509.Certificate
			want bool
		}{
			{issued(odd, big.NewInt(3)), true}, {issued(odd, big.NewInt(4)), false}, {issued(caA, big.NewInt(4)), true}, {issued(caA, big.NewInt(3)), false},
		} {
			id, err := crl.IDOf(c.cert)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, got := list.Revoked(id); got != c.want {
				t.Errorf("%s: %d revoked: %t", name, c.cert.SerialNumber, got)
			}
		}
	}
}
