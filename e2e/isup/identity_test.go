package isup_test

import (
	"os/exec"
	"strings"
	"testing"
)

// identityOf is the value of an Identity header field for a call over a trunk, signed by the provider at the near end.
func identityOf(t testing.TB, v variant, from string) string {
	t.Helper()
	sharedElements(t)
	out, err := exec.Command(viaduct, "passport", "sign", "--lab", shared.lab.dir, "--spc", providers[0], "--header",
		"--orig", strings.TrimPrefix(from, "+"), "--dest", strings.TrimPrefix(called[v], "+")).Output()
	check(t, err)
	return strings.TrimSpace(string(out))
}

// swapped is a token whose signature is another's: two characters of it have changed places.
func swapped(t testing.TB, value string) string {
	t.Helper()
	token, rest, found := strings.Cut(value, ";")
	if !found || len(token) < 40 {
		t.Fatalf("no Identity: %q", value)
	}
	signature := []byte(token)
	for i := len(signature) - 20; i > 0; i-- { // inside it, where every bit counts
		if signature[i] != signature[i-1] {
			signature[i], signature[i-1] = signature[i-1], signature[i]
			break
		}
	}
	return string(signature) + ";" + rest
}
