// Package hsm signs with a private key that lives in a PKCS #11 token and never leaves it.
//
// Knows: PKCS #11 URIs (RFC 7512), tokens, sessions, PIN files, ECDSA on P-256. Never hears of: what is signed, networks,
// certificates.
//
// The module of a URI is a shared library that runs inside our process, with all its rights: whoever may write the URI
// or the file that it names may do all that we may. It is loaded once, and stays until the process ends.
//
// # Failures
//
// Every error wraps one of the Err values. A session in which a signature failed is closed. When the token was removed, or
// has lost its sessions, a signature opens new ones and is tried once more; if that fails too, the next signature tries
// again. Each signature is verified before anybody gets it, so that a token that came back with another key gives none.
// A PIN that was refused is not tried again, because tokens lock themselves after a few wrong ones: open the key anew.
// No error holds a PIN.
//
// # Limits
//
// [Config.SessionsMax] signatures at a time, each with a session of its own; [Config.Deadline] for waiting and signing
// together. A token that hangs holds no more than that: those who come later fail at their deadline. Without cgo, the
// program can load no module, and [Open] says so.
package hsm

import (
	"errors"
	"time"
)

// The failures.
var (
	ErrBuild  = errors.New("built without PKCS #11: it takes cgo")
	ErrURI    = errors.New("not a PKCS #11 URI that names a key")
	ErrModule = errors.New("the PKCS #11 module does not work")
	ErrToken  = errors.New("the token cannot be used")
	ErrPIN    = errors.New("the PIN was refused; it is not tried again")
	ErrKey    = errors.New("the token has no such key")
	ErrSign   = errors.New("the token does not sign")
	ErrTime   = errors.New("the token takes too long")
	ErrClosed = errors.New("the key is closed")
)

// Config says which key, and how much of its token may be used.
type Config struct {
	URI         string        // such as pkcs11:token=sti;object=signing?module-path=/usr/lib/libhsm.so&pin-source=file:/etc/sti.pin
	SessionsMax int           // default 8; the token may allow fewer
	Deadline    time.Duration // of one signature, and ten times that of opening; default 1 s: a call waits for it
}

func (cfg Config) withDefaults() Config {
	if cfg.SessionsMax <= 0 {
		cfg.SessionsMax = 8
	}
	if cfg.Deadline <= 0 {
		cfg.Deadline = time.Second
	}
	return cfg
}
