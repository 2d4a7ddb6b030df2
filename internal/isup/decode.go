package isup

import "fmt"

const messageType = 0x01 // initial address (Q.763 §4)

// Codes of parameters (Q.763 §3.1; the last two are ANSI's).
const (
	codeEnd             = 0x00
	codeCalling         = 0x0a
	codeRedirecting     = 0x0b
	codeRedirection     = 0x13
	codeUserService     = 0x1d
	codeOriginalCalled  = 0x28
	codeHopCounter      = 0x3d
	codeCalledDirectory = 0x7d
	codeGeneric         = 0xc0
	codeJurisdiction    = 0xc4
	codeCharge          = 0xeb
)

// Decode reads an IAM that begins with its message type, as in a SIP-I body (Q.1912.5); see [Frame.Cut] for what stands
// before it on a trunk.
func Decode(v Variant, message []byte) (IAM, error) {
	if len(message) > MessageBytesMax {
		return IAM{}, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(message), MessageBytesMax)
	}
	if len(message) == 0 || message[0] != messageType {
		return IAM{}, fmt.Errorf("%w: the message type is another", ErrNotIAM)
	}
	d := decoder{variant: v, message: message}
	if err := d.mandatory(); err != nil {
		return IAM{}, err
	}
	if err := d.optional(); err != nil {
		return IAM{}, err
	}
	if d.end != len(message) {
		return IAM{}, fmt.Errorf("%w: bytes behind its end", ErrMalformed)
	}
	return d.iam, nil
}

// decoder reads one message.
type decoder struct {
	variant  Variant
	message  []byte
	iam      IAM
	options  int // where the optional part begins; 0: there is none
	end      int // behind the last byte that belongs to a parameter
	repeated [256]bool
}

// fixedBytes is the length of the mandatory part of fixed length, with the message type.
func (v Variant) fixedBytes() int {
	if v == ANSI {
		return 5 // ANSI has the user service information in place of the transmission medium requirement
	}
	return 6
}

func (d *decoder) mandatory() error {
	at := d.variant.fixedBytes()
	pointers := 2
	if d.variant == ANSI {
		pointers = 3
	}
	m := d.message
	if len(m) < at+pointers {
		return fmt.Errorf("%w: it ends within its mandatory part", ErrMalformed)
	}
	d.end = at + pointers
	d.iam.NatureOfConnection = m[1]
	d.iam.Forward = ForwardCall(m[2]) | ForwardCall(m[3])<<8
	d.iam.Category = m[4]
	if d.variant == ITU {
		d.iam.Medium = m[5]
	} else {
		value, err := d.variable(at, "user service information")
		if err != nil {
			return err
		}
		if d.iam.UserService, err = readUserService(value); err != nil {
			return err
		}
		at++
	}
	value, err := d.variable(at, "called party number")
	if err != nil {
		return err
	}
	if d.iam.Called, err = readNumber(value, "called party number"); err != nil {
		return err
	}
	at++
	if m[at] != 0 {
		d.options = at + int(m[at])
		if d.options < d.end {
			return fmt.Errorf("%w: a pointer that leads back", ErrMalformed)
		}
	}
	return nil
}

// variable gives the mandatory parameter that the pointer at a place leads to (Q.763 §1.4). No two share a byte.
func (d *decoder) variable(at int, name string) ([]byte, error) {
	start := at + int(d.message[at])
	if start < d.end || start >= len(d.message) {
		return nil, fmt.Errorf("%w: the pointer to the %s leads nowhere", ErrMalformed, name)
	}
	length := int(d.message[start])
	if start+1+length > len(d.message) {
		return nil, fmt.Errorf("%w: it ends within the %s", ErrMalformed, name)
	}
	d.end = max(d.end, start+1+length)
	return d.message[start+1 : start+1+length], nil
}

// optional reads the parameters of the optional part, up to its end mark.
func (d *decoder) optional() error {
	if d.options == 0 {
		return nil
	}
	rest := d.message[min(d.options, len(d.message)):]
	for {
		if len(rest) == 0 {
			return fmt.Errorf("%w: the optional part has no end", ErrMalformed)
		}
		code := rest[0]
		if code == codeEnd {
			d.end = max(d.end, len(d.message)-len(rest)+1)
			return nil
		}
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return fmt.Errorf("%w: it ends within parameter %#02x", ErrMalformed, code)
		}
		value := rest[2 : 2+int(rest[1])]
		rest = rest[2+int(rest[1]):]
		known := d.variant.knows(code)
		if known && code != codeGeneric {
			if d.repeated[code] {
				return fmt.Errorf("%w: parameter %#02x comes twice", ErrMalformed, code)
			}
			d.repeated[code] = true
		}
		if err := d.parameter(code, value, known); err != nil {
			return err
		}
	}
}

// knows reports whether a parameter of the optional part has a field of its own in IAM.
func (v Variant) knows(code uint8) bool {
	switch code {
	case codeCalling, codeRedirecting, codeRedirection, codeOriginalCalled, codeHopCounter, codeGeneric:
		return true
	case codeUserService, codeCalledDirectory:
		return v == ITU
	case codeJurisdiction, codeCharge:
		return v == ANSI
	}
	return false
}

func (d *decoder) parameter(code uint8, value []byte, known bool) (err error) {
	m := &d.iam
	if !known {
		if len(m.Others) == OthersMax {
			return fmt.Errorf("%w: more than %d other parameters", ErrMalformed, OthersMax)
		}
		m.Others = append(m.Others, Parameter{Code: code, Value: clone(value)})
		return nil
	}
	switch code {
	case codeCalling:
		m.Calling, err = readNumberAt(value, "calling party number")
	case codeRedirecting:
		m.Redirecting, err = readNumberAt(value, "redirecting number")
	case codeOriginalCalled:
		m.OriginalCalled, err = readNumberAt(value, "original called number")
	case codeCalledDirectory:
		m.CalledDirectory, err = readNumberAt(value, "called directory number")
	case codeCharge:
		m.Charge, err = readNumberAt(value, "charge number")
	case codeGeneric:
		err = d.generic(value)
	case codeJurisdiction:
		m.Jurisdiction, err = readJurisdiction(value)
	case codeUserService:
		m.UserService, err = readUserService(value)
	case codeRedirection:
		m.Redirection, err = readRedirection(value)
	case codeHopCounter:
		if len(value) != 1 || value[0] > HopsMax {
			return fmt.Errorf("%w: the hop counter is none", ErrMalformed)
		}
		m.HopCounter = &[]uint8{value[0]}[0]
	}
	return err
}

func (d *decoder) generic(value []byte) error {
	if len(value) == 0 || len(d.iam.Generic) == GenericMax {
		return fmt.Errorf("%w: a generic number is empty, or there are more than %d", ErrMalformed, GenericMax)
	}
	n, err := readNumber(value[1:], "generic number")
	if err != nil {
		return err
	}
	d.iam.Generic = append(d.iam.Generic, Generic{Type: value[0], Number: n})
	return nil
}

// userServiceMax bounds the user service information, in bytes: it is the bearer capability of Q.931, which is shorter.
const userServiceMax = 64

func readUserService(value []byte) ([]byte, error) {
	if len(value) == 0 || len(value) > userServiceMax {
		return nil, fmt.Errorf("%w: user service information of %d bytes", ErrMalformed, len(value))
	}
	return clone(value), nil
}

// HopsMax is the greatest value of a hop counter, which has five bits (Q.763 §3.80).
const HopsMax = 31

// readRedirection reads the redirection information (Q.763 §3.45); its second byte came later than its first.
func readRedirection(value []byte) (*Redirection, error) {
	if len(value) != 1 && len(value) != 2 {
		return nil, fmt.Errorf("%w: redirection information of %d bytes", ErrMalformed, len(value))
	}
	r := &Redirection{Indicator: value[0] & 7, OriginalReason: value[0] >> 4}
	if len(value) == 2 {
		r.Counter, r.Reason = value[1]&7, value[1]>>4
	}
	return r, nil
}

// clone gives nil for nothing, as an IAM that was not read has.
func clone(b []byte) []byte { return append([]byte(nil), b...) }
