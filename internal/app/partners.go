package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"

	"github.com/viaduct-oob/viaduct/cpsclient"
	"github.com/viaduct-oob/viaduct/stias"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/tn"
)

// partner is as whom CPSs are asked.
type partner struct {
	spc        string
	number     tn.Number // of a delegate without SPC
	credential stias.Credential
	signer     *stias.Service // nil for ourselves
}

// client is how a partner proves itself.
func (p *partner) client(certificate bool) cpsclient.Config {
	config := cpsclient.Config{SPC: p.spc, Number: p.number}
	if certificate {
		config.Certificate = &tls.Certificate{Certificate: p.credential.Chain.DER(), PrivateKey: p.credential.Key}
		return config
	}
	config.Key, config.X5U = p.credential.Key, p.credential.X5U
	return config
}

// makePartners opens the credentials of those on whose behalf calls are handled.
func (r *switchRole) makePartners(file *configFile, p *switchPlan) (_ map[string]*partner, err error) {
	all := map[string]*partner{"": {spc: string(file.Signing.SPC), credential: r.credential}}
	defer func() {
		if err != nil {
			(&equipment{partners: all}).close()
		}
	}()
	for _, c := range file.Credentials {
		who := &partner{spc: string(c.SPC)}
		if who.credential, err = c.credential(); err != nil {
			return nil, fmt.Errorf("credentials %s: %w", c.Name, err)
		}
		all[c.Name] = who
		if who.spc == "" {
			if who.number, err = firstNumber(who.credential.Chain.Leaf.TNAuthList); err != nil {
				return nil, fmt.Errorf("credentials %s: %w", c.Name, err)
			}
		}
		config := r.signing(file.Signing, p)
		config.SPC, config.Credential, config.Policy = who.spc, who.credential, policyForOthers(config.Policy)
		if who.signer, err = stias.New(config); err != nil {
			return nil, fmt.Errorf("credentials %s: %w", c.Name, err)
		}
	}
	return all, nil
}

// policyForOthers leaves of our policy the rows that name trunks: our own numbers and customers are not those of the provider on
// whose behalf a call is signed, and it has no authority over them.
func policyForOthers(p stias.Policy) stias.Policy {
	p.Own, p.Customers = nil, nil
	p.Rows = slices.DeleteFunc(slices.Clone(p.Rows), func(row stias.Row) bool { return len(row.Trunks) == 0 })
	return p
}

// credential is that of a provider for whom calls are handled.
func (c CredentialConfig) credential() (stias.Credential, error) {
	return SigningConfig{Key: c.Key, Certificate: c.Certificate, X5U: c.X5U}.credential()
}

func firstNumber(list stircert.TNAuthList) (tn.Number, error) {
	if len(list.Ranges) == 0 {
		return tn.Number{}, errors.New("without an spc the certificate has to list numbers")
	}
	return list.Ranges[0].Start(), nil
}
