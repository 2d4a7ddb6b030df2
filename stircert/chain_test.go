package stircert_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
)

func laboratory(t testing.TB) (leaf, intermediate, root []byte) {
	t.Helper()
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(id.ChainPEM)
	return pem.EncodeToMemory(block), pki.Intermediate.CertificatePEM(), pki.RootPEM()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestCore_S4_4_LeafIsFoundInWhateverOrder(t *testing.T) {
	leaf, intermediate, root := laboratory(t)
	der, _ := pem.Decode(leaf)
	junk := []byte("subject=/CN=SHAKEN 1234\r\n-----BEGIN NOTHING\r\n")
	for _, c := range []struct {
		name   string
		body   []byte
		others int
	}{
		{"leaf alone", leaf, 0},
		{"leaf in DER", der.Bytes, 0},
		{"leaf, intermediate, root", join(leaf, intermediate, root), 2},
		{"root, intermediate, leaf", join(root, intermediate, leaf), 2},
		{"intermediate, leaf", join(intermediate, leaf), 1},
		{"leaf twice", join(leaf, leaf), 1},
		{"text before, between and after", join(junk, leaf, junk, intermediate, junk), 1},
		{"byte order mark", join([]byte("\ufeff"), leaf, intermediate), 1},
		{"CR LF", bytes.ReplaceAll(join(leaf, intermediate), []byte("\n"), []byte("\r\n")), 1},
		{"a block of another kind", join([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), leaf), 0},
		{"eight certificates", join(root, intermediate, root, intermediate, root, intermediate, root, leaf), 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := stircert.ParseChainPEM(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(chain[0].Raw, der.Bytes) || len(chain) != 1+c.others {
				t.Errorf("got %d certificates, first %v", len(chain), chain[0].Subject)
			}
		})
	}
}

func TestParseChainPEM_OfCAsAloneTheLowestIsTheLeaf(t *testing.T) {
	_, intermediate, root := laboratory(t)
	chain, err := stircert.ParseChainPEM(join(root, intermediate))
	if err != nil {
		t.Fatal(err)
	}
	if err := stircert.Of(chain[0]).CheckEndEntity(); !errors.Is(err, stircert.IsCA) {
		t.Errorf("end entity: %v", err)
	}
	if bytes.Equal(chain[0].RawSubject, chain[0].RawIssuer) {
		t.Error("the root is taken for the leaf")
	}
}

func TestParseChainPEM_Refused(t *testing.T) {
	leaf, intermediate, _ := laboratory(t)
	der, _ := pem.Decode(leaf)
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der.Bytes[:len(der.Bytes)-1]})
	for _, c := range []struct {
		name string
		body []byte
		want stircert.Problem
	}{
		{"nothing", nil, stircert.NotChain},
		{"a page", []byte("<html><body>404</body></html>"), stircert.NotChain},
		{"a key", []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), stircert.NotChain},
		{"PEM without an end", leaf[:len(leaf)-10], stircert.NotChain},
		{"nine certificates", bytes.Repeat(leaf, 9), stircert.NotChain},
		{"64 KiB and one byte", join(leaf, bytes.Repeat([]byte(" "), 64<<10+1-len(leaf))), stircert.NotChain},
		{"DER cut short", der.Bytes[:100], stircert.NotCertificate},
		{"DER with a byte more", append(bytes.Clone(der.Bytes), 0), stircert.NotCertificate},
		{"a broken leaf", broken, stircert.NotCertificate},
		{"a broken certificate beside the leaf", join(leaf, intermediate, broken), stircert.NotCertificate},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, err := stircert.ParseChainPEM(c.body)
			if !errors.Is(err, c.want) || chain != nil {
				t.Errorf("got %d certificates, %v; want %v", len(chain), err, c.want)
			}
		})
	}
	atLimit := join(leaf, bytes.Repeat([]byte(" "), 64<<10-len(leaf)))
	if _, err := stircert.ParseChainPEM(atLimit); err != nil {
		t.Errorf("64 KiB: %v", err)
	}
}

func TestDescribe_SaysWhatAPersonNeeds(t *testing.T) {
	leaf, _, _ := laboratory(t)
	block, _ := pem.Decode(leaf)
	cert, err := stircert.Parse(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, field := range stircert.Describe(cert) {
		lines = append(lines, field.Name+": "+field.Value)
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"subject: CN=SHAKEN 1234,O=Viaduct Laboratory,C=US", "spc: 1234", "key: P-256", "signed with: ECDSA-SHA256",
		"policy: 2.16.840.1.114569.1.1.4", "deviation: there is no CRL distribution point",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if n := strings.Count(text, "deviation: "); n != 1 || strings.Contains(text, "unusable: ") {
		t.Errorf("%d deviations, want 1:\n%s", n, text)
	}
}

func TestProblems_EachHasAnOwnNameAndSentence(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range append(stircert.Problems(), 0) {
		if p.Name() == "" || p.Error() == "" || seen[p.Name()] || seen[p.Error()] {
			t.Errorf("problem %d: %q, %q", p, p.Name(), p.Error())
		}
		seen[p.Name()], seen[p.Error()] = true, true
	}
}

// FuzzParseChainPEM: an error is a NotChain or NotCertificate without certificates; what is read is within the limits,
// and describing and checking the leaf does not fail.
func FuzzParseChainPEM(f *testing.F) {
	leaf, intermediate, root := laboratory(f)
	der, _ := pem.Decode(leaf)
	for _, seed := range []struct {
		body []byte
		good bool
	}{{leaf, true}, {join(leaf, intermediate, root), true}, {der.Bytes, true}, {[]byte("x"), false}, {[]byte{0x30, 0x80}, false}} {
		if _, err := stircert.ParseChainPEM(seed.body); (err == nil) != seed.good {
			f.Errorf("seed of %d bytes: %v", len(seed.body), err)
		}
		f.Add(seed.body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		chain, err := stircert.ParseChainPEM(body)
		if err != nil {
			if !errors.Is(err, stircert.NotChain) && !errors.Is(err, stircert.NotCertificate) || chain != nil {
				t.Fatalf("%d certificates, %v", len(chain), err)
			}
			return
		}
		if len(chain) == 0 || len(chain) > stircert.ChainCertificatesMax {
			t.Fatalf("%d certificates", len(chain))
		}
		cert := stircert.Of(chain[0])
		if cert.CheckEndEntity() == nil && (cert.Key == nil || cert.TNAuthList.Empty() || cert.X509().KeyUsage&x509.KeyUsageDigitalSignature == 0) {
			t.Fatal("a certificate without key, authority or usage passes as an end entity")
		}
		if len(stircert.Describe(cert)) == 0 {
			t.Fatal("nothing to say")
		}
	})
}
