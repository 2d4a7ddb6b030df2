package stias

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// ClockMargin is how long a certificate has to have been valid before it signs, unless Config says otherwise: a
// verifier whose clock is behind would refuse it.
const ClockMargin = 5 * time.Minute

// credentials are the one that signs and the one in readiness. They do not change once made.
type credentials struct {
	current *signing
	next    *signing // nil when there is none
}

// hold reports whether a credential signs or waits, whatever its problem is now.
func (c *credentials) hold(s *signing) bool {
	return c.current.loan == s.loan || c.next != nil && c.next.loan == s.loan
}

// change puts other credentials in place, and closes the keys of those that go. The lock changing is held.
func (s *Service) change(to credentials) {
	before := s.credentials.Swap(&to)
	for _, gone := range []*signing{before.current, before.next} {
		if gone != nil && !to.hold(gone) {
			gone.retire()
		}
	}
}

// SetCredential changes to another credential without a gap: next signs once it has been valid for the margin of Config
// and Config.Served finds it at its x5u, with the whole path that it is believed by (RFC 9060 §7). Until then the one before goes on, and next waits; [Service.Reload] looks
// again. It replaces whatever waited. One with the certificate and x5u of the one that signs takes its place at once: it
// brings the key opened anew, or another chain for the same certificate.
//
// What could only make worthless signatures is refused, and what is expired or not believed: the error wraps a Refusal
// or a stircert.Problem, nothing has changed, and its key is still its owner's to close.
func (s *Service) SetCredential(ctx context.Context, next Credential) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	if err := s.offer(next); err != nil {
		return fmt.Errorf("signing credential: %w", err)
	}
	s.advance(ctx)
	return nil
}

// Check refuses what [Service.SetCredential] would refuse whatever the time and whoever is believed, and changes nothing.
func (s *Service) Check(next Credential) error {
	if err := next.check(s.cfg.SPC); err != nil {
		return fmt.Errorf("signing credential: %w", err)
	}
	return nil
}

// Reload is for SIGHUP, and for a timer once a minute or so. It reads the credential anew with Config.Load, asks Config.Judge
// whether the one that signs is still believed, and lets the next one sign if it may. An error says that what was read
// is refused, or that nothing can be signed; the owner should say it loudly. It asks the network, so it takes as long
// as ctx allows, and no signature waits for it.
func (s *Service) Reload(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	var refused error
	if s.cfg.Load != nil {
		next, err := s.cfg.Load(ctx)
		if err == nil {
			if err = s.offer(next); err != nil {
				next.close() // nobody else has it
			}
		}
		if err != nil {
			refused = fmt.Errorf("new signing credential: %w", err)
		}
	}
	s.judgeCurrent()
	s.advance(ctx)
	if err := s.credentials.Load().current.checkAt(s.cfg.Now()); err != nil {
		return errors.Join(refused, fmt.Errorf("signing credential: %w", err))
	}
	return refused
}

// offer lays a credential in readiness, or in the place of the one that signs if it is the same. The lock changing is held.
func (s *Service) offer(next Credential) error {
	if err := next.check(s.cfg.SPC); err != nil {
		return err
	}
	var problem error
	if cert := next.certificate(); cert != nil {
		problem = cert.CheckTime(s.cfg.Now())
		if problem == nil {
			problem = s.judge(next) // who judges believes nothing that is not valid yet
		}
		if problem != nil && !errors.Is(problem, stircert.NotYetValid) {
			return problem
		}
	}
	offered := newSigning(next).with(problem)
	if held := s.credentials.Load(); !held.current.is(next) {
		s.change(credentials{current: held.current, next: offered})
		return nil
	}
	s.change(credentials{current: offered}) // what waited is taken back
	return nil
}

// judge asks the owner whether a credential is believed.
func (s *Service) judge(c Credential) error {
	if s.cfg.Judge == nil || c.Chain == nil {
		return nil
	}
	if err := s.cfg.Judge(c.Chain); err != nil {
		return fmt.Errorf("%w: %w", Untrusted, err)
	}
	return nil
}

func (s *Service) judgeCurrent() {
	held := s.credentials.Load()
	s.change(credentials{current: held.current.with(s.judge(held.current.Credential)), next: held.next})
}

// advance lets the next credential sign, or notes why it cannot.
func (s *Service) advance(ctx context.Context) {
	held := s.credentials.Load()
	if held.next == nil {
		return
	}
	if err := s.unready(ctx, held.next.Credential); err != nil {
		s.change(credentials{current: held.current, next: held.next.with(err)})
		return
	}
	s.change(credentials{current: held.next.with(nil)})
}

// unready says why a credential must not sign yet.
func (s *Service) unready(ctx context.Context, c Credential) error {
	cert := c.certificate()
	if cert == nil {
		return nil
	}
	now := s.cfg.Now()
	if err := cert.CheckTime(now); err != nil {
		return err
	}
	if now.Before(cert.NotBefore.Add(s.cfg.Margin)) {
		return TooYoung
	}
	if err := s.judge(c); err != nil {
		return err
	}
	if s.cfg.Served == nil {
		return nil
	}
	served, err := s.cfg.Served(ctx, c.X5U)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", NotServed, err)
	case served.Leaf.Hash != cert.Hash:
		return fmt.Errorf("%w: it serves another one", NotServed)
	}
	if s.cfg.Judge != nil {
		if err := s.cfg.Judge(served); err != nil { // by what is at hand it was believed
			return fmt.Errorf("%w: it serves no path: %w", NotServed, err)
		}
	}
	return nil
}

// Status tells how the service stands with its credentials, for metrics and health.
type Status struct {
	Current CredentialStatus
	Next    *CredentialStatus // the one that waits; nil when there is none
}

// CredentialStatus is how one credential stands. What its certificate says is zero when that is not at hand.
type CredentialStatus struct {
	X5U                 string
	Hash                [32]byte // of the certificate
	NotBefore, NotAfter time.Time
	Err                 error // why nothing is signed with it, or not yet; nil when it signs
}

// Status looks at the credentials now.
func (s *Service) Status() Status {
	held := s.credentials.Load()
	now := s.cfg.Now()
	status := Status{Current: held.current.status(held.current.checkAt(now))}
	if held.next != nil {
		next := held.next.status(held.next.problem)
		status.Next = &next
	}
	return status
}

func (s *signing) status(err error) CredentialStatus {
	status := CredentialStatus{X5U: s.X5U, Err: err}
	if cert := s.certificate(); cert != nil {
		status.Hash, status.NotBefore, status.NotAfter = cert.Hash, cert.NotBefore, cert.NotAfter
	}
	return status
}
