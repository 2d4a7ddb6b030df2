package oob_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
)

// TestFaults_EveryRowIsFullAndUnique: one row per kind; a status that a peer may see, and a way back from it.
func TestFaults_EveryRowIsFullAndUnique(t *testing.T) {
	sip := []int{0, 403, 428, 436, 437, 438} // RFC 8224 §6.2.2
	titles := map[string]oob.Kind{}
	for _, k := range oob.Kinds() {
		row := k.Row()
		if row.Slug == "" || row.Title == "" || row.Section == "" {
			t.Errorf("kind %d: a row has a gap: %+v", k, row)
		}
		if row.Slug != strings.ToLower(row.Slug) || strings.ContainsAny(row.Slug, " _") {
			t.Errorf("%s: a slug is lower case with hyphens", row.Slug)
		}
		if row.HTTP < 400 || row.HTTP > 599 || !slices.Contains(sip, row.SIP) {
			t.Errorf("%s: HTTP %d, SIP %d", row.Slug, row.HTTP, row.SIP)
		}
		if back, ok := oob.KindOfSlug(row.Slug); !ok || back != k {
			t.Errorf("%s does not lead back to its kind: slugs must be unique", row.Slug)
		}
		if other, taken := titles[row.Title]; taken && other.Row().HTTP != row.HTTP {
			t.Errorf("%s and %s have one title and two statuses", row.Slug, other)
		}
		titles[row.Title] = k
		if k.String() != row.Slug || k.Error() != row.Title {
			t.Errorf("%s: its texts are not those of its row", row.Slug)
		}
	}
	if _, ok := oob.KindOfSlug("no such slug"); ok {
		t.Error("an unknown slug has a kind")
	}
	if got := oob.Kind(255).Row(); got != oob.Internal.Row() {
		t.Errorf("an unknown kind is %+v, want that of Internal", got)
	}
}

// TestFault_IsAskedForByKind: a fault survives wrapping; what is no fault is Internal and tells the peer nothing.
func TestFault_IsAskedForByKind(t *testing.T) {
	cause := errors.New("cause")
	wrapped := fmt.Errorf("publish: %w", oob.Faultf(oob.PassportStale, "iat is %d s old", 61).Because(cause).After(time.Second))
	if !errors.Is(wrapped, oob.PassportStale) || errors.Is(wrapped, oob.Malformed) || !errors.Is(wrapped, cause) {
		t.Error("errors.Is does not see kind and cause")
	}
	f := oob.FaultOf(wrapped)
	if f.Detail != "iat is 61 s old" || f.RetryAfter != time.Second {
		t.Errorf("got %+v", f)
	}
	if want := "passport-stale: iat is 61 s old: cause"; f.Error() != want {
		t.Errorf("text %q, want %q", f.Error(), want)
	}
	if f := oob.FaultOf(cause); f.Kind != oob.Internal || f.Detail != "" || !errors.Is(f, cause) {
		t.Errorf("an error that is no fault: %+v", f)
	}
	if oob.FaultOf(nil) != nil {
		t.Error("nil is a fault")
	}
}

// TestRFC8224_S6_2_FreshnessIsTwoSided: both ends of the window belong to it.
func TestRFC8224_S6_2_FreshnessIsTwoSided(t *testing.T) {
	window := oob.Freshness{Past: 60 * time.Second, Future: 5 * time.Second}
	now := time.Unix(1_795_316_200, 0)
	for _, c := range []struct {
		age  time.Duration
		want string
	}{
		{0, ""},
		{59 * time.Second, ""},
		{60 * time.Second, ""},
		{60*time.Second + time.Nanosecond, "60 s old, at most 60 s allowed"},
		{61 * time.Second, "61 s old, at most 60 s allowed"},
		{90 * time.Second, "90 s old, at most 60 s allowed"},
		{-5 * time.Second, ""},
		{-6 * time.Second, "6 s in the future, at most 5 s allowed"},
		{-90 * time.Second, "90 s in the future, at most 5 s allowed"},
	} {
		err := window.Check(now.Add(-c.age), now)
		if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
			t.Errorf("age %s: got %v, want %q", c.age, err, c.want)
		}
	}
	if got := (oob.Freshness{}).Or(window); got != window {
		t.Errorf("the zero window gives %v", got)
	}
	if other := (oob.Freshness{Past: time.Second}); other.Or(window) != other {
		t.Error("a window that is set is replaced")
	}
}

// TestProfiles_EveryRowIsFull: names lead back, and defaults keep their own bounds.
func TestProfiles_EveryRowIsFull(t *testing.T) {
	for _, p := range oob.Profiles() {
		row := p.Row()
		if row.Name == "" || row.Document == "" || row.Patience <= 0 {
			t.Errorf("profile %d: a row has a gap: %+v", p, row)
		}
		if row.Retention < row.RetentionMin || row.Retention > row.RetentionMax || row.RetentionMax > time.Minute {
			t.Errorf("%s: retention %s is not between %s and %s, or beyond a minute", p, row.Retention, row.RetentionMin, row.RetentionMax)
		}
		if back, ok := oob.ProfileNamed(row.Name); !ok || back != p {
			t.Errorf("%s does not lead back to its profile", row.Name)
		}
	}
	var none oob.Profile
	if none.Row() != (oob.Row{}) || oob.Profile(255).Row() != (oob.Row{}) {
		t.Error("no profile has a row")
	}
	if _, ok := oob.ProfileNamed(""); ok {
		t.Error("the empty name is a profile")
	}
}
