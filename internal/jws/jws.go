// Package jws is the compact JWS with ES256 that PASSporTs and the access tokens of a CPS have in common.
//
// Knows: three base64url segments, the raw 64-byte ES256 signature, strict JSON objects. Never hears of: claims and
// what they mean, networks, certificates.
//
// # Failures
//
// Every refusal is one of the Err values, wrapped; none of them repeats a part of the token.
package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The refusals.
var (
	ErrTooLong       = errors.New("token too long")
	ErrSegments      = errors.New("not three segments")
	ErrBase64        = errors.New("segment is not base64url without padding")
	ErrJSON          = errors.New("not a strict JSON object")
	ErrDuplicate     = errors.New("a member name stands twice") // always together with ErrJSON
	ErrSignatureForm = errors.New("signature is not the 64 bytes r‖s of ES256")
	ErrSignature     = errors.New("signature does not verify")
)

// SignatureBytes is the length of r‖s for P-256 (RFC 7518 §3.4).
const SignatureBytes = 64

// base64url refuses non-zero bits after the last byte, so that one token has one text.
var base64url = base64.RawURLEncoding.Strict()

// Token is a compact JWS taken apart. Header and Payload are the decoded bytes; nothing about them has been checked.
type Token struct {
	Header       []byte
	Payload      []byte
	Signature    []byte // as decoded, of any length; Verify wants 64
	SigningInput string
}

// Split takes a compact JWS of at most lengthMax bytes apart (RFC 7515 §7.1).
func Split(compact string, lengthMax int) (Token, error) {
	header, payload, signature, err := cut(compact, lengthMax)
	if err != nil {
		return Token{}, err
	}
	t := Token{SigningInput: compact[:len(header)+1+len(payload)]}
	if t.Header, err = decode(header); err != nil {
		return Token{}, fmt.Errorf("%w: header", err)
	}
	if err := t.decodeRest(payload, signature); err != nil {
		return Token{}, err
	}
	return t, nil
}

// cut gives the three segments.
func cut(compact string, lengthMax int) (header, payload, signature string, err error) {
	if len(compact) > lengthMax {
		return "", "", "", fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(compact), lengthMax)
	}
	header, rest, _ := strings.Cut(compact, ".")
	payload, signature, found := strings.Cut(rest, ".")
	if !found || strings.IndexByte(signature, '.') >= 0 {
		return "", "", "", fmt.Errorf("%w: %d", ErrSegments, strings.Count(compact, ".")+1)
	}
	return header, payload, signature, nil
}

// decodeRest decodes what stands behind the header, into one piece of memory.
func (t *Token) decodeRest(payload, signature string) (err error) {
	room := make([]byte, base64url.DecodedLen(len(payload))+base64url.DecodedLen(len(signature)))
	if t.Payload, err = decodeInto(room, payload); err != nil {
		return fmt.Errorf("%w: payload", err)
	}
	if t.Signature, err = decodeInto(room[len(t.Payload):], signature); err != nil {
		return fmt.Errorf("%w: signature", err)
	}
	return nil
}

func decode(segment string) ([]byte, error) {
	return decodeInto(make([]byte, base64url.DecodedLen(len(segment))), segment)
}

// decodeInto decodes into the beginning of room, which is long enough.
func decodeInto(room []byte, segment string) ([]byte, error) {
	// encoding/base64 skips line breaks, which would give one token several texts.
	if strings.IndexByte(segment, '\r') >= 0 || strings.IndexByte(segment, '\n') >= 0 {
		return nil, ErrBase64
	}
	n, err := base64url.Decode(room, []byte(segment)) // which copies nothing
	if err != nil {
		return nil, ErrBase64
	}
	return room[:n:n], nil
}

// Verify checks the signature over the received bytes, never over a re-serialisation (RFC 8225 §9). The key must be on
// P-256, the curve of ES256 (RFC 7518 §3.4): on another curve no signature verifies.
func (t Token) Verify(key *ecdsa.PublicKey) error { return t.VerifyWith(key, nil) }

// VerifyWith is Verify with es256 in place of VerifyES256; nil is VerifyES256. It is given the 32 bytes of a SHA-256 digest
// and the 64 of a signature.
func (t Token) VerifyWith(key *ecdsa.PublicKey, es256 func(key *ecdsa.PublicKey, digest, signature []byte) bool) error {
	if len(t.Signature) != SignatureBytes {
		return fmt.Errorf("%w: %d bytes", ErrSignatureForm, len(t.Signature))
	}
	if !isP256(key) {
		return fmt.Errorf("%w: the key is not on P-256", ErrSignature)
	}
	var input [1024]byte // most tokens are shorter; saves an allocation
	digest := sha256.Sum256(append(input[:0], t.SigningInput...))
	var verifies bool
	if es256 == nil {
		verifies = VerifyES256(key, digest[:], t.Signature)
	} else {
		verifies = es256(key, bytes.Clone(digest[:]), t.Signature) // the clone keeps the digest of most calls on the stack
	}
	if !verifies {
		return ErrSignature
	}
	return nil
}

// VerifyES256 asks crypto/ecdsa whether signature = r‖s is that of a digest. It is false unless the key is on P-256 and the
// signature has 64 bytes.
func VerifyES256(key *ecdsa.PublicKey, digest, signature []byte) bool {
	if !isP256(key) || len(signature) != SignatureBytes {
		return false
	}
	var der [derBytesMax]byte
	return ecdsa.VerifyASN1(key, digest, appendDER(der[:0], signature))
}

// derBytesMax is a SEQUENCE of two INTEGERs of 33 bytes, each of the three with two bytes in front.
const derBytesMax = 2 + 2*(2+1+SignatureBytes/2)

// appendDER appends the DER SEQUENCE of r and s, as crypto/ecdsa wants it, of raw = r‖s (RFC 7518 §3.4).
func appendDER(dst, raw []byte) []byte {
	dst = append(dst, 0x30, 0)
	dst = appendInteger(dst, raw[:SignatureBytes/2])
	dst = appendInteger(dst, raw[SignatureBytes/2:])
	dst[1] = byte(len(dst) - 2)
	return dst
}

// appendInteger appends an unsigned number as an INTEGER: without needless zeros, with one where it would be negative.
func appendInteger(dst, n []byte) []byte {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	if n[0] >= 0x80 {
		return append(append(dst, 0x02, byte(len(n)+1), 0), n...)
	}
	return append(append(dst, 0x02, byte(len(n))), n...)
}

func isP256(key *ecdsa.PublicKey) bool { return key != nil && key.Curve == elliptic.P256() }

// Sign makes the compact JWS of a header and a payload. The key must be on P-256, else ErrSignatureForm. An
// *ecdsa.PrivateKey signs deterministically (RFC 6979, asked for by RFC 8225 §4.2); another crypto.Signer, such as a
// hardware module, as it does.
func Sign(key crypto.Signer, header, payload []byte) (string, error) {
	if public, ok := key.Public().(*ecdsa.PublicKey); !ok || !isP256(public) {
		return "", fmt.Errorf("sign token: %w: the key is not on P-256", ErrSignatureForm)
	}
	token := appendInput(make([]byte, 0, SignedLength(header, payload)), header, payload)
	digest := sha256.Sum256(token)
	random := rand.Reader
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		random = nil
	}
	der, err := key.Sign(random, digest[:], crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	signature, err := rawSignature(der)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return string(base64url.AppendEncode(append(token, '.'), signature)), nil
}

// SigningInput is what the signature of a header and a payload covers (RFC 7515 §5.1).
func SigningInput(header, payload []byte) string { return string(appendInput(nil, header, payload)) }

func appendInput(dst, header, payload []byte) []byte {
	dst = append(base64url.AppendEncode(dst, header), '.')
	return base64url.AppendEncode(dst, payload)
}

// SignedLength is the length in bytes of the compact JWS that Sign makes.
func SignedLength(header, payload []byte) int {
	return base64url.EncodedLen(len(header)) + 1 + base64url.EncodedLen(len(payload)) + 1 + base64url.EncodedLen(SignatureBytes)
}

// rawSignature turns the DER SEQUENCE of r and s, as every crypto.Signer gives it, into r‖s.
func rawSignature(der []byte) ([]byte, error) {
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	r, s := new(big.Int), new(big.Int)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(r) || !sequence.ReadASN1Integer(s) ||
		r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 8*SignatureBytes/2 || s.BitLen() > 8*SignatureBytes/2 {
		return nil, fmt.Errorf("%w: the signer did not give two integers of P-256", ErrSignatureForm)
	}
	raw := make([]byte, SignatureBytes)
	r.FillBytes(raw[:SignatureBytes/2])
	s.FillBytes(raw[SignatureBytes/2:])
	return raw, nil
}
