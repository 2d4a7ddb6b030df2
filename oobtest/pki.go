// Package oobtest is the test kit of out-of-band PASSporT delivery, as net/http/httptest is for HTTP: a laboratory
// with certification authorities of its own, and real parts to test against.
//
// Knows: the laboratory PKI ([PKI]) and its certificate repository ([Repository]). Never hears of: package testing,
// so that `viaduct lab` and `viaduct demo` may use it in production; real trust anchors.
//
// Nothing that is made here may be trusted outside a laboratory: its keys lie beside its certificates.
package oobtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/viaduct-oob/viaduct/stircert"
)

// Lifetimes of what a PKI issues, unless said otherwise.
const (
	authorityLifetime = 10 * 365 * 24 * time.Hour
	leafLifetime      = 90 * 24 * time.Hour
	backdating        = time.Hour // notBefore lies this far back, for clocks that are a little behind
)

// defaultBaseURL is where x5u's point before a repository is started. The domain is reserved (RFC 2606 §2).
const defaultBaseURL = "https://certs.laboratory.example"

// PKIConfig says what a laboratory PKI is made of. The zero value is a new PKI.
type PKIConfig struct {
	Name    string           // O of all subjects; default "Viaduct Laboratory"
	BaseURL string           // what x5u's begin with; default https://certs.laboratory.example, until StartRepository
	Now     func() time.Time // default time.Now

	// The authorities, to go on with a PKI that was kept on disk; each is made when nil.
	Root, Intermediate, TLSRoot *Authority
}

// PKI is a laboratory STI-CA with a root and an intermediate, the repository that serves what it issues, and a CA for
// the TLS certificates of laboratory hosts. It is safe for concurrent use.
type PKI struct {
	Root, Intermediate *Authority // sign STI certificates
	TLSRoot            *Authority // signs TLS certificates

	name string
	now  func() time.Time

	mu      sync.RWMutex
	baseURL string            // guarded by mu
	served  map[string][]byte // path → body; guarded by mu, bodies are never changed
}

// NewPKI makes the authorities that cfg does not bring along.
func NewPKI(cfg PKIConfig) (*PKI, error) {
	p := &PKI{
		Root: cfg.Root, Intermediate: cfg.Intermediate, TLSRoot: cfg.TLSRoot,
		name: cfg.Name, baseURL: strings.TrimSuffix(cfg.BaseURL, "/"), now: cfg.Now,
		served: make(map[string][]byte),
	}
	if p.name == "" {
		p.name = "Viaduct Laboratory"
	}
	if p.baseURL == "" {
		p.baseURL = defaultBaseURL
	}
	if p.now == nil {
		p.now = time.Now
	}
	if err := p.makeAuthorities(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *PKI) makeAuthorities() (err error) {
	if p.Root == nil {
		if p.Root, err = p.newAuthority("SHAKEN ROOT CA", nil); err != nil {
			return err
		}
	}
	if p.Intermediate == nil {
		if p.Intermediate, err = p.newAuthority("SHAKEN Intermediate CA", p.Root); err != nil {
			return err
		}
	}
	if p.TLSRoot == nil {
		p.TLSRoot, err = p.newAuthority("TLS Root CA", nil)
	}
	return err
}

// IssueConfig says what a certificate holds. With SPC alone it follows ATIS-1000080.v005 §6.4.1; the other fields
// deviate from that.
type IssueConfig struct {
	SPC string // the one entry of the TNAuthList, and part of the CN

	TNAuthList        stircert.TNAuthList // instead of the one SPC
	TNAuthListDER     []byte              // instead of TNAuthList: the raw value of the extension, right or wrong
	WithoutTNAuthList bool

	NotBefore, NotAfter time.Time         // default: an hour ago, and 90 days from then
	Key                 *ecdsa.PrivateKey // default: a new one
	Curve               elliptic.Curve    // of a new key; default P-256
	IssuedByRoot        bool              // the root signs, and the chain is the leaf alone

	Path   string                  // below the base URL; default /SPC-hash.pem. A path in use serves the new chain from now on
	Modify func(*x509.Certificate) // has the last word on the template
}

// Identity is an issued certificate with its key.
type Identity struct {
	SPC         string
	Certificate *stircert.Certificate
	Key         *ecdsa.PrivateKey
	ChainPEM    []byte // leaf, intermediate
	X5U         string // where the repository serves ChainPEM
}

// KeyPEM is the key in PKCS #8.
func (id *Identity) KeyPEM() ([]byte, error) { return keyPEM(id.Key) }

// TLS is the certificate with its chain and key as crypto/tls wants it, for who proves itself in the handshake (RFC 9888 §5).
func (id *Identity) TLS() tls.Certificate {
	c := tls.Certificate{PrivateKey: id.Key}
	for rest := id.ChainPEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return c
		}
		c.Certificate = append(c.Certificate, block.Bytes)
	}
}

// Issue issues a certificate and lays its chain into the repository.
func (p *PKI) Issue(cfg IssueConfig) (*Identity, error) {
	key, err := keyOrNew(cfg.Key, cfg.Curve)
	if err != nil {
		return nil, err
	}
	template, err := p.leafTemplate(cfg, key)
	if err != nil {
		return nil, err
	}
	issuer := p.Intermediate
	if cfg.IssuedByRoot {
		issuer = p.Root
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Certificate, key.Public(), issuer.Key)
	if err != nil {
		return nil, fmt.Errorf("issuing for %s: %w", cfg.SPC, err)
	}
	cert, err := stircert.Parse(der)
	if err != nil {
		return nil, fmt.Errorf("issuing for %s: %w", cfg.SPC, err)
	}
	id := &Identity{SPC: cfg.SPC, Certificate: cert, Key: key, ChainPEM: certificatePEM(der)}
	if !cfg.IssuedByRoot {
		id.ChainPEM = append(id.ChainPEM, issuer.CertificatePEM()...)
	}
	where := cfg.Path
	if where == "" {
		where = fmt.Sprintf("/%s-%x.pem", cfg.SPC, cert.Hash[:4])
	}
	id.X5U = p.Serve(where, id.ChainPEM)
	return id, nil
}

func (p *PKI) leafTemplate(cfg IssueConfig, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	template, err := p.template("SHAKEN "+cfg.SPC, key)
	if err != nil {
		return nil, err
	}
	template.NotAfter = template.NotBefore.Add(leafLifetime)
	if !cfg.NotBefore.IsZero() {
		template.NotBefore = cfg.NotBefore
	}
	if !cfg.NotAfter.IsZero() {
		template.NotAfter = cfg.NotAfter
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.Policies = []x509.OID{shakenPolicy}
	if !cfg.WithoutTNAuthList {
		extension, err := cfg.tnAuthList()
		if err != nil {
			return nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, extension)
	}
	if cfg.Modify != nil {
		cfg.Modify(template)
	}
	return template, nil
}

func (cfg IssueConfig) tnAuthList() (pkix.Extension, error) {
	if cfg.TNAuthListDER != nil {
		return pkix.Extension{Id: oidTNAuthList, Value: cfg.TNAuthListDER}, nil
	}
	if cfg.TNAuthList.Empty() {
		return stircert.TNAuthList{SPCs: []string{cfg.SPC}}.Extension()
	}
	return cfg.TNAuthList.Extension()
}

// template is what all certificates have in common: a random serial of 127 bits, the key's SHA-1 as its identifier.
func (p *PKI) template(cn string, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	keyID := sha1.Sum(public)
	notBefore := p.now().Add(-backdating)
	return &x509.Certificate{
		SerialNumber:          serial.SetBit(serial, 126, 1),
		Subject:               pkix.Name{CommonName: cn, Organization: []string{p.name}, Country: []string{"US"}},
		NotBefore:             notBefore,
		NotAfter:              notBefore.Add(authorityLifetime),
		BasicConstraintsValid: true,
		SubjectKeyId:          keyID[:],
	}, nil
}

// Serve lets the repository answer requests for a path with a body, whatever it is, and gives the URL. It replaces
// what was served there before.
func (p *PKI) Serve(urlPath string, body []byte) string {
	urlPath = path.Clean("/" + urlPath)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served[urlPath] = body
	return p.baseURL + urlPath
}

// Handler is the certificate repository: every issued chain at the path of its x5u.
func (p *PKI) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.RLock()
		body, found := p.served[r.URL.Path]
		p.mu.RUnlock()
		if !found {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/pem-certificate-chain")
		w.Header().Set("Cache-Control", "max-age=86400")
		w.Write(body) // a client that hangs up is no concern of a laboratory
	})
}

// RootPEM is the trust anchor of all that the PKI issues.
func (p *PKI) RootPEM() []byte { return p.Root.CertificatePEM() }

// TLSRootPEM is the trust anchor of laboratory TLS hosts.
func (p *PKI) TLSRootPEM() []byte { return p.TLSRoot.CertificatePEM() }

// Below gives a PKI that issues with a certificate which p issues as cfg says: with Modify it is that of a CA, and with a
// TNAuthList that of a delegate (RFC 9060). Roots and clock are those of p.
func (p *PKI) Below(cfg IssueConfig) (*PKI, error) {
	id, err := p.Issue(cfg)
	if err != nil {
		return nil, err
	}
	return NewPKI(PKIConfig{
		Name: p.name, Now: p.now, Root: p.Root, TLSRoot: p.TLSRoot,
		Intermediate: &Authority{Certificate: id.Certificate.X509(), Key: id.Key},
	})
}
