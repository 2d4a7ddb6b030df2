package passport_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

func TestProblemsAreFullAndUnique(t *testing.T) {
	all := passport.Problems()
	if len(all) == 0 {
		t.Fatal("no problems")
	}
	slugs, sentences := map[string]bool{}, map[string]bool{}
	slugForm := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	sectionForm := regexp.MustCompile(`^RFC [0-9]+ §[0-9]+(\.[0-9]+)*$`)
	for _, p := range all {
		if !slugForm.MatchString(p.String()) || slugs[p.String()] {
			t.Errorf("%d: slug %q is no slug or stands twice", p, p.String())
		}
		if p.Error() == "" || sentences[p.Error()] {
			t.Errorf("%s: sentence %q is empty or stands twice", p, p.Error())
		}
		if p != passport.TooLong && !sectionForm.MatchString(p.Section()) { // TooLong is a limit of ours
			t.Errorf("%s: section %q", p, p.Section())
		}
		slugs[p.String()], sentences[p.Error()] = true, true
	}
	if none := passport.Problem(0); slugs[none.String()] || sentences[none.Error()] {
		t.Error("a problem is called like none")
	}
	if last := all[len(all)-1] + 1; last.String() != passport.Problem(0).String() {
		t.Errorf("Problems leaves out %q", last)
	}
	if passport.Problem(255).Error() == "" {
		t.Error("a problem that does not exist has no text")
	}
}

func TestDeviationsCiteASection(t *testing.T) {
	form := regexp.MustCompile(`^RFC [0-9]+ §[0-9]+(\.[0-9]+)*$`)
	ours := map[string]bool{"too-long": true, "dest-many": true}
	for code, section := range passport.DeviationSections {
		if ours[code] != (section == "") || section != "" && !form.MatchString(section) {
			t.Errorf("%s: section %q", code, section)
		}
	}
}

func TestErrorIsAskedForByItsProblem(t *testing.T) {
	_, err := passport.Parse("a")
	wrapped := fmt.Errorf("read: %w", err)
	if !errors.Is(wrapped, passport.SegmentCount) || errors.Is(wrapped, passport.Base64Form) {
		t.Errorf("errors.Is on %v", wrapped)
	}
	if passport.ProblemOf(wrapped) != passport.SegmentCount {
		t.Errorf("ProblemOf(%v) = %v", wrapped, passport.ProblemOf(wrapped))
	}
	if passport.ProblemOf(nil) != 0 || passport.ProblemOf(errors.New("another")) != 0 {
		t.Error("a problem where there is none")
	}
	if errors.Is(err, passport.Problem(0)) {
		t.Error("errors.Is finds the problem that is none")
	}
}
