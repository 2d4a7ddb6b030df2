//go:build !cgo

package hsm

import (
	"crypto"
	"io"
)

// Key is one private key in a token. Without cgo there is none.
type Key struct{}

// Open refuses with [ErrBuild], or with ErrURI what no program could open.
func Open(cfg Config) (*Key, error) {
	if _, err := parseURI(cfg.URI); err != nil {
		return nil, err
	}
	return nil, ErrBuild
}

// Public has no answer.
func (k *Key) Public() crypto.PublicKey { return nil }

// Sign refuses with [ErrBuild].
func (k *Key) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, ErrBuild }

// Close has nothing to close.
func (k *Key) Close() {}
