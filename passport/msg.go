package passport

import "github.com/viaduct-oob/viaduct/internal/jws"

// readMSGI reads the claim msgi: the digest of a message (RFC 9475 §3.2).
func readMSGI(value jws.Value) (string, error) {
	text, ok := jws.String(value)
	if !ok {
		return "", problem(MSGIForm, "")
	}
	digest, ok := normalDigest(text)
	if !ok {
		return "", problem(MSGIForm, "")
	}
	return digest, nil
}

// CheckMessage compares a message with the claim msgi of the msg PASSporT that came with it. body is the whole MIME body
// as received (RFC 9475 §3.2). Problems: MSGIForm, DigestMismatch.
func CheckMessage(msgi string, body []byte) error {
	digest, ok := normalDigest(msgi)
	if !ok {
		return problem(MSGIForm, "")
	}
	if !isDigestOf(digest, body) {
		return problem(DigestMismatch, "msgi")
	}
	return nil
}
