//go:build cgo

package hsm

import (
	"crypto"
	"time"
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
