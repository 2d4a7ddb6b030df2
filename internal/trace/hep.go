package trace

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// The types of payload, after the HEP3 specification of the Homer project.
const (
	hepSIP  = 1
	hepJSON = 100 // a log, as JSON
)

const hepBytesMax = 1<<16 - 1 // of one packet: its length has 16 bits

var errHEPSize = errors.New("more than a HEP packet holds")

// hepPacket is what a capture server is told in one packet.
type hepPacket struct {
	at          time.Time
	transport   string
	from, to    netip.AddrPort
	kind        byte
	agent       uint32
	password    string
	correlation string
	payload     []byte
}

// The chunks of the generic vendor, after the HEP3 specification.
const (
	chunkFamily      = 0x01
	chunkProtocol    = 0x02
	chunkFrom4       = 0x03
	chunkTo4         = 0x04
	chunkFrom6       = 0x05
	chunkTo6         = 0x06
	chunkFromPort    = 0x07
	chunkToPort      = 0x08
	chunkSeconds     = 0x09
	chunkMicros      = 0x0a
	chunkKind        = 0x0b
	chunkAgent       = 0x0c
	chunkPassword    = 0x0e
	chunkPayload     = 0x0f
	chunkCorrelation = 0x11
)

const (
	hepIPv4 = 2  // AF_INET
	hepIPv6 = 10 // AF_INET6, as Linux numbers it
	hepTCP  = 6
	hepUDP  = 17
)

// append adds the packet to b. The error is errHEPSize, and b as it was.
func (p hepPacket) append(b []byte) ([]byte, error) {
	start := len(b)
	out := append(b, "HEP3\x00\x00"...)
	from, to := p.addresses()
	protocol := byte(hepTCP)
	if p.transport == "udp" {
		protocol = hepUDP
	}
	if from.Addr().Is4() {
		out = appendChunk(out, chunkFamily, []byte{hepIPv4})
		out = appendChunk(out, chunkFrom4, from.Addr().AsSlice())
		out = appendChunk(out, chunkTo4, to.Addr().AsSlice())
	} else {
		out = appendChunk(out, chunkFamily, []byte{hepIPv6})
		out = appendChunk(out, chunkFrom6, from.Addr().AsSlice())
		out = appendChunk(out, chunkTo6, to.Addr().AsSlice())
	}
	out = appendChunk(out, chunkProtocol, []byte{protocol})
	out = appendChunk(out, chunkFromPort, binary.BigEndian.AppendUint16(nil, from.Port()))
	out = appendChunk(out, chunkToPort, binary.BigEndian.AppendUint16(nil, to.Port()))
	out = appendChunk(out, chunkSeconds, binary.BigEndian.AppendUint32(nil, uint32(p.at.Unix())))
	out = appendChunk(out, chunkMicros, binary.BigEndian.AppendUint32(nil, uint32(p.at.Nanosecond()/1000)))
	out = appendChunk(out, chunkKind, []byte{p.kind})
	out = appendChunk(out, chunkAgent, binary.BigEndian.AppendUint32(nil, p.agent))
	if p.password != "" {
		out = appendChunk(out, chunkPassword, []byte(p.password))
	}
	if p.correlation != "" {
		out = appendChunk(out, chunkCorrelation, []byte(clip(p.correlation, TextBytesMax)))
	}
	if len(out)-start+chunkHeader+len(p.payload) > hepBytesMax {
		return b, errHEPSize
	}
	out = appendChunk(out, chunkPayload, p.payload)
	binary.BigEndian.PutUint16(out[start+4:], uint16(len(out)-start))
	return out, nil
}

const chunkHeader = 6 // bytes before the value: vendor, type, length of the whole

func appendChunk(b []byte, kind uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, 0) // the generic vendor
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(chunkHeader+len(value)))
	return append(b, value...)
}

func (p hepPacket) addresses() (from, to netip.AddrPort) { return sameFamily(p.from, p.to) }

// sameFamily brings both ends into one address family; an end that is not known is the unspecified address.
func sameFamily(from, to netip.AddrPort) (netip.AddrPort, netip.AddrPort) {
	known := func(a netip.AddrPort) netip.Addr {
		if !a.IsValid() {
			return netip.IPv4Unspecified()
		}
		return a.Addr().Unmap().WithZone("")
	}
	f, t := known(from), known(to)
	if f.Is4() != t.Is4() {
		f, t = wide(f), wide(t)
	}
	return netip.AddrPortFrom(f, from.Port()), netip.AddrPortFrom(t, to.Port())
}

func wide(a netip.Addr) netip.Addr {
	if a == netip.IPv4Unspecified() {
		return netip.IPv6Unspecified()
	}
	return netip.AddrFrom16(a.As16())
}
