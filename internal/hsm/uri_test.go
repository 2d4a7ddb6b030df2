package hsm_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/hsm"
)

func TestRFC7512_S2_3_WhatIsNoURIOfAKeyIsRefused(t *testing.T) {
	const module = "module-path=/nowhere/module.so"
	for _, c := range []struct{ name, uri, want string }{
		{"a file name", "key.pem", "pkcs11:"},
		{"nothing", "", "pkcs11:"},
		{"no key", "pkcs11:token=sti?" + module, "object or id"},
		{"no token", "pkcs11:object=signing?" + module, "token, serial or slot-id"},
		{"no module", "pkcs11:token=sti;object=signing", "module-path"},
		{"module that is searched for", "pkcs11:token=sti;object=signing?module-path=module.so", "absolute"},
		{"attribute twice", "pkcs11:token=sti;object=a;object=b?" + module, "twice"},
		{"attribute without value", "pkcs11:token=sti;object?" + module, "no value"},
		{"unknown attribute", "pkcs11:token=sti;object=a;library-version=1?" + module, "not known"},
		{"unknown query attribute", "pkcs11:token=sti;object=a?module-name=x&" + module, "not known"},
		{"public key", "pkcs11:token=sti;object=a;type=public?" + module, "private"},
		{"bad slot", "pkcs11:slot-id=one;object=a?" + module, "slot-id"},
		{"bad escape", "pkcs11:token=sti;object=%zz?" + module, "percent"},
		{"PIN in the URI", "pkcs11:token=sti;object=a?pin-value=973512&" + module, "does not belong there"},
		{"PIN from a program", "pkcs11:token=sti;object=a?pin-source=%7Cprogram-973512&" + module, "pin-source"},
		{"endless", "pkcs11:token=sti;object=" + strings.Repeat("a", 5000) + "?" + module, "at most"},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := hsm.Open(hsm.Config{URI: c.uri})
			if key != nil || !errors.Is(err, hsm.ErrURI) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "973512") {
				t.Errorf("%v, want a word of %q", err, c.want)
			}
		})
	}
}

func TestIsURI(t *testing.T) {
	for text, want := range map[string]bool{"pkcs11:": true, "PKCS11:token=a": true, "key.pem": false, "pkcs11.pem": false, "": false} {
		if hsm.IsURI(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

// Every way of naming a key comes past the URI, and fails at the module that is not there, or at the build.
func TestOpen_WithoutAModule(t *testing.T) {
	module := filepath.Join(t.TempDir(), "module.so")
	if err := os.WriteFile(module, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"token=sti;object=a", "token=two%20words;id=%01%ff;type=private", "serial=1;object=a;manufacturer=m;model=x", "slot-id=3;object=a",
	} {
		for _, query := range []string{"", "&pin-source=file:/nowhere/pin", "&pin-source=file:///nowhere/pin", "&pin-source=/nowhere/pin"} {
			key, err := hsm.Open(hsm.Config{URI: "pkcs11:" + path + "?module-path=" + module + query})
			if key != nil || !errors.Is(err, hsm.ErrModule) && !errors.Is(err, hsm.ErrBuild) {
				t.Errorf("%s, %s: %v", path, query, err)
			}
		}
	}
}

func FuzzURI(f *testing.F) {
	f.Add("pkcs11:token=sti;object=a;id=%01?module-path=/nowhere/module.so&pin-source=file:/nowhere/pin")
	f.Add("pkcs11:slot-id=1;serial=2;manufacturer=3;model=4;object=5?module-path=/nowhere/module.so")
	f.Add("pkcs11:object=a;object=b")
	f.Fuzz(func(t *testing.T, text string) {
		hsm.CheckURI(t, text)
	})
}
