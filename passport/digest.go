package passport

import (
	"crypto"
	_ "crypto/sha256" // makes crypto.SHA256 available
	_ "crypto/sha512" // makes crypto.SHA384 and crypto.SHA512 available
	"encoding/base64"
	"strings"
)

// digestAlgorithms are those of rcdi and msgi, by their names there (RFC 9795 §6.1, RFC 9475 §3.2).
var digestAlgorithms = map[string]crypto.Hash{"sha256": crypto.SHA256, "sha384": crypto.SHA384, "sha512": crypto.SHA512}

// digestText is the digest of content as rcdi and msgi write it: the algorithm, a hyphen, standard base64 without padding.
func digestText(algorithm string, content []byte) string {
	h := digestAlgorithms[algorithm].New()
	h.Write(content)
	return algorithm + "-" + base64.RawStdEncoding.EncodeToString(h.Sum(nil))
}

// normalDigest reads a digest, padded or not, and gives it as digestText writes it. It is false of everything else.
func normalDigest(text string) (string, bool) {
	algorithm, encoded, _ := strings.Cut(text, "-")
	hash, known := digestAlgorithms[algorithm]
	if !known || strings.ContainsAny(encoded, "\r\n") { // encoding/base64 skips line breaks
		return "", false
	}
	encoding := base64.RawStdEncoding.Strict()
	if strings.HasSuffix(encoded, "=") {
		encoding = base64.StdEncoding.Strict()
	}
	sum, err := encoding.DecodeString(encoded)
	if err != nil || len(sum) != hash.Size() {
		return "", false
	}
	return algorithm + "-" + base64.RawStdEncoding.EncodeToString(sum), true
}

// isDigestOf compares content with a digest, padded or not. A malformed digest is one of nothing.
func isDigestOf(digest string, content []byte) bool {
	digest, ok := normalDigest(digest)
	algorithm, _, _ := strings.Cut(digest, "-")
	return ok && digest == digestText(algorithm, content)
}
