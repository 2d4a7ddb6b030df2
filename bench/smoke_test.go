package main

import (
	"os"
	"strings"
	"testing"
	"time"
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

// TestSmokeMutual is TestSmoke for the form of RFC 9888, in which the client certificate proves who asks.
func TestSmokeMutual(t *testing.T) {
	p := plan{HTTP: []int{2, 1}}
	p.shrink()
	figures, err := compareMutual(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if f.Value <= 0 || f.Floor <= 0 {
			t.Errorf("%s: %v against %v", f.Name, f.Value, f.Floor)
		}
	}
	if len(figures) == 0 {
		t.Error("no figures")
	}
}

// TestSmokePush wants every record to arrive at its subscriber, though some of these are cut off all the time.
func TestSmokePush(t *testing.T) {
	p := newPushPlan()
	p.shrink()
	figures, err := measurePush(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	wantShares(t, figures)
}

// TestSmokeResident wants a small shelf to be full after the replay, and to be kept full.
func TestSmokeResident(t *testing.T) {
	p := newResidentPlan()
	p.shrink()
	figures, err := measureResident(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range figures {
		if strings.HasPrefix(f.Name, "records, ") {
			if seen++; f.Value < float64(p.Records)/2 {
				t.Errorf("%s: %v", f.Name, f.Value)
			}
		}
	}
	if seen != 2 {
		t.Errorf("the shelf was weighed %d times", seen)
	}
}

// TestSmokeMesh wants every record to arrive at every CPS, how long that may take.
func TestSmokeMesh(t *testing.T) {
	p := newMeshPlan()
	p.shrink()
	p.Within = 5 * time.Second // a test shares the machine with others
	figures, err := measureMesh(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	wantShares(t, figures)
}

// wantShares wants figures, and of those that are parts of a whole none to be missed.
func wantShares(t *testing.T, figures []figure) {
	t.Helper()
	for _, f := range figures {
		if f.Unit == "%" && f.missed() {
			t.Errorf("%s: %v", f.Name, f.Value)
		}
	}
	if len(figures) == 0 {
		t.Error("no figures")
	}
}

func TestUnknownRoleIsRefused(t *testing.T) {
	if err := play("nobody", os.Stdin, os.Stdout); err == nil {
		t.Error("a role that does not exist was played")
	}
}
