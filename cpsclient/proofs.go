package cpsclient

import (
	"errors"
	"fmt"

	tokens "github.com/viaduct-oob/viaduct/internal/proof"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
)

// proof is what an operation is proven with.
type proof uint8

const (
	byNobody proof = iota + 1 // nobody is asked who he is
	byToken                   // an access token
	byEither                  // an access token or, where the client cannot make one, its certificate in TLS (RFC 9888 §5, §6)
)

// What the forms want. In the company form the PASSporTs prove whoever publishes.
var (
	provenByToken  = map[oob.Action]proof{oob.ActionPublish: byToken, oob.ActionRetrieve: byToken}
	provenByEither = map[oob.Action]proof{
		oob.ActionPublish: byEither, oob.ActionRetrieve: byEither, oob.ActionSubscribe: byEither,
	}
	provenByReaders = map[oob.Action]proof{
		oob.ActionPublish: byNobody, oob.ActionRetrieve: byEither, oob.ActionConsume: byEither, oob.ActionSubscribe: byEither,
	}
)

// claimAgreed says in spc who has published (ATIS-1000105 §7).
func claimAgreed(a *oob.Access, _ string, k oob.Key) { a.Dest, a.Orig, a.SPC = k.Dest, k.Orig, k.SPC }

// claimMesh says in sub who asks (ATIS-1000096 §7).
func claimMesh(a *oob.Access, own string, k oob.Key) { a.Dest, a.Orig, a.Subject = k.Dest, k.Orig, own }

// claimCalled names who is called; who calls is inside the PASSporTs.
func claimCalled(a *oob.Access, _ string, k oob.Key) { a.Dest = k.Dest }

// claimCompany says in spc whose CPS it is.
func claimCompany(a *oob.Access, _ string, k oob.Key) { a.Dest, a.Orig, a.SPC = k.Dest, k.Orig, k.SPC }

// checkCredential refuses a configuration with half a credential, and tries the key.
func (cfg *Config) checkCredential() error {
	if cfg.SPC != "" && !cfg.Number.IsZero() {
		return errors.New("a client speaks for an SPC or for a number, not both")
	}
	if cfg.Certificate != nil && (len(cfg.Certificate.Certificate) == 0 || cfg.Certificate.PrivateKey == nil) {
		return errors.New("the certificate for TLS has no chain or no key")
	}
	if cfg.Certificate != nil && cfg.Key == nil && cfg.X5U == "" {
		return nil // it may have an SPC all the same: it does not need one
	}
	if cfg.issuer() == "" || cfg.Key == nil || cfg.X5U == "" {
		return errors.New("a client needs an SPC or a number, a key and an x5u, or a certificate for TLS")
	}
	if _, err := tokens.Sign(cfg.Key, cfg.X5U, []byte("{}")); err != nil {
		return fmt.Errorf("the key cannot sign access tokens: %w", err)
	}
	return nil
}

// issuer is in whose name the client speaks.
func (cfg *Config) issuer() string {
	if cfg.SPC != "" {
		return cfg.SPC
	}
	return cfg.Number.String()
}

// checkProof refuses an operation that the client cannot prove, or that its form does not have.
func (c *Client) checkProof(action oob.Action, k oob.Key) *oob.Fault {
	switch rule, signs := c.dialects[k.Profile].proofs[action], c.config.Key != nil; {
	case rule == 0:
		return oob.Faultf(oob.Malformed, "the key's profile does not know this operation")
	case rule == byToken && !signs:
		return oob.Faultf(oob.Unproven, "this form needs access tokens, and the client has no key for them")
	case rule == byToken && c.config.SPC == "":
		return oob.Faultf(oob.OutOfScope, "this form is one of providers, and the client has no SPC")
	}
	return nil
}

// access is what a token for an operation says, but for whom it is: nil where none is sent.
func (c *Client) access(action oob.Action, k oob.Key) *oob.Access {
	d := c.dialects[k.Profile]
	if d.proofs[action] == byNobody || c.config.Key == nil {
		return nil
	}
	a := oob.Access{Action: action, Issuer: c.config.issuer(), IssuedAt: c.config.Now()}
	d.claims(&a, c.config.SPC, k)
	return &a
}

// mint makes a token for one CPS; of no access, none. What it costs is the signature.
func (c *Client) mint(cps *peer, access *oob.Access) (string, *failure) {
	if access == nil {
		return "", nil
	}
	a := *access
	a.Audience = []string{cps.audience}
	a.ID = uuid.New()
	token, err := tokens.Sign(c.config.Key, c.config.X5U, atis.WriteAccess(a))
	if err != nil {
		return "", &failure{ours: true, fault: oob.Faultf(oob.Internal, "").Because(err)}
	}
	return token, nil
}
