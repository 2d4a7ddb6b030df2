package dnsclient

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/net/dns/dnsmessage"
)

// SVCB is one record of RFC 9460 §2, as far as this package knows its parameters.
type SVCB struct {
	Priority      uint16 // 0 is AliasMode
	Target        string // lower case, without the last dot; empty is the root
	ALPN          []string
	NoDefaultALPN bool
	Port          uint16 // 0 where the record has none

	// Beyond is set where the record says that it must not be used by who does not know some parameter, and we do not.
	Beyond bool
}

// Alias reports whether the record only names another (RFC 9460 §2.4.2).
func (s SVCB) Alias() bool { return s.Priority == 0 }

// Speaks reports whether one of the protocols is among those of the record, for a service whose default is fallback
// (RFC 9460 §7.1.2).
func (s SVCB) Speaks(fallback string, protocols ...string) bool {
	if !s.NoDefaultALPN && slices.Contains(protocols, fallback) {
		return true
	}
	return slices.ContainsFunc(s.ALPN, func(p string) bool { return slices.Contains(protocols, p) })
}

var errSVCB = errors.New("an SVCB record with a malformed parameter")

// readSVCB refuses what RFC 9460 §2.2 and §8 call malformed; with one such record the whole answer is.
func readSVCB(p *dnsmessage.Parser) (SVCB, error) {
	body, err := p.SVCBResource()
	if err != nil {
		return SVCB{}, err
	}
	s := SVCB{Priority: body.Priority, Target: lower(body.Target.String())}
	if s.Alias() {
		return s, nil // its parameters are ignored (RFC 9460 §2.4.2)
	}
	for _, param := range body.Params {
		ok := true
		switch param.Key {
		case dnsmessage.SVCParamMandatory:
			ok = s.mandatory(body, param.Value)
		case dnsmessage.SVCParamALPN:
			s.ALPN, ok = protocolsIn(param.Value)
		case dnsmessage.SVCParamNoDefaultALPN:
			s.NoDefaultALPN, ok = true, len(param.Value) == 0 && s.ALPN != nil
		case dnsmessage.SVCParamPort:
			if ok = len(param.Value) == 2; ok {
				s.Port = binary.BigEndian.Uint16(param.Value)
				s.Beyond = s.Beyond || s.Port == 0
			}
		}
		if !ok {
			return SVCB{}, errSVCB
		}
	}
	return s, nil
}

// mandatory reads the keys that must be known (RFC 9460 §8): ascending, each in the record, and not mandatory itself.
func (s *SVCB) mandatory(body dnsmessage.SVCBResource, value []byte) bool {
	if len(value) == 0 || len(value)%2 != 0 {
		return false
	}
	last := dnsmessage.SVCParamMandatory
	for ; len(value) > 0; value = value[2:] {
		key := dnsmessage.SVCParamKey(binary.BigEndian.Uint16(value))
		if _, there := body.GetParam(key); !there || key <= last {
			return false
		}
		last = key
		switch key {
		case dnsmessage.SVCParamALPN, dnsmessage.SVCParamNoDefaultALPN, dnsmessage.SVCParamPort:
		default:
			s.Beyond = true
		}
	}
	return true
}

// protocolsIn reads the value of alpn (RFC 9460 §7.1.1).
func protocolsIn(value []byte) (protocols []string, ok bool) {
	for len(value) > 0 {
		var protocol string
		if protocol, value, ok = cutString(value); !ok || protocol == "" {
			return nil, false
		}
		protocols = append(protocols, protocol)
	}
	return protocols, len(protocols) > 0
}
