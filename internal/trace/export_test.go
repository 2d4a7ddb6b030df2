package trace

import (
	"net/netip"
	"time"
)

// What tests outside the package need of its inside.

func Pack(r *Record) []byte   { return pack(nil, r) }
func Unpack(b []byte) *Record { return unpack(b) }

// HEPPacket is hepPacket with names that a test can write.
type HEPPacket struct {
	At                               time.Time
	Transport, Password, Correlation string
	From, To                         netip.AddrPort
	Kind                             byte
	Agent                            uint32
	Payload                          []byte
}

func (p HEPPacket) Append(b []byte) ([]byte, error) {
	return hepPacket{p.At, p.Transport, p.From, p.To, p.Kind, p.Agent, p.Password, p.Correlation, p.Payload}.append(b)
}

const HEPSIP, HEPJSON, HEPBytesMax = hepSIP, hepJSON, hepBytesMax

func MaskNumbers(s string) string { return maskNumbers(maskTokens(s), always) }
