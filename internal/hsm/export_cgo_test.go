//go:build cgo

package hsm

import (
	"crypto"
	"time"

	"github.com/miekg/pkcs11"
)

// Within is within.
var Within = within

// SignWithAllSessionsBusy asks a key whose only session is with a token that hangs.
func SignWithAllSessionsBusy(deadline time.Duration) error {
	k := &Key{cfg: Config{Deadline: deadline}, sessions: make(chan struct{}, 1)}
	k.sessions <- struct{}{}
	_, err := k.Sign(nil, make([]byte, 32), crypto.SHA256)
	return err
}

// Sessions counts those that are open while nothing is signed.
func Sessions(k *Key) int { return len(k.idle) }

// LeaveActive begins a signature in the idle session and does not end it, so that the next one there fails with
// CKR_OPERATION_ACTIVE while the session lives on.
func LeaveActive(k *Key) error {
	s := k.idle[len(k.idle)-1]
	return k.module.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, s.key)
}
