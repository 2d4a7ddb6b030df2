package main

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/tn"
)

// call is one of a volley. All numbers of a volley differ, and so do the identifiers of its messages.
type call struct {
	volley, number int
}

func (c call) orig() int { return 1_202_500_0000 + c.number%100_000 }
func (c call) dest() int { return 1_216_200_0000 + c.number }

// branchMark begins what follows the cookie of a branch parameter (RFC 3261 §8.1.1.7).
const branchMark = "branch=z9hG4bK"

// appendID writes what tells the call from all others.
func (c call) appendID(b []byte) []byte {
	b = strconv.AppendInt(b, int64(c.volley), 10)
	b = append(b, 'x')
	return strconv.AppendInt(b, int64(c.number), 10)
}

// callOf finds out by its topmost Via to which call a message belongs.
func callOf(message []byte) (c call, ok bool) {
	_, rest, _ := bytes.Cut(message, []byte(branchMark))
	end := bytes.IndexAny(rest, ";,\r\n ")
	if end < 0 {
		return call{}, false
	}
	volley, number, _ := bytes.Cut(rest[:end], []byte("x"))
	c.volley, c.number = digits(volley), digits(number)
	return c, c.volley >= 0 && c.number >= 0
}

// digits is a decimal number, or -1.
func digits(text []byte) int {
	if len(text) == 0 || len(text) > 9 {
		return -1
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// media is the body of every INVITE: an offer as gateways make it.
const media = "v=0\r\no=gateway 3904712001 3904712001 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=audio 20480 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n" +
	"a=fmtp:101 0-15\r\na=ptime:20\r\na=maxptime:40\r\na=sendrecv\r\n"

// line is a socket or connection over which calls are placed.
type line struct {
	transport     string // UDP or TCP
	local, server string
}

// appendInvite writes the INVITE of a call, some 900 bytes, as a switch sends it into a redirect dip.
func (l line) appendInvite(b []byte, c call) []byte {
	b = l.appendStart(b, "INVITE", c)
	b = fmt.Appendf(b, "To: <sip:%d@%s;user=phone>\r\nCSeq: 1 INVITE\r\nContact: <sip:%d@%s;transport=%s>\r\n",
		c.dest(), l.server, c.orig(), l.local, l.transport)
	return fmt.Appendf(b, "P-Asserted-Identity: <sip:%d@%s;user=phone>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK\r\n"+
		"Supported: timer, 100rel\r\nSession-Expires: 1800\r\nMin-SE: 90\r\nUser-Agent: bench\r\nAccept: application/sdp\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		c.orig(), l.local, len(media), media)
}

// appendStart writes what INVITE and ACK have in common (RFC 3261 §17.1.1.3).
func (l line) appendStart(b []byte, method string, c call) []byte {
	b = fmt.Appendf(b, "%s sip:%d@%s;user=phone SIP/2.0\r\nVia: SIP/2.0/%s %s;%s", method, c.dest(), l.server, l.transport, l.local, branchMark)
	b = c.appendID(b)
	b = fmt.Appendf(b, ";rport\r\nMax-Forwards: 70\r\nFrom: \"Laboratory\" <sip:%d@%s;user=phone>;tag=f", c.orig(), l.local)
	b = c.appendID(b)
	b = append(b, "\r\nCall-ID: "...)
	b = c.appendID(b)
	return fmt.Appendf(b, "@%s\r\n", l.local)
}

// appendACK writes the ACK to a final answer whose To field is given.
func (l line) appendACK(b []byte, c call, to []byte) []byte {
	b = l.appendStart(b, "ACK", c)
	return fmt.Appendf(b, "To: %s\r\nCSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n", to)
}

// field is the value of a header field, written as all servers here write its name; nil when there is none.
func field(message []byte, name string) []byte {
	_, rest, found := bytes.Cut(message, []byte("\r\n"+name+": "))
	if !found {
		return nil
	}
	value, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return value
}

// isProvisional tells whether an answer is not the last one.
func isProvisional(message []byte) bool { return bytes.HasPrefix(message, []byte("SIP/2.0 1")) }

// checkAnswer looks at what every answer must have: a redirection with a Contact, and one Identity field whose token has
// three parts and is a shaken PASSporT by its parameter.
func checkAnswer(message []byte) error {
	if !bytes.HasPrefix(message, []byte("SIP/2.0 302 ")) {
		status, _, _ := bytes.Cut(message, []byte("\r\n"))
		return fmt.Errorf("not a 302 but %q", status)
	}
	if field(message, "Contact") == nil {
		return errors.New("a 302 without Contact")
	}
	token, parameters, _ := bytes.Cut(field(message, "Identity"), []byte(";"))
	if bytes.Count(token, []byte(".")) != 2 || !bytes.Contains(parameters, []byte("ppt=shaken")) {
		return errors.New("a 302 without the Identity of a shaken PASSporT")
	}
	return nil
}

// checkSignature looks at what only some answers are asked for: the signature, and that the claims are those of the call.
func checkSignature(value string, c call, key *ecdsa.PublicKey, x5u string) error {
	header, err := identity.Parse(value)
	if err != nil {
		return err
	}
	token, err := passport.Parse(header.Token)
	if err != nil {
		return err
	}
	if err := token.Verify(key); err != nil {
		return err
	}
	orig, dest, err := c.parties()
	if err != nil {
		return err
	}
	claims := token.Claims
	if claims.Orig != orig || !claims.Names(dest) || claims.Attest != "A" || token.Header.X5U != x5u || header.Info != x5u {
		return errors.New("a PASSporT of another call, attestation or certificate")
	}
	if age := time.Since(claims.IAT); age < -time.Minute || age > time.Minute {
		return errors.New("a PASSporT of another time")
	}
	return nil
}

func (c call) parties() (orig, dest tn.Identity, err error) {
	if orig, err = number(c.orig()); err != nil {
		return orig, dest, err
	}
	dest, err = number(c.dest())
	return orig, dest, err
}
