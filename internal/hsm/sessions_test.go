//go:build cgo

package hsm_test

import (
	"crypto/elliptic"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/viaduct-oob/viaduct/internal/hsm"
)

// sessions counts those that this process has open with a token. SoftHSM does not tell, but numbers its handles upwards.
func sessions(t *testing.T, label string) int {
	t.Helper()
	ctx, slot := module(t, label)
	open := 0
	for handle := range pkcs11.SessionHandle(10_000) {
		if info, err := ctx.GetSessionInfo(handle); err == nil && info.SlotID == slot {
			open++
		}
	}
	return open
}

// swapPrivate leaves the public key sti in a token, beside the private key of another pair under its label and id. All
// sessions with the token are closed.
func swapPrivate(t *testing.T, label string) {
	t.Helper()
	ctx, slot := module(t, label)
	if err := ctx.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
	destroy(t, ctx, slot, pkcs11.CKO_PRIVATE_KEY)
	importKey(t, label, "other", "02", elliptic.P256())
	session := login(t, ctx, slot)
	private := find(t, ctx, session, pkcs11.CKO_PRIVATE_KEY)
	if err := ctx.SetAttributeValue(session, private[0], []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte{1}), pkcs11.NewAttribute(pkcs11.CKA_LABEL, "sti"),
	}); err != nil {
		t.Fatal(err)
	}
	if err := ctx.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
}

// A token that answers with an error has not always closed the session, and it allows only so many.
func TestKey_FailedSessionIsClosed(t *testing.T) {
	pinFile := token(t, "failed")
	public := importKey(t, "failed", "sti", "01", elliptic.P256())
	key := open(t, config("failed", "sti", pinFile))
	for range 5 {
		if err := hsm.LeaveActive(key); err != nil {
			t.Fatal(err)
		}
		if err := sign(key, public); err != nil {
			t.Fatal(err)
		}
	}
	if n := sessions(t, "failed"); n != 1 {
		t.Errorf("%d sessions are open for one key at rest", n)
	}
	key.Close()
	if n := sessions(t, "failed"); n != 0 {
		t.Errorf("%d sessions are open for a key that is closed", n)
	}
}

// The token comes back with the same public key under the same name, and another private key.
func TestKey_IsProvenAgainWhenItsTokenComesBack(t *testing.T) {
	pinFile := token(t, "proof")
	public := importKey(t, "proof", "sti", "01", elliptic.P256())
	key := open(t, config("proof", "sti", pinFile))
	swapPrivate(t, "proof")
	for range 3 {
		if err := sign(key, public); !errors.Is(err, hsm.ErrKey) {
			t.Errorf("%v", err)
		}
	}
	if n := sessions(t, "proof"); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
}

// The token hangs while it is opened, here because its PIN file does, and goes on when nobody waits any more.
func TestOpen_LateSessionIsClosed(t *testing.T) {
	pinFile := token(t, "late")
	importKey(t, "late", "sti", "01", elliptic.P256())
	pipe := filepath.Join(filepath.Dir(pinFile), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := config("late", "sti", pipe)
	cfg.Deadline = time.Millisecond
	if key, err := hsm.Open(cfg); key != nil || !errors.Is(err, hsm.ErrTime) {
		t.Fatalf("%v", err)
	}
	late, err := os.OpenFile(pipe, os.O_WRONLY, 0) // returns when the PIN is asked for, and that is in an open session
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.WriteString(pin); err != nil {
		t.Fatal(err)
	}
	if err := late.Close(); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); sessions(t, "late") != 0; runtime.Gosched() {
		if time.Since(began) > patience/4 {
			t.Fatal("the session stays open")
		}
	}
}
