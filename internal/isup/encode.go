package isup

import (
	"fmt"
	"strings"
)

// Append writes m behind b, beginning with the message type. Optional parameters come in the order of the fields of IAM.
// What [Decode] would not give back as it is, is refused with ErrMalformed.
func (m IAM) Append(v Variant, b []byte) ([]byte, error) {
	if err := m.check(v); err != nil {
		return nil, err
	}
	start := len(b)
	b = append(b, messageType, m.NatureOfConnection, byte(m.Forward), byte(m.Forward>>8), m.Category)
	var variable [][]byte
	if v == ITU {
		b = append(b, m.Medium)
	} else {
		variable = append(variable, m.UserService)
	}
	called, err := m.Called.append(nil, "called party number")
	if err != nil {
		return nil, err
	}
	options, err := m.options(v)
	if err != nil {
		return nil, err
	}
	b = appendVariable(b, append(variable, called), options)
	if len(b)-start > MessageBytesMax {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(b)-start, MessageBytesMax)
	}
	return b, nil
}

// appendVariable writes the pointers, the mandatory parameters of variable length and the optional part. A pointer counts
// from its own place.
func appendVariable(b []byte, variable [][]byte, options []byte) []byte {
	pointers := len(variable) + 1
	ahead := 0 // bytes of the parameters before
	for i, value := range variable {
		b = append(b, byte(pointers-i+ahead))
		ahead += 1 + len(value)
	}
	if len(options) == 0 {
		b = append(b, 0)
	} else {
		b = append(b, byte(1+ahead))
	}
	for _, value := range variable {
		b = append(append(b, byte(len(value))), value...)
	}
	return append(b, options...)
}

// check refuses what has no room in the variant.
func (m IAM) check(v Variant) error {
	foreign := v == ITU && (m.Charge != nil || m.Jurisdiction != "") || v == ANSI && (m.CalledDirectory != nil || m.Medium != 0)
	switch {
	case v > ANSI || foreign:
		return fmt.Errorf("%w: a parameter that the variant does not have", ErrMalformed)
	case v == ANSI && len(m.UserService) == 0:
		return fmt.Errorf("%w: no user service information", ErrMalformed)
	case len(m.UserService) > userServiceMax:
		return fmt.Errorf("%w: user service information of %d bytes", ErrMalformed, len(m.UserService))
	case len(m.Jurisdiction) > jurisdictionMax || len(m.Jurisdiction)%2 == 1 || strings.Trim(m.Jurisdiction, hexDigits) != "":
		return fmt.Errorf("%w: jurisdiction information is not six digits", ErrMalformed)
	case m.HopCounter != nil && *m.HopCounter > HopsMax:
		return fmt.Errorf("%w: hop counter above %d", ErrMalformed, HopsMax)
	case m.Redirection != nil && !m.Redirection.fits():
		return fmt.Errorf("%w: redirection information does not fit its bits", ErrMalformed)
	case len(m.Generic) > GenericMax || len(m.Others) > OthersMax:
		return fmt.Errorf("%w: too many parameters", ErrMalformed)
	}
	for _, p := range m.Others {
		if p.Code == codeEnd || v.knows(p.Code) || len(p.Value) > MessageBytesMax {
			return fmt.Errorf("%w: parameter %#02x is none of the others", ErrMalformed, p.Code)
		}
	}
	return nil
}

func (r Redirection) fits() bool {
	return r.Indicator <= 7 && r.OriginalReason <= 15 && r.Counter <= 7 && r.Reason <= 15
}

// options writes the optional part; nothing when there is none.
func (m IAM) options(v Variant) ([]byte, error) {
	w := optionWriter{}
	w.number(codeCalling, m.Calling, "calling party number")
	w.number(codeOriginalCalled, m.OriginalCalled, "original called number")
	w.number(codeRedirecting, m.Redirecting, "redirecting number")
	if r := m.Redirection; r != nil {
		w.value(codeRedirection, []byte{r.OriginalReason<<4 | r.Indicator, r.Reason<<4 | r.Counter})
	}
	for _, g := range m.Generic {
		value, err := g.Number.append([]byte{g.Type}, "generic number")
		w.fail(err)
		w.value(codeGeneric, value)
	}
	w.number(codeCalledDirectory, m.CalledDirectory, "called directory number")
	w.number(codeCharge, m.Charge, "charge number")
	if m.Jurisdiction != "" {
		w.value(codeJurisdiction, pack(nil, m.Jurisdiction))
	}
	if v == ITU && len(m.UserService) > 0 {
		w.value(codeUserService, m.UserService)
	}
	if m.HopCounter != nil {
		w.value(codeHopCounter, []byte{*m.HopCounter})
	}
	for _, p := range m.Others {
		w.value(p.Code, p.Value)
	}
	if w.err != nil || len(w.written) == 0 {
		return nil, w.err
	}
	return append(w.written, codeEnd), nil
}

// optionWriter keeps the first error.
type optionWriter struct {
	written []byte
	err     error
}

func (w *optionWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *optionWriter) number(code uint8, n *Number, name string) {
	if n == nil {
		return
	}
	value, err := n.append(nil, name)
	w.fail(err)
	w.value(code, value)
}

func (w *optionWriter) value(code uint8, value []byte) {
	if len(value) > 255 {
		w.fail(fmt.Errorf("%w: parameter %#02x of %d bytes", ErrMalformed, code, len(value)))
		return
	}
	w.written = append(append(w.written, code, byte(len(value))), value...)
}
