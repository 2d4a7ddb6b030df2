package rfc9060_test

import (
	"encoding/pem"
	"testing"

	"github.com/viaduct-oob/viaduct/conformance/calltest"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
)

// verdict is that of a verification service on a PASSporT of somebody whose path is served at its x5u.
func verdict(t *testing.T, l *calltest.Laboratory, id *oobtest.Identity, path []byte, ppt passport.Type, claims passport.Claims) oob.Verdict {
	t.Helper()
	id.X5U = l.Serve("/delegate.pem", path)
	call := calltest.Call(calltest.Field(l.Sign(id, ppt, claims)))
	if !claims.Orig.IsZero() {
		call.Orig = claims.Orig
	}
	s := l.Service(func(cfg *stivs.Config) { cfg.Accept = []passport.Type{passport.Base} })
	return s.Verify(t.Context(), call)
}

// The path of a delegate is fetched with its certificate, and nothing of it is taken on trust.
func TestRFC9060_19_VerdictRestsOnTheWholePath(t *testing.T) {
	block, number := calltest.Numbers("12155550100-12155550199"), calltest.Numbers(calltest.Caller.String())
	outside := calltest.Numbers("12025550100")
	ca := oobtest.IssueConfig{SPC: "1234", IssuedByRoot: true, TNAuthList: block, Modify: delegate}
	plain := ca
	plain.Modify = nil
	for _, c := range []struct {
		name   string
		issuer oobtest.IssueConfig
		leaf   oobtest.IssueConfig
		cut    bool // the path is served without the delegate
		ppt    passport.Type
		claims passport.Claims
		passes bool
	}{
		{"a number of its block", ca, oobtest.IssueConfig{TNAuthList: number}, false, passport.Base, passport.Claims{}, true},
		{"the whole block", ca, oobtest.IssueConfig{TNAuthList: block}, false, passport.Base, passport.Claims{}, true},
		{"a caller beyond the certificate", ca, oobtest.IssueConfig{TNAuthList: number}, false, passport.Base, passport.Claims{Orig: calltest.Another}, false},
		{"a certificate beyond the block", ca, oobtest.IssueConfig{TNAuthList: outside}, false, passport.Base, passport.Claims{Orig: calltest.Party("12025550100")}, false},
		{"a certificate for a provider", ca, oobtest.IssueConfig{SPC: "1234"}, false, passport.Base, passport.Claims{}, false},
		{"an issuer that is no CA", plain, oobtest.IssueConfig{TNAuthList: number}, false, passport.Base, passport.Claims{}, false},
		{"a CA that signs the call itself", ca, oobtest.IssueConfig{TNAuthList: number, Modify: delegate}, false, passport.Base, passport.Claims{}, false},
		{"a path with a gap", ca, oobtest.IssueConfig{TNAuthList: number}, true, passport.Base, passport.Claims{}, false},
		{"a shaken PASSporT", ca, oobtest.IssueConfig{TNAuthList: number}, false, passport.Shaken, passport.Claims{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := calltest.Start(t)
			under := below(t, l.PKI, c.issuer)
			id, err := under.Issue(c.leaf)
			if err != nil {
				t.Fatal(err)
			}
			path := id.ChainPEM
			if c.cut {
				path = leafOf(id)
			}
			v := verdict(t, l, id, path, c.ppt, c.claims)
			if c.passes {
				calltest.Passes(t, v)
				if v.Attest != "" || v.SignerSPC != "" {
					t.Errorf("attest %q of provider %q", v.Attest, v.SignerSPC)
				}
			} else {
				calltest.Answers(t, v, 437, "Unsupported credential", oob.VerstatFailed)
			}
		})
	}
}

// leafOf is the chain of an identity without what stands above it.
func leafOf(id *oobtest.Identity) []byte {
	block, _ := pem.Decode(id.ChainPEM)
	return pem.EncodeToMemory(block)
}
