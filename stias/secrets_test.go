package stias_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stias"
)

// However a configuration comes into a log, its secrets do not.
func TestConfig_PrintsNoSecret(t *testing.T) {
	id := credential(t, oobtest.IssueConfig{SPC: "1234"})
	cfg := config(t, id)
	cfg.OrigIDSecret = []byte("sixteen letters!")
	s := service(t, cfg)
	scalar, err := id.Key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		fmt.Sprintf("%x", scalar), fmt.Sprintf("%X", scalar), new(big.Int).SetBytes(scalar).String(), base64.StdEncoding.EncodeToString(scalar),
		fmt.Sprint(scalar[:8])[1:20], "sixteen", "115 105 120", "c2l4dGVlb", fmt.Sprintf("%x", "sixteen"), "12155550100",
	}
	check := func(how, text string) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows a secret: %s", how, text)
			}
		}
		if !strings.Contains(text, id.X5U) {
			t.Errorf("%s does not say which credential: %s", how, text)
		}
	}
	for name, value := range map[string]any{
		"Credential": cfg.Credential, "*Credential": &cfg.Credential, "Config": cfg, "*Config": &cfg, "*Service": s,
		"slice": []stias.Credential{cfg.Credential}, "field": struct{ C stias.Config }{cfg},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			check(verb+" of "+name, fmt.Sprintf(verb, value))
		}
		if name == "*Service" {
			continue // has nothing to encode
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Error(err)
		}
		check("JSON of "+name, string(text))
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("start", "value", value)
		check("log of "+name, log.String())
	}
}

func TestRefusals_SaySomethingOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range stias.Refusals() {
		if text := r.Error(); text == "" || seen[text] {
			t.Errorf("refusal %d: %q", r, text)
		}
		seen[r.Error()] = true
	}
	if text := stias.Refusal(0).Error(); text != "unknown refusal" {
		t.Errorf("%q", text)
	}
}
