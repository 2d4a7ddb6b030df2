package stircert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cryptobyteasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of claim constraints. RFC 8226 and RFC 9118 state none.
const (
	ConstraintEntriesMax   = 1000 // names and values of all kinds together
	ConstraintNameBytesMax = 128  // of the name of a claim
)

var (
	oidConstraints         = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27} // id-pe-JWTClaimConstraints (RFC 8226 §8)
	oidEnhancedConstraints = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 33} // id-pe-eJWTClaimConstraints (RFC 9118 §4)
)

// The members of both extensions. Their modules have EXPLICIT TAGS.
var (
	tagMustInclude     = cryptobyteasn1.Tag(0).ContextSpecific().Constructed()
	tagPermittedValues = cryptobyteasn1.Tag(1).ContextSpecific().Constructed()
	tagMustExclude     = cryptobyteasn1.Tag(2).ContextSpecific().Constructed()
)

// Constraints are what a certificate allows the PASSporTs to claim that are signed with it: JWTClaimConstraints (RFC
// 8226 §8) or EnhancedJWTClaimConstraints (RFC 9118 §4). Neither extension is critical, so that only those who know it
// enforce it; see [Certificate.CheckClaims].
type Constraints struct {
	Enhanced        bool          // the extension is that of RFC 9118, which alone can exclude
	MustInclude     []string      // claims that must be there, besides iat, orig and dest
	PermittedValues []ClaimValues // claims that, if they are there, have one of the values
	MustExclude     []string      // claims that must not be there
}

// ClaimValues are the values that one claim may have. A string stands for itself, any other JSON value for its text in
// the form of RFC 8225 §9.
type ClaimValues struct {
	Claim  string
	Values []string
}

// ParseConstraints reads the value of the extension, strictly; enhanced says which of the two it is. What is malformed,
// or constrains nothing, is refused with [BadConstraints].
func ParseConstraints(der []byte, enhanced bool) (*Constraints, error) {
	input := cryptobyte.String(der)
	var body, include, permitted, exclude cryptobyte.String
	var includes, permits, excludes bool
	if !input.ReadASN1(&body, cryptobyteasn1.SEQUENCE) || !input.Empty() ||
		!body.ReadOptionalASN1(&include, &includes, tagMustInclude) ||
		!body.ReadOptionalASN1(&permitted, &permits, tagPermittedValues) ||
		enhanced && !body.ReadOptionalASN1(&exclude, &excludes, tagMustExclude) || !body.Empty() {
		return nil, badConstraints("not a SEQUENCE of the members")
	}
	if !includes && !permits && !excludes {
		return nil, badConstraints("no member")
	}
	c := &Constraints{Enhanced: enhanced}
	left := ConstraintEntriesMax
	var err error
	if includes {
		if c.MustInclude, err = readClaimNames(include, &left); err != nil {
			return nil, badConstraints("mustInclude: %w", err)
		}
	}
	if permits {
		if c.PermittedValues, err = readClaimValues(permitted, &left); err != nil {
			return nil, badConstraints("permittedValues: %w", err)
		}
	}
	if excludes {
		if c.MustExclude, err = readClaimNames(exclude, &left); err != nil {
			return nil, badConstraints("mustExclude: %w", err)
		}
	}
	return c, nil
}

func badConstraints(format string, args ...any) error {
	return fmt.Errorf("%w: %w", BadConstraints, fmt.Errorf(format, args...))
}

// readClaimNames reads JWTClaimNames. left is how many names and values there may still be.
func readClaimNames(s cryptobyte.String, left *int) ([]string, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cryptobyteasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return nil, errors.New("not a SEQUENCE of names")
	}
	var names []string
	for !list.Empty() {
		name, err := readClaimName(&list, left)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

func readClaimName(s *cryptobyte.String, left *int) (string, error) {
	var name cryptobyte.String
	if !s.ReadASN1(&name, cryptobyteasn1.IA5String) || !visibleASCII(name, ConstraintNameBytesMax) {
		return "", fmt.Errorf("a name is not an IA5String of 1 to %d visible characters", ConstraintNameBytesMax)
	}
	if *left--; *left < 0 {
		return "", fmt.Errorf("more than %d names and values", ConstraintEntriesMax)
	}
	return string(name), nil
}

// readClaimValues reads JWTClaimValuesList.
func readClaimValues(s cryptobyte.String, left *int) ([]ClaimValues, error) {
	var list cryptobyte.String
	if !s.ReadASN1(&list, cryptobyteasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return nil, errors.New("not a SEQUENCE of claims")
	}
	var all []ClaimValues
	for !list.Empty() {
		var one, values cryptobyte.String
		if !list.ReadASN1(&one, cryptobyteasn1.SEQUENCE) {
			return nil, errors.New("a claim is not a SEQUENCE")
		}
		name, err := readClaimName(&one, left)
		if err != nil {
			return nil, err
		}
		if !one.ReadASN1(&values, cryptobyteasn1.SEQUENCE) || !one.Empty() || values.Empty() {
			return nil, errors.New("a claim is not a name and values")
		}
		claim := ClaimValues{Claim: name}
		for !values.Empty() {
			var value cryptobyte.String
			if !values.ReadASN1(&value, cryptobyteasn1.UTF8String) || !utf8.Valid(value) {
				return nil, errors.New("a value is not a UTF8String")
			}
			if *left--; *left < 0 {
				return nil, fmt.Errorf("more than %d names and values", ConstraintEntriesMax)
			}
			claim.Values = append(claim.Values, string(value))
		}
		all = append(all, claim)
	}
	return all, nil
}

// constraintsOf gives the constraints of a certificate, nil for none.
func constraintsOf(cert *x509.Certificate) (*Constraints, error) {
	var found *Constraints
	for _, ext := range cert.Extensions {
		enhanced := ext.Id.Equal(oidEnhancedConstraints)
		if !enhanced && !ext.Id.Equal(oidConstraints) {
			continue
		}
		if found != nil { // RFC 9118 §4
			return nil, badConstraints("both kinds in one certificate")
		}
		var err error
		if found, err = ParseConstraints(ext.Value, enhanced); err != nil {
			return nil, err
		}
	}
	if found != nil && found.excludesBaseClaim() {
		return nil, nil
	}
	return found, nil
}

// excludesBaseClaim reports whether the constraints exclude a claim that every PASSporT has: then they are treated as
// if they were not there (RFC 9118 §4).
func (c *Constraints) excludesBaseClaim() bool {
	return slices.ContainsFunc(c.MustExclude, func(name string) bool {
		return name == "iat" || name == "orig" || name == "dest"
	})
}

// CheckClaims says whether a PASSporT may claim what it does, if it was signed with the certificate. claim gives the
// value of a claim by its name: the content of a JSON string, of any other JSON value its text in the form of RFC 8225
// §9. A claim that the constraints do not name is not asked for. The error wraps [ConstraintViolated], and then the whole
// PASSporT is invalid (RFC 9118 §4).
func (c *Certificate) CheckClaims(claim func(name string) (value string, present bool)) error {
	if c.Constraints == nil {
		return nil
	}
	for _, name := range c.Constraints.MustInclude {
		if _, present := claim(name); !present {
			return fmt.Errorf("%w: %q must be claimed", ConstraintViolated, name)
		}
	}
	for _, permitted := range c.Constraints.PermittedValues {
		if value, present := claim(permitted.Claim); present && !slices.Contains(permitted.Values, value) {
			return fmt.Errorf("%w: %q may not have its value", ConstraintViolated, permitted.Claim)
		}
	}
	for _, name := range c.Constraints.MustExclude {
		if _, present := claim(name); present {
			return fmt.Errorf("%w: %q must not be claimed", ConstraintViolated, name)
		}
	}
	return nil
}

// Extension is the certificate extension that holds the constraints. It is not critical (RFC 8226 §8, RFC 9118 §4).
// Constraints that could not be read back are an error.
func (c *Constraints) Extension() (pkix.Extension, error) {
	if !c.Enhanced && len(c.MustExclude) > 0 {
		return pkix.Extension{}, badConstraints("only RFC 9118's can exclude")
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addClaimNames(b, tagMustInclude, c.MustInclude)
		if len(c.PermittedValues) > 0 {
			addWrapped(b, tagPermittedValues, c.addPermittedValues)
		}
		addClaimNames(b, tagMustExclude, c.MustExclude)
	})
	der, err := b.Bytes()
	if err == nil {
		_, err = ParseConstraints(der, c.Enhanced)
	}
	if err != nil {
		return pkix.Extension{}, err
	}
	oid := oidConstraints
	if c.Enhanced {
		oid = oidEnhancedConstraints
	}
	return pkix.Extension{Id: oid, Value: der}, nil
}

// addWrapped adds a SEQUENCE within an explicit tag.
func addWrapped(b *cryptobyte.Builder, tag cryptobyteasn1.Tag, add cryptobyte.BuilderContinuation) {
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddASN1(cryptobyteasn1.SEQUENCE, add) })
}

func addClaimNames(b *cryptobyte.Builder, tag cryptobyteasn1.Tag, names []string) {
	if len(names) == 0 {
		return
	}
	addWrapped(b, tag, func(b *cryptobyte.Builder) {
		for _, name := range names {
			addIA5String(name)(b)
		}
	})
}

func (c *Constraints) addPermittedValues(b *cryptobyte.Builder) {
	for _, permitted := range c.PermittedValues {
		b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addIA5String(permitted.Claim)(b)
			b.AddASN1(cryptobyteasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, value := range permitted.Values {
					b.AddASN1(cryptobyteasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
				}
			})
		})
	}
}
