package stipa

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

// SignersMax bounds the pinned certificates: each costs a signature verification.
const SignersMax = 16

// SignersConfig says who may sign the list of trusted STI-CAs. Who may sign it decides who is believed.
type SignersConfig struct {
	// Pinned are certificates of the STI-PA. They need no fetch, whatever the list says of its signer. Their dates do not
	// count: to pin one is the decision for as long as it is pinned (of a trust anchor RFC 5280 §6.1.1 takes name and key).
	Pinned []*x509.Certificate

	// Roots may stand behind other signers, whose chain is in x5c or at x5u. Everybody with a certificate under them may
	// sign: they must be roots of the STI-PA alone.
	Roots *x509.CertPool

	// X5UHosts ("host" or "host:port") are those from which a signer's chain is fetched, by Repository. None: from nowhere.
	X5UHosts   []string
	Repository *trust.Repository
}

// Signers are those who may sign the list. They do not change once made.
type Signers struct{ cfg SignersConfig }

// NewSigners makes Signers; there must be a pinned certificate or a root, and pinned keys must be such as ES256 uses.
func NewSigners(cfg SignersConfig) (*Signers, error) {
	switch {
	case len(cfg.Pinned) == 0 && cfg.Roots == nil:
		return nil, errors.New("nobody may sign the list: neither a certificate is pinned nor is there a root")
	case len(cfg.Pinned) > SignersMax:
		return nil, fmt.Errorf("more than %d pinned certificates", SignersMax)
	case len(cfg.X5UHosts) > 0 && (cfg.Roots == nil || cfg.Repository == nil):
		return nil, errors.New("a signer that is fetched needs a root to be judged by")
	}
	for i, cert := range cfg.Pinned {
		if es256Key(cert) == nil {
			return nil, fmt.Errorf("pinned certificate %d: its key is not on P-256, which ES256 needs", i+1)
		}
	}
	return &Signers{cfg}, nil
}

func es256Key(cert *x509.Certificate) *ecdsa.PublicKey {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil
	}
	return key
}

// Check reads a list and makes sure that it was signed by one of s, at any time: whether it is current is for the Keeper
// to say. It is the Check of a Keeper's Config. A kept list has the chain of its signer behind it, so that it can be
// judged again without a fetch.
func (s *Signers) Check(ctx context.Context, offer Offer) (*Document[*List], error) {
	var list *List
	kept, err := s.Believe(ctx, offer, func(body []byte) (*Signed, error) {
		var err error
		if list, err = Parse(body); err != nil {
			return nil, err
		}
		return list.signed, nil
	})
	if err != nil {
		return nil, err
	}
	return &Document[*List]{
		Value: list, Number: new(big.Int).SetUint64(list.Sequence), Content: list.Content(), Issued: list.Issued, Expires: list.Expires,
		Entries: len(list.Certificates), Skipped: list.Skipped.Total(), Kept: kept,
	}, nil
}

// judge verifies the signature and gives the chain that led to its key; nil for a pinned one.
func (s *Signers) judge(ctx context.Context, signed *Signed, keptPEM []byte, now time.Time) ([]*x509.Certificate, error) {
	for _, cert := range s.cfg.Pinned {
		if signed.token.Verify(es256Key(cert)) == nil {
			return nil, nil
		}
	}
	if s.cfg.Roots == nil {
		return nil, fmt.Errorf("%w with the key of a pinned certificate", WrongSignature)
	}
	chain, err := s.chain(ctx, signed, keptPEM)
	if err != nil {
		return nil, err
	}
	key := es256Key(chain[0])
	if key == nil {
		return nil, fmt.Errorf("%w: its key is not on P-256", WrongSigner)
	}
	if err := signed.token.Verify(key); err != nil {
		return nil, WrongSignature
	}
	// Under the same root stand the certificates of its servers: one of these must not decide who is believed.
	leaf := chain[0]
	if leaf.IsCA || leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0 || len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 {
		return nil, fmt.Errorf("%w: its certificate is not for signatures alone", WrongSigner)
	}
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{
		Roots: s.cfg.Roots, Intermediates: intermediates, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return nil, fmt.Errorf("%w: no path to a root now", WrongSigner) // err holds names that a stranger chose
	}
	return chain, nil
}

// chain finds the signer's certificates, the leaf first: what was kept, else x5c, else x5u.
func (s *Signers) chain(ctx context.Context, signed *Signed, keptPEM []byte) ([]*x509.Certificate, error) {
	switch {
	case len(keptPEM) > 0:
		chain, err := stircert.ParseChainPEM(keptPEM)
		if err != nil {
			return nil, fmt.Errorf("%w: kept chain: %w", Malformed, err)
		}
		return chain, nil
	case len(signed.x5c) > 0:
		return parseX5C(signed.x5c)
	case !s.mayFetch(signed.x5u):
		return nil, fmt.Errorf("%w: neither pinned, nor in x5c, nor at a host that may be asked", WrongSigner)
	}
	chain, _, err := s.cfg.Repository.Fetch(ctx, signed.x5u)
	if err != nil {
		return nil, fmt.Errorf("%w: the signer's certificate: %w", Unreachable, err)
	}
	return chain, nil
}

// parseX5C reads the chain of a header, the signer's own certificate first (RFC 7515 §4.1.6).
func parseX5C(x5c []string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for i, entry := range x5c {
		cert := parseEntry(entry)
		if cert == nil {
			return nil, fmt.Errorf("%w: x5c: entry %d is no certificate", Malformed, i+1)
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

// mayFetch says whether the host of an x5u is one of those that may be asked; all else is the Repository's to judge.
func (s *Signers) mayFetch(x5u string) bool {
	u, err := url.Parse(x5u)
	return err == nil && slices.ContainsFunc(s.cfg.X5UHosts, func(host string) bool {
		return strings.EqualFold(host, u.Hostname()) || strings.EqualFold(host, u.Host)
	})
}
