package httpapi_test

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"
)

// dial opens a TLS connection to the CPS that speaks one protocol and, unless zero, one version of TLS.
func (p *pair) dial(protocol string, version uint16) *tls.Conn {
	p.Helper()
	conn, err := p.tryDial(protocol, version)
	if err != nil {
		p.Fatal(err)
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != protocol {
		p.Fatalf("negotiated %q, want %q", got, protocol)
	}
	return conn
}

func (p *pair) tryDial(protocol string, version uint16) (*tls.Conn, error) {
	conn, err := tls.Dial("tcp", p.CPS.Host, &tls.Config{
		RootCAs: p.PKI.TLSRoots(), NextProtos: []string{protocol}, MinVersion: version, MaxVersion: version,
	})
	if err != nil {
		return nil, err
	}
	p.Cleanup(func() { conn.Close() })
	// Far beyond every limit of the server: a test that waits so long has failed.
	return conn, conn.SetDeadline(time.Now().Add(time.Minute))
}

// http1 is a connection on which a test writes HTTP/1.1 byte by byte.
type http1 struct {
	*testing.T
	*tls.Conn
	answers *bufio.Reader
}

func (p *pair) dialHTTP1(version uint16) *http1 {
	p.Helper()
	conn := p.dial("http/1.1", version)
	return &http1{p.T, conn, bufio.NewReader(conn)}
}

func (c *http1) say(text string) {
	c.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.Fatal(err)
	}
}

// answer reads the next answer, to a request of that method.
func (c *http1) answer(method string) (*http.Response, string) {
	c.Helper()
	response, err := http.ReadResponse(c.answers, &http.Request{Method: method})
	if err != nil {
		c.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.Fatal(err)
	}
	return response, string(text)
}

// http2 is a connection on which a test writes HTTP/2 frame by frame (RFC 9113 §4.1).
type http2 struct {
	*testing.T
	*tls.Conn
	decoder *hpack.Decoder
	fields  []hpack.HeaderField
}

const (
	frameData     = 0x0
	frameHeaders  = 0x1
	frameReset    = 0x3
	frameSettings = 0x4
	frameGoAway   = 0x7

	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
)

func (p *pair) dialHTTP2(version uint16) *http2 {
	p.Helper()
	c := &http2{T: p.T, Conn: p.dial("h2", version)}
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields = append(c.fields, f) })
	if _, err := io.WriteString(c.Conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		p.Fatal(err)
	}
	c.frame(frameSettings, 0, 0, nil)
	return c
}

func (c *http2) frame(kind, flags byte, stream uint32, payload []byte) {
	c.Helper()
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	head = binary.BigEndian.AppendUint32(append(head, flags), stream)
	if _, err := c.Write(append(head, payload...)); err != nil {
		c.Fatal(err)
	}
}

// headers begins a request; nothing of it is ever indexed or compressed.
func (c *http2) headers(stream uint32, flags byte, namesAndValues ...string) {
	c.Helper()
	var block []byte
	for i, text := range namesAndValues {
		if i%2 == 0 {
			block = append(block, 0) // literal without indexing, new name
		}
		block = appendHpackInteger(block, len(text))
		block = append(block, text...)
	}
	c.frame(frameHeaders, flags|flagEndHeaders, stream, block)
}

func appendHpackInteger(block []byte, n int) []byte {
	if n < 127 {
		return append(block, byte(n))
	}
	block = append(block, 127)
	for n -= 127; n >= 128; n >>= 7 {
		block = append(block, byte(n)|128)
	}
	return append(block, byte(n))
}

func (c *http2) data(stream uint32, flags byte, text string) {
	c.Helper()
	c.frame(frameData, flags, stream, []byte(text))
}

// answer reads until the answer on a stream has ended.
func (c *http2) answer(stream uint32) (status string, header map[string]string, body string) {
	c.Helper()
	header = map[string]string{}
	for {
		var head [9]byte
		if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
			c.Fatal(err)
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(c.Conn, payload); err != nil {
			c.Fatal(err)
		}
		kind, flags, ours := head[3], head[4], binary.BigEndian.Uint32(head[5:]) == stream
		switch {
		case kind == frameSettings && flags&flagAck == 0:
			c.frame(frameSettings, flagAck, 0, nil)
		case kind == frameGoAway, kind == frameReset && ours:
			c.Fatalf("frame of type %d: %x", kind, payload)
		case kind == frameHeaders:
			if _, err := c.decoder.Write(payload); err != nil {
				c.Fatal(err)
			}
			for _, f := range c.fields {
				if ours {
					header[f.Name] = f.Value
				}
			}
			c.fields = nil
		case kind == frameData && ours:
			body += string(payload)
		}
		if ours && (kind == frameData || kind == frameHeaders) && flags&flagEndStream != 0 {
			return header[":status"], header, body
		}
	}
}
