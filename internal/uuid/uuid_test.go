package uuid_test

import (
	"regexp"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/uuid"
)

func TestRFC9562_S5_4_VersionAndVariant(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := uuid.New()
		if !form.MatchString(id) {
			t.Fatalf("%q is no UUID of version 4", id)
		}
		if seen[id] {
			t.Fatalf("%q twice", id)
		}
		seen[id] = true
	}
}

func TestRFC9562_S4_TextForm(t *testing.T) {
	for _, c := range []struct {
		text         string
		is, version4 bool
	}{
		{"123e4567-e89b-42d3-a456-426655440000", true, true},
		{"123E4567-E89B-42D3-B456-426655440000", true, true},
		{"123e4567-e89b-12d3-a456-426655440000", true, false}, // version 1
		{"123e4567-e89b-42d3-c456-426655440000", true, false}, // another variant
		{"00000000-0000-0000-0000-000000000000", true, false},
		{"123e4567-e89b-42d3-a456-42665544000", false, false},
		{"123e4567-e89b-42d3-a456-4266554400000", false, false},
		{"123e4567-e89b-42d3-a456-42665544000g", false, false},
		{"123e4567ee89b-42d3-a456-426655440000", false, false},
		{"123e4567-e89b-\x142d3-a456-42665544000", false, false},
		{"", false, false},
	} {
		if got := uuid.Is(c.text); got != c.is {
			t.Errorf("%q: Is %v", c.text, got)
		}
		if got := uuid.IsVersion4(c.text); got != c.version4 {
			t.Errorf("%q: IsVersion4 %v", c.text, got)
		}
	}
}
