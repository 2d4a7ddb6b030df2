package stircert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// The extensions that the profile knows, besides the TNAuthList and the CRL distribution points (RFC 5280 §4.2.1).
var (
	oidSubjectKeyID     = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidPolicies         = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID   = asn1.ObjectIdentifier{2, 5, 29, 35}
)

// The certificate policies of the network, each an edition of the document of that name.
const (
	usPolicies     = "2.16.840.1.114569.1.1." // and the minor number of version 1
	usPolicy13     = usPolicies + "3"
	usPolicy14     = usPolicies + "4"
	canadianPolicy = "1.3.6.1.4.1.56223.1"
)

// lintRule is one thing that the profile asks for.
type lintRule struct {
	name         string
	section      string // empty for that of the profile in the edition that is compared with
	severity     Severity
	roles        Role
	since, until Edition // until is zero for a rule that is still in force
	text         string  // what is wrong when it is broken
	broken       func(*lintSubject) bool
}

// lintRules are those of ATIS-1000080 §6.4.1, then those of the certificate policies and of the RFCs. Where an edition
// tightened a rule there is a row for each form of it.
var lintRules = []lintRule{
	{"version", "", Error, anyRole, V003, 0, "the version is not 3",
		func(s *lintSubject) bool { return s.Version != 3 }},
	{"serial-positive", "", Error, anyRole, V005, 0, "the serial is not greater than zero",
		func(s *lintSubject) bool { return s.SerialNumber.Sign() <= 0 }},
	{"serial-64-bits", "", Error, anyRole, V005, 0, "the serial is shorter than 64 bits",
		func(s *lintSubject) bool { return len(s.SerialNumber.Bytes()) < 8 }},
	{"serial-first-bit", "", Warning, anyRole, V005, 0, "the serial begins with a zero bit: if they all do, they have fewer than 64 random bits",
		func(s *lintSubject) bool { return len(s.SerialNumber.Bytes()) == 8 && s.SerialNumber.BitLen() < 64 }},
	{"signature-algorithm", "", Error, anyRole, V003, 0, "the signature is not ecdsa-with-SHA256",
		func(s *lintSubject) bool {
			return s.SignatureAlgorithm != x509.ECDSAWithSHA256 && !(s.follows(usPolicy14) && s.SignatureAlgorithm == x509.ECDSAWithSHA384)
		}},
	{"key-p256", "", Error, anyRole, V003, 0, "the public key is not on curve P-256",
		func(s *lintSubject) bool {
			return !s.keyOn(elliptic.P256()) && !(s.IsCA && s.follows(usPolicy14) && s.keyOn(elliptic.P384()))
		}},
	{"issuer", "", Error, Leaf, V003, 0, "the certificate is self-signed",
		func(s *lintSubject) bool { return bytes.Equal(s.RawIssuer, s.RawSubject) }},

	{"subject-c-cn", "", Error, anyRole, V003, 0, "the subject has not exactly one C and one CN",
		func(s *lintSubject) bool { return s.attributes(oidCountry) != 1 || s.attributes(oidCommonName) != 1 }},
	{"subject-o", "", Error, anyRole, V004, 0, "the subject lacks O",
		func(s *lintSubject) bool { return len(s.Subject.Organization) == 0 }},
	{"subject-c-form", "", Error, anyRole, V005, 0, "the C of the subject is not a country code of two letters",
		func(s *lintSubject) bool {
			return slices.ContainsFunc(s.Subject.Country, func(c string) bool { return len(c) != 2 || !onlyOf(upperLetters, c) })
		}},
	{"cn-shaken", "", Error, Leaf, V003, V003, "the CN lacks SHAKEN", cnWithout("SHAKEN")},
	{"cn-shaken", "", Error, authority, V003, 0, "the CN lacks SHAKEN", cnWithout("SHAKEN")},
	{"cn-spc", "", Error, Leaf, V003, V003, "the CN lacks the SPC",
		func(s *lintSubject) bool { return !strings.Contains(s.Subject.CommonName, s.spc()) }},
	{"cn-shaken-spc", "", Error, Leaf, V004, 0, "the CN lacks SHAKEN and the SPC after one space",
		func(s *lintSubject) bool { return !strings.Contains(s.Subject.CommonName, "SHAKEN "+s.spc()) }},
	{"cn-root", "", Error, Root, V003, 0, "the CN does not say that this is a root",
		func(s *lintSubject) bool { return !strings.Contains(strings.ToUpper(s.Subject.CommonName), "ROOT") }},
	{"cn-intermediate", "", Warning, Intermediate, V003, V004, "the CN does not say that this is an intermediate certificate",
		func(s *lintSubject) bool {
			cn := strings.ToUpper(s.Subject.CommonName)
			return !strings.Contains(cn, "INTERMEDIATE") && !strings.Contains(cn, "ISSUING") && !strings.Contains(cn, "SUB")
		}},

	{"basic-constraints", "", Error, anyRole, V003, 0, "BasicConstraints is absent or not critical",
		func(s *lintSubject) bool { return !s.isCritical(oidBasicConstraints) }},
	{"key-usage", "", Error, anyRole, V003, 0, "KeyUsage is absent or not critical",
		func(s *lintSubject) bool { return !s.isCritical(oidKeyUsage) }},
	{"key-usage-leaf", "", Error, Leaf, V003, 0, "KeyUsage is not digitalSignature alone",
		func(s *lintSubject) bool { return s.KeyUsage != x509.KeyUsageDigitalSignature }},
	{"key-usage-ca", "", Error, authority, V003, V004, "KeyUsage is not keyCertSign, with digitalSignature or cRLSign at most",
		func(s *lintSubject) bool {
			return s.KeyUsage&^(x509.KeyUsageDigitalSignature|x509.KeyUsageCRLSign) != x509.KeyUsageCertSign
		}},
	{"key-usage-ca", "", Error, authority, V005, 0, "KeyUsage is not keyCertSign alone",
		func(s *lintSubject) bool { return s.KeyUsage != x509.KeyUsageCertSign }},
	{"ski", "", Error, anyRole, V003, 0, "there is no SubjectKeyIdentifier",
		func(s *lintSubject) bool { return len(s.SubjectKeyId) == 0 }},
	{"ski-sha1", "", Error, anyRole, V005, 0, "the SubjectKeyIdentifier is not the SHA-1 hash of the public key",
		func(s *lintSubject) bool {
			return len(s.SubjectKeyId) != 0 && !bytes.Equal(s.SubjectKeyId, s.keyHash())
		}},
	{"aki", "", Error, Leaf | Intermediate, V003, 0, "there is no AuthorityKeyIdentifier with a keyIdentifier",
		func(s *lintSubject) bool { return len(s.AuthorityKeyId) == 0 }},
	{"aki-root", "", Error, Root, V003, 0, "the AuthorityKeyIdentifier is not the SubjectKeyIdentifier",
		func(s *lintSubject) bool {
			return s.has(oidAuthorityKeyID) && !bytes.Equal(s.AuthorityKeyId, s.SubjectKeyId)
		}},
	{"policy", "", Error, Leaf | Intermediate, V003, 0, "there is not exactly one certificate policy",
		func(s *lintSubject) bool { return len(s.policies) != 1 }},
	{"policy-shaken", "", Warning, Leaf | Intermediate, V003, 0, "the certificate policy is none of those of SHAKEN that are known",
		func(s *lintSubject) bool {
			return slices.ContainsFunc(s.policies, func(p string) bool {
				return !strings.HasPrefix(p, usPolicies) && p != canadianPolicy
			})
		}},
	{"policy-root", "", Error, Root, V005, 0, "a root has a certificate policy",
		func(s *lintSubject) bool { return s.has(oidPolicies) }},
	{"crl", "", Error, Leaf, V003, V003, "there is no CRL distribution point with an HTTP URL", withoutCRLURL},
	{"crl", "", Error, Leaf | Intermediate, V004, 0, "there is no CRL distribution point with an HTTP URL", withoutCRLURL},
	{"crl-single", "", Error, Leaf | Intermediate, V004, 0, "there is more than one CRL distribution point",
		func(s *lintSubject) bool { return len(s.points) > 1 }},
	{"crl-issuer", "", Error, Leaf | Intermediate, V004, 0, "the CRL distribution point does not name the issuer of the CRL",
		func(s *lintSubject) bool {
			return slices.ContainsFunc(s.points, func(p CRLPoint) bool { return p.Issuer == "" })
		}},
	{"crl-root", "", Error, Root, V005, 0, "a root has CRL distribution points",
		func(s *lintSubject) bool { return s.has(oidCRLPoints) }},
	{"tnauthlist-spc", "", Error, Leaf, V003, 0, "the TNAuthList is not one with a single SPC",
		func(s *lintSubject) bool { return len(s.list.SPCs) != 1 }},
	{"tnauthlist-numbers", "", Error, Leaf, V005, 0, "the TNAuthList has telephone numbers",
		func(s *lintSubject) bool { return len(s.list.Ranges) != 0 }},
	{"spc-form", "", Error, Leaf, V005, 0, "the SPC is not upper case letters and digits",
		func(s *lintSubject) bool {
			return slices.ContainsFunc(s.list.SPCs, func(spc string) bool { return !onlyOf(upperLetters+"0123456789", spc) })
		}},
	{"tnauthlist-ca", "", Error, authority, V005, 0, "a CA has a TNAuthList", // that of a delegate does: ATIS-1000092
		func(s *lintSubject) bool { return s.has(oidTNAuthList) }},
	{"critical", "", Error, anyRole, V003, 0, "an extension other than BasicConstraints and KeyUsage is critical",
		func(s *lintSubject) bool {
			return slices.ContainsFunc(s.Extensions, func(ext pkix.Extension) bool {
				return ext.Critical && !ext.Id.Equal(oidKeyUsage) && !ext.Id.Equal(oidBasicConstraints)
			})
		}},
	{"extension", "", Error, anyRole, V005, 0, "there is an extension that the profile does not specify",
		func(s *lintSubject) bool { return slices.ContainsFunc(s.Extensions, unspecified) }},

	{"cp-serial-number", "US SHAKEN CP 1.3 §3.1", Error, Leaf | Intermediate, V003, 0, "the subject lacks the attribute serialNumber",
		func(s *lintSubject) bool { return s.follows(usPolicy13) && s.attributes(oidSerialNumber) == 0 }},
	{"cp-country", "US SHAKEN CP 1.4 §3.1", Error, Leaf | Intermediate, V003, 0, "the C of the subject is not US",
		func(s *lintSubject) bool {
			return s.follows(usPolicy14) && !slices.Equal(s.Subject.Country, []string{"US"})
		}},
	{"cp-cn-exact", "US SHAKEN CP 1.4 §3.1", Warning, Leaf, V004, 0, "the CN is more than SHAKEN and the SPC, and may stand for two subjects",
		func(s *lintSubject) bool { return s.follows(usPolicy14) && s.Subject.CommonName != "SHAKEN "+s.spc() }},
	{"tnauthlist-twice", "RFC 8226 §10.1", Warning, anyRole, V003, 0, "there is a TNAuthList and a reference to one, which nobody will follow",
		func(s *lintSubject) bool { return s.reference && s.has(oidTNAuthList) }},
	{"constraints-ca", "RFC 8226 §8", Warning, authority, V003, 0, "a CA has claim constraints, which limit end entities alone",
		func(s *lintSubject) bool { return s.has(oidConstraints) || s.has(oidEnhancedConstraints) }},
	{"constraints-void", "RFC 9118 §4", Warning, anyRole, V003, 0, "the claim constraints exclude a claim of every PASSporT, and so are void",
		func(s *lintSubject) bool { return slices.ContainsFunc(s.constraints, (*Constraints).excludesBaseClaim) }},
}

// The attributes of a subject that are counted (RFC 5280 §4.1.2.4).
var (
	oidCommonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSerialNumber = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry      = asn1.ObjectIdentifier{2, 5, 4, 6}
)

func (s *lintSubject) attributes(oid asn1.ObjectIdentifier) int {
	n := 0
	for _, name := range s.Subject.Names {
		if name.Type.Equal(oid) {
			n++
		}
	}
	return n
}

func (s *lintSubject) follows(policy string) bool { return slices.Contains(s.policies, policy) }

func (s *lintSubject) keyOn(curve elliptic.Curve) bool {
	key, ok := s.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Curve == curve
}

// spc is the code that the CN should name. Without one no CN can be right.
func (s *lintSubject) spc() string {
	if len(s.list.SPCs) == 0 {
		return "(no SPC)"
	}
	return s.list.SPCs[0]
}

// keyHash is the identifier of the key by method 1 of RFC 5280 §4.2.1.2: the hash of the BIT STRING without its tag.
func (s *lintSubject) keyHash() []byte {
	info := cryptobyte.String(s.RawSubjectPublicKeyInfo)
	var body cryptobyte.String
	var key []byte
	if !info.ReadASN1(&body, cryptobyteasn1.SEQUENCE) || !body.SkipASN1(cryptobyteasn1.SEQUENCE) || !body.ReadASN1BitStringAsBytes(&key) {
		return nil
	}
	hash := sha1.Sum(key)
	return hash[:]
}

func cnWithout(text string) func(*lintSubject) bool {
	return func(s *lintSubject) bool { return !strings.Contains(s.Subject.CommonName, text) }
}

func withoutCRLURL(s *lintSubject) bool {
	return !slices.ContainsFunc(s.points, func(p CRLPoint) bool {
		return slices.ContainsFunc(p.URLs, func(url string) bool {
			return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
		})
	})
}

const upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// onlyOf reports whether text has no other characters than those.
func onlyOf(characters, text string) bool { return strings.Trim(text, characters) == "" }

func unspecified(ext pkix.Extension) bool {
	for _, known := range []asn1.ObjectIdentifier{
		oidSubjectKeyID, oidKeyUsage, oidBasicConstraints, oidPolicies, oidAuthorityKeyID, oidCRLPoints, oidTNAuthList,
	} {
		if ext.Id.Equal(known) {
			return false
		}
	}
	return true
}
