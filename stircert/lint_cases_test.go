package stircert_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"strings"

	"github.com/viaduct-oob/viaduct/stircert"
)

const (
	leafRole = stircert.Leaf
	midRole  = stircert.Intermediate
	rootRole = stircert.Root
)

var (
	oidCRLPoints   = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasic       = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidAKI         = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidConstraints = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27}
	oidEnhanced    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 33}
)

// compliantKeyID sets the identifier that the profile asks for, of the key that made gives to a certificate of that role.
func compliantKeyID(x *x509.Certificate) {
	key := keys().leaf
	if x.Subject.CommonName == "SHAKEN ROOT CA" {
		key = keys().ca
	}
	x.SubjectKeyId = keyID(&key.PublicKey)
}

func keyID(key *ecdsa.PublicKey) []byte {
	point, err := key.Bytes()
	if err != nil {
		panic("a key of a test is none: " + err.Error()) // the tests make them
	}
	hash := sha1.Sum(point)
	return hash[:]
}

func raw(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic("bytes of a test are no hexadecimal digits: " + text) // the tests write them
	}
	return b
}

func subject(c, o, cn string) func(*x509.Certificate) {
	return func(x *x509.Certificate) { x.Subject = subjectName(c, o, cn) }
}

func usage(u x509.KeyUsage) func(*x509.Certificate) {
	return func(x *x509.Certificate) { x.KeyUsage = u }
}

func extension(oid asn1.ObjectIdentifier, value string) func(*x509.Certificate) {
	return func(x *x509.Certificate) { extend(x, pkix.Extension{Id: oid, Value: raw(value)}) }
}

func tnAuthList(value string) func(*x509.Certificate) { return extension(oidTNAuthList, value) }

func noExtension(oid asn1.ObjectIdentifier) func(*x509.Certificate) {
	return func(x *x509.Certificate) { without(x, oid) }
}

// oneByOne puts several modifications into one.
func oneByOne(all ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(x *x509.Certificate) {
		for _, modify := range all {
			modify(x)
		}
	}
}

func policies(texts ...string) func(*x509.Certificate) {
	return func(x *x509.Certificate) {
		x.Policies = nil
		for _, text := range texts {
			x.Policies = append(x.Policies, policy(text)...)
		}
	}
}

func p384() any { return keys().p384.Public() }

const cp = "2.16.840.1.114569.1.1."

// A case without editions does not break its rule in any.
var lintCases = []lintCase{
	{rule: "version", editions: "345", name: "1", role: leafRole, file: "odd/version-1-1415b641.pem"},
	{rule: "serial-positive", editions: "5", name: "zero", role: leafRole, modify: setSerial(0x55),
		patch: func(der []byte) []byte { return bytes.Replace(der, []byte{2, 1, 0x55}, []byte{2, 1, 0}, 1) }},
	{rule: "serial-64-bits", editions: "5", name: "56 bits", role: leafRole, modify: setSerial(1<<56 - 1)},
	{rule: "serial-64-bits", name: "57 bits, as random ones may be", role: leafRole, modify: setSerial(1 << 56)},
	{rule: "serial-64-bits", editions: "5", name: "56 bits", role: midRole, modify: setSerial(1<<56 - 1)},
	{rule: "serial-first-bit", editions: "5", name: "63 bits", role: leafRole, modify: setSerial(1<<63 - 1)},
	{rule: "serial-first-bit", name: "56 bits are another rule", role: leafRole, modify: setSerial(1<<56 - 1)},
	{rule: "signature-algorithm", editions: "345", name: "SHA-384 under CP 1.3", role: leafRole,
		modify: oneByOne(policies(cp+"3"), func(x *x509.Certificate) { x.SignatureAlgorithm = x509.ECDSAWithSHA384 })},
	{rule: "signature-algorithm", name: "SHA-384 under CP 1.4", role: leafRole,
		modify: func(x *x509.Certificate) { x.SignatureAlgorithm = x509.ECDSAWithSHA384 }},
	{rule: "key-p256", editions: "345", name: "P-384", role: leafRole, public: p384},
	{rule: "key-p256", name: "P-384 under CP 1.4", role: midRole, public: p384},
	{rule: "key-p256", editions: "345", name: "P-384 under CP 1.3", role: midRole, public: p384, modify: policies(cp + "3")},
	{rule: "key-p256", editions: "345", name: "RSA", role: midRole, public: func() any { return keys().rsa.Public() }},
	{rule: "issuer", editions: "345", name: "self-signed", role: leafRole, modify: subject("US", "Laboratory", "SHAKEN ROOT CA")},

	{rule: "subject-c-cn", editions: "345", name: "no C", role: leafRole, modify: subject("", "Laboratory", "SHAKEN 1234")},
	{rule: "subject-c-cn", editions: "345", name: "no CN", role: midRole, modify: subject("US", "Laboratory", "")},
	{rule: "subject-c-cn", editions: "345", name: "two C", role: leafRole,
		modify: func(x *x509.Certificate) { x.Subject.Country = []string{"US", "CA"} }},
	{rule: "subject-o", editions: "45", name: "none", role: leafRole, modify: subject("US", "", "SHAKEN 1234")},
	{rule: "subject-c-form", editions: "5", name: "USA", role: leafRole, modify: subject("USA", "Laboratory", "SHAKEN 1234")},
	{rule: "subject-c-form", editions: "5", name: "us", role: midRole, modify: subject("us", "Laboratory", "SHAKEN Intermediate CA")},
	{rule: "cn-shaken", editions: "3", name: "the SPC alone", role: leafRole, modify: subject("US", "Laboratory", "1234")},
	{rule: "cn-shaken", editions: "345", name: "something else", role: midRole, modify: subject("US", "Laboratory", "Intermediate CA")},
	{rule: "cn-spc", editions: "3", name: "SHAKEN alone", role: leafRole, modify: subject("US", "Laboratory", "SHAKEN")},
	{rule: "cn-spc", name: "as in the example of v003", role: leafRole, modify: subject("US", "Laboratory", "Laboratory SHAKEN cert 1234")},
	{rule: "cn-shaken-spc", editions: "45", name: "as in the example of v003", role: leafRole, modify: subject("US", "Laboratory", "Laboratory SHAKEN cert 1234")},
	{rule: "cn-shaken-spc", editions: "45", name: "no TNAuthList", role: leafRole, modify: noExtension(oidTNAuthList)},
	{rule: "cn-root", editions: "345", name: "CA", role: rootRole, modify: subject("US", "Laboratory", "SHAKEN CA")},
	{rule: "cn-root", name: "in lower case", role: rootRole, modify: subject("US", "Laboratory", "SHAKEN root")},
	{rule: "cn-intermediate", editions: "34", name: "CA", role: midRole, modify: subject("US", "Laboratory", "SHAKEN CA 3")},
	{rule: "cn-intermediate", name: "issuing", role: midRole, modify: subject("US", "Laboratory", "SHAKEN Issuing CA 3")},

	{rule: "basic-constraints", editions: "345", name: "absent", role: leafRole, modify: func(x *x509.Certificate) { x.BasicConstraintsValid = false }},
	{rule: "basic-constraints", editions: "345", name: "not critical", role: midRole, modify: extension(oidBasic, "3003 0101FF")},
	{rule: "key-usage", editions: "345", name: "absent", role: leafRole, modify: usage(0)},
	{rule: "key-usage", editions: "345", name: "not critical", role: midRole, modify: extension(oidKeyUsage, "03020204")},
	{rule: "key-usage-leaf", editions: "345", name: "keyEncipherment too", role: leafRole, modify: usage(x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment)},
	{rule: "key-usage-ca", editions: "5", name: "digitalSignature and cRLSign too", role: midRole,
		modify: usage(x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature | x509.KeyUsageCRLSign)},
	{rule: "key-usage-ca", editions: "345", name: "keyAgreement too", role: rootRole, modify: usage(x509.KeyUsageCertSign | x509.KeyUsageKeyAgreement)},
	{rule: "key-usage-ca", editions: "345", name: "cRLSign alone", role: midRole, modify: usage(x509.KeyUsageCRLSign)},
	{rule: "ski", editions: "345", name: "absent", role: leafRole, modify: func(x *x509.Certificate) { x.SubjectKeyId = nil }},
	{rule: "ski-sha1", editions: "5", name: "another hash", role: leafRole, modify: func(x *x509.Certificate) { x.SubjectKeyId = make([]byte, 20) }},
	{rule: "ski-sha1", name: "absent is another rule", role: leafRole, modify: func(x *x509.Certificate) { x.SubjectKeyId = nil }},
	{rule: "aki", editions: "345", name: "empty", role: leafRole, modify: extension(oidAKI, "3000")},
	{rule: "aki", editions: "345", name: "empty", role: midRole, modify: extension(oidAKI, "3000")},
	{rule: "aki-root", editions: "345", name: "another", role: rootRole, modify: extension(oidAKI, "3006 8004 01020304")},

	{rule: "policy", editions: "345", name: "none", role: leafRole, modify: policies()},
	{rule: "policy", editions: "345", name: "two", role: midRole, modify: policies(cp+"3", cp+"4")},
	{rule: "policy-shaken", editions: "345", name: "one of the web PKI", role: leafRole, modify: policies("2.23.140.1.2.2")},
	{rule: "policy-shaken", name: "that of Canada", role: leafRole, modify: policies("1.3.6.1.4.1.56223.1")},
	{rule: "policy-root", editions: "5", name: "one", role: rootRole, modify: policies(cp + "4")},
	{rule: "crl", editions: "345", name: "absent", role: leafRole, modify: noExtension(oidCRLPoints)},
	{rule: "crl", editions: "45", name: "absent", role: midRole, modify: noExtension(oidCRLPoints)},
	{rule: "crl", editions: "345", name: "LDAP", role: leafRole, modify: extension(oidCRLPoints, "3011 300F A00D A00B 8609 6C6461703A2F2F782F")},
	{rule: "crl-single", editions: "45", name: "two", role: leafRole, modify: extension(oidCRLPoints, "3016"+pointNamed+pointNamed)},
	{rule: "crl-issuer", editions: "45", name: "none", role: leafRole, modify: extension(oidCRLPoints, "300B"+pointNamed)},
	{rule: "crl-issuer", editions: "45", name: "none", role: midRole, modify: extension(oidCRLPoints, "300B"+pointNamed)},
	{rule: "crl-root", editions: "5", name: "present", role: rootRole, modify: extension(oidCRLPoints, "300B"+pointNamed)},
	{rule: "tnauthlist-spc", editions: "345", name: "absent", role: leafRole, modify: noExtension(oidTNAuthList)},
	{rule: "tnauthlist-spc", editions: "345", name: "malformed", role: leafRole, modify: tnAuthList("3000")},
	{rule: "tnauthlist-spc", editions: "345", name: "two", role: leafRole, modify: tnAuthList("3010" + spc1234 + spc567B)},
	{rule: "tnauthlist-numbers", editions: "5", name: "an SPC and a number", role: leafRole, modify: tnAuthList("300D" + spc1234 + one9)},
	{rule: "spc-form", editions: "5", name: "lower case", role: leafRole, modify: tnAuthList("3008 A006 1604 3538336A")},
	{rule: "spc-form", name: "letters between digits", role: leafRole, modify: tnAuthList("3008 A006 1604 41314232")},
	{rule: "tnauthlist-ca", editions: "5", name: "an SPC", role: midRole, modify: tnAuthList("3008" + spc1234)},
	{rule: "tnauthlist-ca", editions: "5", name: "an SPC", role: rootRole, modify: tnAuthList("3008" + spc1234)},
	{rule: "critical", editions: "345", name: "the TNAuthList", role: leafRole,
		modify: func(x *x509.Certificate) { extend(x, critical(oidTNAuthList, raw("3008"+spc1234))) }},
	{rule: "extension", editions: "5", name: "one of somebody's own", role: leafRole, modify: extension(oidOther, "0500")},
	{rule: "extension", editions: "5", name: "one of somebody's own", role: rootRole, modify: extension(oidOther, "0500")},

	{rule: "cp-serial-number", editions: "345", name: "none", role: leafRole, modify: policies(cp + "3")},
	{rule: "cp-serial-number", name: "one", role: leafRole,
		modify: oneByOne(policies(cp+"3"), func(x *x509.Certificate) { x.Subject.SerialNumber = "7" })},
	{rule: "cp-serial-number", name: "none, under CP 1.4", role: leafRole},
	{rule: "cp-country", editions: "345", name: "CA", role: leafRole, modify: subject("CA", "Laboratory", "SHAKEN 1234")},
	{rule: "cp-country", name: "CA, under the policy of Canada", role: leafRole,
		modify: oneByOne(policies("1.3.6.1.4.1.56223.1"), subject("CA", "Laboratory", "SHAKEN 1234"))},
	{rule: "cp-cn-exact", editions: "45", name: "more", role: leafRole, modify: subject("US", "Laboratory", "Laboratory SHAKEN 1234")},
	{rule: "tnauthlist-twice", editions: "345", name: "a list and a reference", role: leafRole,
		modify: extension(oidAIA, "301E 301C 06082B0601050507300E 8610 68747470733A2F2F746E2E6578616D706C")},
	{rule: "constraints-ca", editions: "345", name: "RFC 8226", role: midRole, modify: extension(oidConstraints, "3007"+includeX)},
	{rule: "constraints-ca", editions: "345", name: "RFC 9118", role: rootRole, modify: extension(oidEnhanced, "3007"+excludeX)},
	{rule: "constraints-ca", name: "of an end entity", role: leafRole, modify: extension(oidConstraints, "3007"+includeX)},
	{rule: "constraints-void", editions: "345", name: "iat", role: leafRole, modify: extension(oidEnhanced, "3009"+excludeIAT)},
	{rule: "constraints-void", name: "another claim", role: leafRole, modify: extension(oidEnhanced, "3007"+excludeX)},
}
