package stircert

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of the extension that names CPSs. The drafts state none.
const (
	CPSURIsMax        = 16 // of a certificate
	CPSURIBytesMax    = 512
	TNAttributesMax   = 64 // of all types
	tnAttributeCPSURI = 1
)

// ErrCPSURI is wrapped by every refusal of an extension that should have named CPSs. It makes a certificate no less usable
// for verifying a call.
var ErrCPSURI = errors.New("the extension that names CPSs is malformed")

// CPSForm says in which extension a certificate names the CPSs of its numbers. There are three drafts, and no number is
// assigned to any: the zero CPSForm reads none.
type CPSForm struct {
	// OID is that of the extension. There is no default: IANA has assigned none (draft-sliwa-stir-cert-cps-ext-02).
	OID asn1.ObjectIdentifier

	// Attributes says that the value is a list of attributes of telephone numbers, of which type 1 is the list of URIs, and
	// not the list alone (draft-wendt-stir-cert-tn-attr-ext-00). It has then no effect in a certificate without numbers.
	Attributes bool

	// Strict says that one bad URI spoils all; otherwise it is passed over. The drafts disagree.
	Strict bool
}

// Check says what is wrong with a form.
func (f CPSForm) Check() error {
	der, err := asn1.Marshal(f.OID)
	if err != nil || len(der) == 0 {
		return errors.New("an extension that names CPSs needs an object identifier")
	}
	return nil
}

// URIs gives the CPSs that a certificate names, in its order; none if it has no such extension. Each is an absolute https
// URI with a host. The error wraps [ErrCPSURI].
func (f CPSForm) URIs(c *Certificate) ([]string, error) {
	if f.OID == nil || f.Attributes && len(c.TNAuthList.Ranges) == 0 {
		return nil, nil
	}
	for _, ext := range c.X509().Extensions {
		switch {
		case !ext.Id.Equal(f.OID):
		case ext.Critical:
			return nil, badCPSURI("it is critical, and must not be")
		default:
			return f.Parse(ext.Value)
		}
	}
	return nil, nil
}

// Parse reads the value of the extension. Errors are those of [CPSForm.URIs].
func (f CPSForm) Parse(der []byte) ([]string, error) {
	input := cryptobyte.String(der)
	if f.Attributes {
		list, err := cpsAttribute(input)
		if list == nil || err != nil {
			return nil, err
		}
		input = list
	}
	var list cryptobyte.String
	if !input.ReadASN1(&list, cryptobyteasn1.SEQUENCE) || !input.Empty() || list.Empty() {
		return nil, badCPSURI("not a SEQUENCE of something")
	}
	var uris []string
	for n := 1; !list.Empty(); n++ {
		var uri cryptobyte.String
		switch {
		case n > CPSURIsMax:
			return nil, badCPSURI("more than %d URIs", CPSURIsMax)
		case !list.ReadASN1(&uri, cryptobyteasn1.IA5String):
			return nil, badCPSURI("URI %d is not an IA5String", n)
		case isCPSURI(string(uri)):
			uris = append(uris, string(uri))
		case f.Strict:
			return nil, badCPSURI("URI %d is not an https URI with a host", n)
		}
	}
	return uris, nil
}

// cpsAttribute finds the attribute of the type that holds URIs; nil when there is none. One that stands twice counts as
// absent. Attributes of other types are passed over, if they are DER at all.
func cpsAttribute(input cryptobyte.String) (found cryptobyte.String, err error) {
	var list cryptobyte.String
	if !input.ReadASN1(&list, cryptobyteasn1.SEQUENCE) || !input.Empty() || list.Empty() {
		return nil, badCPSURI("not a SEQUENCE of attributes")
	}
	count := 0
	for n := 1; !list.Empty(); n++ {
		var attribute, value cryptobyte.String
		var kind int64
		if n > TNAttributesMax {
			return nil, badCPSURI("more than %d attributes", TNAttributesMax)
		}
		if !list.ReadASN1(&attribute, cryptobyteasn1.SEQUENCE) || !attribute.ReadASN1Integer(&kind) ||
			!attribute.ReadAnyASN1Element(&value, new(cryptobyteasn1.Tag)) || !attribute.Empty() {
			return nil, badCPSURI("attribute %d is not a type and a value", n)
		}
		if kind == tnAttributeCPSURI {
			found = value
			count++
		}
	}
	if count != 1 {
		return nil, nil
	}
	return found, nil
}

func badCPSURI(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrCPSURI, fmt.Errorf(format, args...))
}

func isCPSURI(text string) bool {
	if !visibleASCII(text, CPSURIBytesMax) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

// Extension is the certificate extension that names CPSs, which is not critical. URIs that could not be read back are an
// error.
func (f CPSForm) Extension(uris []string) (pkix.Extension, error) {
	var b cryptobyte.Builder
	list := func(b *cryptobyte.Builder) {
		b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			for _, uri := range uris {
				addIA5String(uri)(b)
			}
		})
	}
	if !f.Attributes {
		list(&b)
	} else {
		b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1Int64(tnAttributeCPSURI)
				list(b)
			})
		})
	}
	der, err := b.Bytes()
	if err != nil {
		return pkix.Extension{}, badCPSURI("%w", err)
	}
	if back, err := f.Parse(der); err != nil || len(back) != len(uris) {
		return pkix.Extension{}, badCPSURI("a URI that could not be read back")
	}
	return pkix.Extension{Id: f.OID, Value: der}, nil
}
