package stias

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// Credential is what PASSporTs are signed with. However it is printed or encoded, its key is not.
type Credential struct {
	Key   crypto.Signer // on P-256
	X5U   string        // https URL where others find Chain
	Chain *trust.Chain  // of Key; nil when it is not at hand, and then nothing about it is checked

	// Close, when there is one, is called once when nothing is signed with Key any more: another credential, or the same
	// with its key opened anew, has taken its place. From then on a key in a token may close its sessions. So no two
	// credentials that are handed over have the Close of one key. It must come back: who changes credentials waits for it.
	Close func()
}

// check refuses a credential that could only make worthless signatures for the provider with this SPC, or without one for
// whom a certificate with numbers was delegated to. Whether it is valid now is another question.
func (c Credential) check(spc string) error {
	if c.Key == nil {
		return KeyUnfit
	}
	key, ok := c.Key.Public().(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return KeyUnfit
	}
	field := identity.Header{Token: "a.b.c", Info: c.X5U}
	if _, err := field.MarshalText(); err != nil || !strings.HasPrefix(c.X5U, "https://") {
		return X5UUnfit
	}
	cert := c.certificate()
	if cert == nil {
		if spc == "" { // nobody could tell which numbers it covers
			return NotDelegated
		}
		return nil
	}
	if err := cert.CheckEndEntity(); err != nil {
		return err
	}
	if !cert.Key.Equal(key) {
		return KeyMismatch
	}
	switch {
	case spc == "" && len(cert.TNAuthList.Ranges) == 0:
		return NotDelegated
	case spc != "" && !slices.Contains(cert.TNAuthList.SPCs, spc):
		return OtherProvider
	}
	return nil
}

func (c Credential) certificate() *stircert.Certificate {
	if c.Chain == nil {
		return nil
	}
	return c.Chain.Leaf
}

// text is all that is ever printed of a Credential.
func (c Credential) text() string { return "credential at " + c.X5U }

// Format keeps the key out of every print, whatever the verb.
func (c Credential) Format(f fmt.State, _ rune) { io.WriteString(f, c.text()) } // fmt keeps no errors of its writers

// MarshalText keeps the key out of every encoding, that of log records among them.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.text()), nil }

// signing is a credential in use or in readiness. It does not change once made.
type signing struct {
	Credential
	loan    *loan
	numbers numbers // that the certificate lists
	problem error   // of the one in use, why nothing may be signed with it; of the other, why it does not sign yet
}

func newSigning(c Credential) *signing {
	var listed []tn.Range
	if cert := c.certificate(); cert != nil {
		listed = cert.TNAuthList.Ranges
	}
	return &signing{Credential: c, loan: &loan{}, numbers: newNumbers(listed)}
}

// loan keeps the key of a credential open while somebody signs with it. It is the same for a signing and all that are made
// of it.
type loan struct {
	borrowed sync.RWMutex // read-locked by each signature
	closed   bool         // guarded by borrowed
}

// borrow gives the credential that signs now, whose key stays open until giveBack.
func (s *Service) borrow() *signing {
	for {
		with := s.credentials.Load().current
		with.loan.borrowed.RLock()
		if !with.loan.closed {
			return with
		}
		with.giveBack() // another one has taken its place since it was loaded
	}
}

func (s *signing) giveBack() { s.loan.borrowed.RUnlock() }

// retire closes the key as soon as it has made its last signature.
func (s *signing) retire() {
	s.loan.borrowed.Lock()
	s.loan.closed = true
	s.loan.borrowed.Unlock()
	s.close()
}

func (c Credential) close() {
	if c.Close != nil {
		c.Close()
	}
}

// with is the same credential with another problem, or none.
func (s *signing) with(problem error) *signing {
	changed := *s
	changed.problem = problem
	return &changed
}

// lists reports whether the certificate lists a number. A URI is nobody's number.
func (s *signing) lists(id tn.Identity) bool {
	number, ok := id.Number()
	return ok && s.numbers.contain(number)
}

// checkAt says why nothing that is dated at may be signed now.
func (s *signing) checkAt(at time.Time) error {
	if s.problem != nil {
		return s.problem
	}
	if cert := s.certificate(); cert != nil {
		// RFC 8224 §6.1: the date of what is signed lies inside the validity of the credential.
		return cert.CheckTime(at)
	}
	return nil
}

// is reports whether it is the same credential, however often its files were read.
func (s *signing) is(c Credential) bool {
	if s.X5U != c.X5U || (s.Chain == nil) != (c.Chain == nil) {
		return false
	}
	if s.Chain != nil {
		return s.Chain.Leaf.Hash == c.Chain.Leaf.Hash
	}
	return s.Key.Public().(*ecdsa.PublicKey).Equal(c.Key.Public()) // check has seen that it is one
}
