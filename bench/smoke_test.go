package main

import (
	"os"
	"testing"
)

// TestMain lets this test's own program be started as a server, as startProcess does.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		exit(play(role, os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// TestSmoke measures nothing: every request of a short run has to be answered as it should, by both servers, in both
// versions of HTTP. A request that is not is an error of compare.
func TestSmoke(t *testing.T) {
	for name, http1 := range map[string]bool{"HTTP/2": false, "HTTP/1.1": true} {
		t.Run(name, func(t *testing.T) {
			p := plan{Connections: 2, HTTP1: http1, Operations: []string{publish, retrieve}}
			p.shrink()
			figures, err := compare(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range figures {
				if f.Unit == "requests/s" && (f.Value <= 0 || f.Floor <= 0) {
					t.Errorf("%s: %v against %v", f.Name, f.Value, f.Floor)
				}
			}
		})
	}
}

func TestUnknownRoleIsRefused(t *testing.T) {
	if err := play("nobody", os.Stdin, os.Stdout); err == nil {
		t.Error("a role that does not exist was played")
	}
}
