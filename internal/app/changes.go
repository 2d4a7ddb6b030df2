package app

import (
	"reflect"
)

// changedKeys lists the keys that differ between two configurations and that a reload does not take over.
func changedKeys(was, is Config) []string {
	// What a reload has taken over, or reads anew although its name is the same.
	was.CPS.TLS, is.CPS.TLS = TLSConfig{}, TLSConfig{}
	for _, c := range []*Config{&was, &is} {
		c.Trunks, c.Numbers, c.Credentials = nil, NumbersConfig{}, nil
		c.Cluster.TLS = ClusterTLSConfig{Roots: c.Cluster.TLS.Roots}
		c.API.TLS, c.API.Clients, c.API.Base, c.API.KeyInQuery = TLSConfig{}, nil, "", false
		c.Peers = PeersConfig{Warm: c.Peers.Warm}
		c.Verification = VerificationConfig{Freshness: c.Verification.Freshness, Transfer: c.Verification.Transfer}
		c.Signing = SigningConfig{SPC: c.Signing.SPC, Margin: c.Signing.Margin, OrigIDSecret: c.Signing.OrigIDSecret, FreshDiversions: c.Signing.FreshDiversions}
	}
	was.Trust.forgetReloaded()
	is.Trust.forgetReloaded()
	return differences(reflect.ValueOf(was), reflect.ValueOf(is), "")
}

func (t *TrustConfig) forgetReloaded() {
	t.Anchors, t.Numbers = nil, ""
	if t.List.Source.given() {
		t.List.Signers, t.List.Roots = nil, nil
	}
	if t.Revocation.Source.given() {
		t.Revocation.Signers = nil
	}
}

func differences(was, is reflect.Value, prefix string) []string {
	var keys []string
	for i := range was.NumField() {
		key := prefix + was.Type().Field(i).Tag.Get("yaml")
		switch a, b := was.Field(i), is.Field(i); {
		case a.Kind() == reflect.Struct:
			keys = append(keys, differences(a, b, key+".")...)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			keys = append(keys, key)
		}
	}
	return keys
}
