package trace

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"time"
	"unicode"
	"unicode/utf8"
)

// WriteText writes the raw messages for a person at a terminal. They hold numbers and PASSporTs, so they are for whoever
// may see everything. What is not printable is replaced, and each line of a message is indented: no message can look like
// two, and none can give commands to a terminal.
func (r *Record) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	for i, m := range r.Messages {
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(out, "%s %s %s %s -> %s, %d bytes\n", r.Began.Add(m.At).UTC().Format("2006-01-02T15:04:05.000000Z07:00"),
			m.direction(), printable(m.Transport), place(m.From), place(m.To), len(m.Bytes))
		writeIndented(out, m.Bytes)
	}
	return out.Flush()
}

// place is an address as text; one that is not known is a dash.
func place(a netip.AddrPort) string {
	if a == (netip.AddrPort{}) {
		return "-"
	}
	return a.String()
}

func writeIndented(out *bufio.Writer, text []byte) {
	begin := true
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		if c == '\r' && size < len(text) && text[size] == '\n' {
			c, size = '\n', 2
		}
		text = text[size:]
		if begin {
			out.WriteString("  ")
		}
		if begin = c == '\n'; !begin && c != '\t' {
			c = visible(c)
		}
		out.WriteRune(c)
	}
	if !begin {
		out.WriteByte('\n')
	}
}

// visible replaces what a terminal would obey or hide: control characters and those that turn the direction of text.
func visible(c rune) rune {
	if !unicode.IsPrint(c) {
		return utf8.RuneError
	}
	return c
}

func printable(s string) string {
	out := make([]rune, 0, len(s))
	for _, c := range s {
		out = append(out, visible(c))
	}
	return string(out)
}

const (
	pcapRaw      = 101   // link type: packets begin with the IP header
	pcapMax      = 65535 // bytes of one packet
	ip4Header    = 20
	ip6Header    = 40
	udpHeader    = 8
	protocolUDP  = 17
	hopsAnything = 64
)

// WritePcap writes the raw messages as a capture that Wireshark reads: each as one UDP datagram between the addresses that
// it had, also where it came over a connection, whose segments nobody has seen. A message longer than a datagram is cut.
func (r *Record) WritePcap(w io.Writer) error {
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4) // times have microseconds
	out = binary.LittleEndian.AppendUint16(out, 2)
	out = binary.LittleEndian.AppendUint16(out, 4) // version 2.4
	out = append(out, make([]byte, 8)...)          // UTC
	out = binary.LittleEndian.AppendUint32(out, pcapMax)
	out = binary.LittleEndian.AppendUint32(out, pcapRaw)
	for _, m := range r.Messages {
		out = appendPcap(out, r.Began.Add(m.At), datagram(m))
	}
	_, err := w.Write(out)
	return err
}

func appendPcap(out []byte, at time.Time, packet []byte) []byte {
	out = binary.LittleEndian.AppendUint32(out, uint32(at.Unix()))
	out = binary.LittleEndian.AppendUint32(out, uint32(at.Nanosecond()/1000))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packet)))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(packet)))
	return append(out, packet...)
}

// datagram frames a message as UDP over IP.
func datagram(m Message) []byte {
	from, to := sameFamily(m.From, m.To)
	payload := m.Bytes[:min(len(m.Bytes), pcapMax-ip6Header-udpHeader)]
	length := udpHeader + len(payload)

	udp := binary.BigEndian.AppendUint16(nil, from.Port())
	udp = binary.BigEndian.AppendUint16(udp, to.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(length))
	udp = append(append(udp, 0, 0), payload...)
	pseudo := append(append([]byte{}, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	pseudo = append(pseudo, 0, 0, byte(length>>8), byte(length), 0, 0, 0, protocolUDP)
	sum := checksum(append(pseudo, udp...))
	if sum == 0 {
		sum = 0xffff // zero would say that there is none
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return append(ipHeader(from.Addr(), to.Addr(), length), udp...)
}

func ipHeader(from, to netip.Addr, length int) []byte {
	if from.Is6() {
		header := []byte{6 << 4, 0, 0, 0, byte(length >> 8), byte(length), protocolUDP, hopsAnything}
		return append(append(header, from.AsSlice()...), to.AsSlice()...)
	}
	total := ip4Header + length
	header := []byte{4<<4 | ip4Header/4, 0, byte(total >> 8), byte(total), 0, 0, 0, 0, hopsAnything, protocolUDP, 0, 0}
	header = append(append(header, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(header[10:], checksum(header))
	return header
}

// checksum is the ones' complement sum of IP and UDP.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
