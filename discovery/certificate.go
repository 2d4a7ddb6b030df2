package discovery

import (
	"context"
	"sync"

	"github.com/viaduct-oob/viaduct/stircert"
)

// certificatesMax bounds how many certificates are remembered with their CPSs: to read one anew takes longer than all the
// rest of a look-up.
const certificatesMax = 4096

// Certificate is the Source that reads the CPS out of the certificate in the question: that of the caller, or our own when
// we publish (draft-sliwa-stir-cert-cps-ext-02). It answers for the calling side alone, since the certificate is that of the
// caller. Whether the certificate is believed is for whoever asks to know before. It is safe for concurrent use.
type Certificate struct {
	form stircert.CPSForm

	mu   sync.Mutex
	read map[[32]byte][]string // guarded by mu
}

// NewCertificate makes the source; the form says in which extension the CPS stands.
func NewCertificate(form stircert.CPSForm) (*Certificate, error) {
	if err := form.Check(); err != nil {
		return nil, err
	}
	return &Certificate{form: form, read: make(map[[32]byte][]string)}, nil
}

// Name implements [Source].
func (c *Certificate) Name() string { return "certificate" }

var (
	errNoCertificate = Nothing("no certificate is in the question")
	errNotInOne      = Nothing("the certificate names no CPS")
	errOtherNumber   = Nothing("the certificate is for other numbers")
)

// Find implements [Source]. It does not wait.
func (c *Certificate) Find(_ context.Context, q Question) (Finding, error) {
	cert := q.Certificate
	if cert == nil || q.Side != Orig {
		return Finding{}, errNoCertificate
	}
	resource, covered := resourceIn(cert.TNAuthList, q)
	if !covered {
		return Finding{}, errOtherNumber
	}
	urls := c.urls(cert)
	if len(urls) == 0 {
		return Finding{}, errNotInOne
	}
	finding := Finding{URLs: urls, Resource: resource, Issued: cert.NotBefore, Expires: cert.NotAfter}
	if len(cert.TNAuthList.SPCs) > 0 {
		finding.Signer = cert.TNAuthList.SPCs[0]
	}
	return finding, nil
}

// resourceIn gives the entry of a list for which a certificate speaks. A provider code speaks for a number when the
// question says that the provider holds it, or does not know who does.
func resourceIn(list stircert.TNAuthList, q Question) (stircert.Resource, bool) {
	for _, numbers := range list.Ranges {
		if numbers.Contains(q.Number) {
			return stircert.ResourceOf(numbers), true
		}
	}
	spc := q.SPC
	if spc == "" && len(list.SPCs) > 0 {
		spc = list.SPCs[0]
	}
	if !list.HasSPC(spc) {
		return stircert.Resource{}, false
	}
	resource, err := stircert.ResourceOfSPC(spc)
	return resource, err == nil
}

func (c *Certificate) urls(cert *stircert.Certificate) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	urls, known := c.read[cert.Hash]
	if known {
		return urls
	}
	uris, _ := c.form.URIs(cert) // of what is malformed there are none
	for _, uri := range uris {
		url, err := BaseURL(uri)
		if err != nil && c.form.Strict {
			urls = nil
			break
		}
		if err == nil && len(urls) < URLsMax {
			urls = append(urls, url)
		}
	}
	if len(c.read) >= certificatesMax {
		clear(c.read)
	}
	c.read[cert.Hash] = urls
	return urls
}
