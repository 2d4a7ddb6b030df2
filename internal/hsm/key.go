//go:build cgo

package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Key is one private key in a token. It is a crypto.Signer for SHA-256 digests, and safe for concurrent use.
type Key struct {
	uri      uri
	cfg      Config
	module   *pkcs11.Ctx
	public   *ecdsa.PublicKey
	sessions chan struct{} // holds one value for each signature that is under way

	opening sync.Mutex // one session is opened at a time, so that a wrong PIN is tried once
	refused error      // guarded by opening: why no PIN is tried any more

	mu     sync.Mutex
	idle   []session // guarded by mu
	closed bool      // guarded by mu
}

// session is one with the token, logged in. Its handles mean nothing once the token was away.
type session struct {
	handle pkcs11.SessionHandle
	key    pkcs11.ObjectHandle
}

// Open finds the key and makes sure that it signs for the public key beside it. It takes ten times cfg.Deadline at most.
func Open(cfg Config) (*Key, error) {
	u, err := parseURI(cfg.URI)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	k := &Key{uri: u, cfg: cfg}
	_, err = within(10*cfg.Deadline, func() ([]byte, error) { return nil, k.start() })
	if err != nil {
		k.Close() // what still hangs closes its session when it comes back
		return nil, err
	}
	return k, nil
}

func (k *Key) start() (err error) {
	if k.module, err = load(k.uri.module); err != nil {
		return err
	}
	_, token, err := k.slot()
	if err != nil {
		return err
	}
	if most := token.MaxSessionCount; most != pkcs11.CK_EFFECTIVELY_INFINITE && most != pkcs11.CK_UNAVAILABLE_INFORMATION {
		k.cfg.SessionsMax = int(min(uint(k.cfg.SessionsMax), most))
	}
	k.sessions = make(chan struct{}, k.cfg.SessionsMax)
	digest := make([]byte, sha256.Size)
	rand.Read(digest) // never fails
	_, err = k.signAnew(digest)
	return err
}

// Public is the *ecdsa.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Sign signs a SHA-256 digest and gives the signature in ASN.1 DER, as every crypto.Signer does. The randomness is the
// token's own.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, fmt.Errorf("%w: it signs digests of SHA-256 alone", ErrSign)
	}
	deadline := time.Now().Add(k.cfg.Deadline)
	wait := time.NewTimer(k.cfg.Deadline)
	defer wait.Stop()
	select {
	case k.sessions <- struct{}{}:
	case <-wait.C:
		return nil, fmt.Errorf("%w: all sessions are busy", ErrTime)
	}
	digest = append([]byte(nil), digest...) // the module may still read it when nobody waits any more
	return within(time.Until(deadline), func() ([]byte, error) {
		defer func() { <-k.sessions }()
		return k.sign(digest)
	})
}

// within waits for work no longer than d. A module cannot be interrupted: work that hangs goes on alone.
func within(d time.Duration, work func() ([]byte, error)) ([]byte, error) {
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := work()
		done <- result{out, err}
	}()
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case r := <-done:
		return r.out, r.err
	case <-wait.C:
		return nil, ErrTime
	}
}

func (k *Key) sign(digest []byte) ([]byte, error) {
	s, found, err := k.take()
	if err != nil {
		return nil, err
	}
	if !found {
		return k.signAnew(digest)
	}
	der, err := k.signIn(s, digest)
	if err == nil {
		k.put(s)
		return der, nil
	}
	k.end(s)
	if !isLost(err) {
		return nil, err
	}
	k.forget()
	return k.signAnew(digest)
}

// signAnew signs in a session that it opens.
func (k *Key) signAnew(digest []byte) ([]byte, error) {
	s, err := k.open()
	if err != nil {
		return nil, err
	}
	der, err := k.signIn(s, digest)
	if err != nil {
		k.end(s)
		return nil, err
	}
	k.put(s)
	return der, nil
}

// signIn makes one signature in one session, and verifies it: nobody can believe that of another key, and a token that was
// away may have come back with one beside the same public key.
func (k *Key) signIn(s session, digest []byte) ([]byte, error) {
	if err := k.module.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, s.key); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSign, err)
	}
	raw, err := k.module.Sign(s.handle, digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSign, err)
	}
	der, err := derOf(raw)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(k.public, digest, der) {
		return nil, fmt.Errorf("%w: the public key beside it is another's", ErrKey)
	}
	return der, nil
}

// derOf turns r‖s, as PKCS #11 has it, into the DER of a crypto.Signer.
func derOf(raw []byte) ([]byte, error) {
	if len(raw) != 2*coordinateBytes {
		return nil, fmt.Errorf("%w: it gave no signature of P-256", ErrSign)
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:coordinateBytes]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[coordinateBytes:]))
	})
	return b.Bytes()
}

// coordinateBytes is the length of a number of P-256.
const coordinateBytes = 32

// isLost tells whether an error may be over with a new session: the token was away, or has forgotten us, or our handle of
// the key is another's now.
func isLost(err error) bool {
	if errors.Is(err, ErrKey) {
		return true
	}
	code, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return false
	}
	switch code {
	case pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_OPERATION_ACTIVE:
		return true
	}
	return false
}

// take gives a session that is open, if one is.
func (k *Key) take() (s session, found bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return session{}, false, ErrClosed
	}
	if len(k.idle) == 0 {
		return session{}, false, nil
	}
	s = k.idle[len(k.idle)-1]
	k.idle = k.idle[:len(k.idle)-1]
	return s, true, nil
}

func (k *Key) put(s session) {
	k.mu.Lock()
	closed := k.closed
	if !closed {
		k.idle = append(k.idle, s)
	}
	k.mu.Unlock()
	if closed {
		k.end(s)
	}
}

// end closes a session. One in which something failed may be open all the same, and the token allows only so many.
func (k *Key) end(s session) {
	_ = k.module.CloseSession(s.handle) // the signature is made, or what failed is said already
}

// forget drops all idle sessions: what one has found out holds for the others.
func (k *Key) forget() {
	k.mu.Lock()
	idle := k.idle
	k.idle = nil
	k.mu.Unlock()
	for _, s := range idle {
		k.end(s)
	}
}

// Close closes the sessions; those in use, when their signatures are made. It waits for the token no longer than
// Config.Deadline.
func (k *Key) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	_, _ = within(k.cfg.Deadline, func() ([]byte, error) { k.forget(); return nil, nil }) // what hangs goes on alone
}
