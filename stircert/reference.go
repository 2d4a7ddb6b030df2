package stircert

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/url"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TNAuthListURLBytesMax bounds the reference to a TNAuthList; RFC 8226 states no limit.
const TNAuthListURLBytesMax = 2048

var (
	oidTNAuthList      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 26}  // id-pe-TNAuthList (RFC 8226 §9)
	oidAuthorityAccess = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}   // id-pe-authorityInfoAccess (RFC 5280 §4.2.2.1)
	oidSTIRTNList      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 14} // id-ad-stirTNList (RFC 8226 §10.1)
)

// authorityOf gives what a certificate is authoritative for: its TNAuthList, or else where that is to be fetched. The
// error is a [NoTNAuthList], [BadTNAuthList] or [TNAuthListNotFetched].
//
// A certificate that has both a list and a reference is authoritative for the list alone, which its CA has signed. What
// is behind the reference could only add to that, and a verifier that cannot reach it would judge otherwise than one that
// can.
func authorityOf(cert *x509.Certificate) (list TNAuthList, listURL string, err error) {
	var access []byte
	for _, ext := range cert.Extensions {
		switch {
		case ext.Id.Equal(oidTNAuthList):
			list, err = ParseTNAuthList(ext.Value)
			return list, "", err
		case ext.Id.Equal(oidAuthorityAccess):
			access = ext.Value
		}
	}
	if listURL, err = tnAuthListReference(access); err != nil {
		return TNAuthList{}, "", err
	}
	if listURL == "" {
		return TNAuthList{}, "", NoTNAuthList
	}
	return TNAuthList{}, listURL, TNAuthListNotFetched
}

// tnAuthListReference finds the reference to a TNAuthList in the value of an authorityInfoAccess extension. It gives ""
// when there is none.
func tnAuthListReference(access []byte) (string, error) {
	if access == nil {
		return "", nil
	}
	input := cryptobyte.String(access)
	var descriptions cryptobyte.String
	if !input.ReadASN1(&descriptions, cryptobyteasn1.SEQUENCE) || !input.Empty() {
		return "", badTNAuthList("its reference is not a SEQUENCE")
	}
	var found string
	for !descriptions.Empty() {
		var description, location cryptobyte.String
		var method asn1.ObjectIdentifier
		var tag cryptobyteasn1.Tag
		if !descriptions.ReadASN1(&description, cryptobyteasn1.SEQUENCE) || !description.ReadASN1ObjectIdentifier(&method) ||
			!description.ReadAnyASN1(&location, &tag) || !description.Empty() {
			return "", badTNAuthList("its reference is not a method and a location")
		}
		if !method.Equal(oidSTIRTNList) {
			continue
		}
		if found != "" {
			return "", badTNAuthList("more than one reference")
		}
		if tag != tagURI || !isReference(location) {
			return "", badTNAuthList("its reference is not an https URL of at most %d characters", TNAuthListURLBytesMax)
		}
		found = string(location)
	}
	return found, nil
}

func isReference(text cryptobyte.String) bool {
	if !visibleASCII(text, TNAuthListURLBytesMax) {
		return false
	}
	u, err := url.Parse(string(text))
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.Fragment == ""
}

// WithTNAuthList gives the certificate with the list that was fetched from its TNAuthListURL. Anything else than a
// certificate that [TNAuthListNotFetched] is said of, and a list of something, is an error: it wraps the Problem that
// CheckEndEntity finds, or [BadTNAuthList].
func (c *Certificate) WithTNAuthList(list TNAuthList) (*Certificate, error) {
	switch {
	case c.unusable == nil:
		return nil, badTNAuthList("the certificate has one already")
	case !errors.Is(c.unusable, TNAuthListNotFetched):
		return nil, c.unusable
	case list.Empty():
		return nil, badTNAuthList("no entries")
	case len(list.SPCs) > 0:
		// DIVERGES RFC 8226 §10.1: a provider code counts in the certificate alone, because no CA without a TNAuthList
		// limits what the host of a reference may write there.
		return nil, badTNAuthList("a provider code that is not in the certificate")
	}
	with := *c
	with.TNAuthList, with.unusable = list, nil // in the policy, no row comes after that of the list
	return &with, nil
}

// IsLimited tells whether an issuer has a TNAuthList, good or bad, so that who has a certificate from it is a delegate
// (RFC 9060 §4). STI-CAs have none.
func IsLimited(issuer *x509.Certificate) bool {
	_, _, err := authorityOf(issuer)
	return !errors.Is(err, NoTNAuthList)
}
