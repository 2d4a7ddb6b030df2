package stircert

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of CRL distribution points. ATIS-1000080.v005 §6.4.1 allows one with one URL.
const (
	CRLPointsMax    = 16   // of a certificate
	CRLPointURLsMax = 16   // of a point
	CRLURLBytesMax  = 2048 // of a URL
)

// oidCRLPoints is id-ce-cRLDistributionPoints (RFC 5280 §4.2.1.13).
var oidCRLPoints = asn1.ObjectIdentifier{2, 5, 29, 31}

// CRLPoint is one place where the revocation of a certificate would be told (RFC 5280 §4.2.1.13). A URL in a certificate
// is what its author wants us to fetch: never fetch one that was not configured.
type CRLPoint struct {
	URLs      []string // of names of other kinds there is none in the network
	Issuer    string   // who issues the CRL, as NameKey has it; empty for the certificate's own issuer
	RawIssuer []byte   // the same as an RDNSequence in DER
	Partial   bool     // the CRL tells of some reasons for a revocation only
}

// CRLPoints reads the CRL distribution points of a certificate; none if it has no such extension. crypto/x509 gives the
// URLs and drops who issues the CRL, on which the indirect CRL of the STI-PA depends. What is malformed is refused
// with [BadCRLPoints].
func CRLPoints(cert *x509.Certificate) ([]CRLPoint, error) {
	for _, ext := range cert.Extensions {
		if ext.Id.Equal(oidCRLPoints) {
			return parseCRLPoints(ext.Value)
		}
	}
	return nil, nil
}

// CRLPoints is the function of that name for those who hold no more than c. The certificate is parsed anew for it.
func (c *Certificate) CRLPoints() ([]CRLPoint, error) { return CRLPoints(c.X509()) }

func parseCRLPoints(der []byte) ([]CRLPoint, error) {
	input := cryptobyte.String(der)
	var list cryptobyte.String
	if !input.ReadASN1(&list, cryptobyteasn1.SEQUENCE) || !input.Empty() || list.Empty() {
		return nil, badCRLPoints("not a SEQUENCE of something")
	}
	var points []CRLPoint
	for !list.Empty() {
		if len(points) == CRLPointsMax {
			return nil, badCRLPoints("more than %d", CRLPointsMax)
		}
		point, err := readCRLPoint(&list)
		if err != nil {
			return nil, badCRLPoints("point %d: %w", len(points)+1, err)
		}
		points = append(points, point)
	}
	return points, nil
}

func badCRLPoints(format string, args ...any) error {
	return fmt.Errorf("%w: %w", BadCRLPoints, fmt.Errorf(format, args...))
}

// The tags of DistributionPoint and of what is in it, those of constructed types (RFC 5280 §A.2).
var (
	tagPointName   = cryptobyteasn1.Tag(0).ContextSpecific().Constructed()
	tagFullName    = cryptobyteasn1.Tag(0).ContextSpecific().Constructed()
	tagReasons     = cryptobyteasn1.Tag(1).ContextSpecific()
	tagCRLIssuer   = cryptobyteasn1.Tag(2).ContextSpecific().Constructed()
	tagDirectory   = cryptobyteasn1.Tag(4).ContextSpecific().Constructed()
	tagURI         = cryptobyteasn1.Tag(6).ContextSpecific()
	tagCRLRelative = cryptobyteasn1.Tag(1).ContextSpecific().Constructed()
)

func readCRLPoint(list *cryptobyte.String) (CRLPoint, error) {
	var body, name, reasons, issuer cryptobyte.String
	var named, partial, issued bool
	if !list.ReadASN1(&body, cryptobyteasn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&name, &named, tagPointName) ||
		!body.ReadOptionalASN1(&reasons, &partial, tagReasons) ||
		!body.ReadOptionalASN1(&issuer, &issued, tagCRLIssuer) || !body.Empty() {
		return CRLPoint{}, fmt.Errorf("not a name, reasons and an issuer")
	}
	if !named && !issued {
		return CRLPoint{}, fmt.Errorf("neither a name nor an issuer")
	}
	point := CRLPoint{Partial: partial}
	var err error
	if named {
		if point.URLs, err = readPointURLs(name); err != nil {
			return CRLPoint{}, err
		}
	}
	if issued {
		if point.RawIssuer, point.Issuer, err = readCRLIssuer(issuer); err != nil {
			return CRLPoint{}, err
		}
	}
	return point, nil
}

// readPointURLs takes the URLs of a DistributionPointName. A name relative to the issuer has none.
func readPointURLs(name cryptobyte.String) ([]string, error) {
	var names cryptobyte.String
	var tag cryptobyteasn1.Tag
	if !name.ReadAnyASN1(&names, &tag) || !name.Empty() || tag != tagFullName && tag != tagCRLRelative || names.Empty() {
		return nil, fmt.Errorf("a name is not one of the two kinds")
	}
	if tag == tagCRLRelative {
		return nil, nil
	}
	var urls []string
	for !names.Empty() {
		var value cryptobyte.String
		if !names.ReadAnyASN1(&value, &tag) {
			return nil, fmt.Errorf("a name is not DER")
		}
		if tag != tagURI {
			continue
		}
		if len(urls) == CRLPointURLsMax {
			return nil, fmt.Errorf("more than %d URLs", CRLPointURLsMax)
		}
		if !visibleASCII(value, CRLURLBytesMax) {
			return nil, fmt.Errorf("a URL is not 1 to %d visible characters", CRLURLBytesMax)
		}
		urls = append(urls, string(value))
	}
	return urls, nil
}

// readCRLIssuer reads a cRLIssuer, which holds the issuer's distinguished name and nothing else (RFC 5280 §4.2.1.13).
func readCRLIssuer(names cryptobyte.String) (der []byte, key string, err error) {
	var directory cryptobyte.String
	if !names.ReadASN1(&directory, tagDirectory) || !names.Empty() {
		return nil, "", fmt.Errorf("the issuer is not one distinguished name")
	}
	if key, err = NameKey(directory); err != nil {
		return nil, "", err
	}
	return directory, key, nil
}

// visibleASCII reports whether text is 1 to max characters that can be seen.
func visibleASCII[T ~string | ~[]byte](text T, max int) bool {
	return len(text) > 0 && len(text) <= max && !slices.ContainsFunc([]byte(text), func(c byte) bool { return c <= ' ' || c > '~' })
}
