package hsm

import (
	"path/filepath"
	"testing"
)

// CheckURI wants the zero value beside an error, and of what is accepted that it names a key, a token and paths that do
// not depend on where the program was started.
func CheckURI(t *testing.T, text string) {
	u, err := parseURI(text)
	if err != nil {
		if u.token+u.serial+u.manufacturer+u.model+u.object+u.module+u.pinFile != "" || u.id != nil || u.slot != nil {
			t.Errorf("%+v beside %v", u, err)
		}
		return
	}
	if u.object == "" && len(u.id) == 0 || u.token == "" && u.serial == "" && u.slot == nil {
		t.Errorf("%+v names no key", u)
	}
	if !filepath.IsAbs(u.module) || u.pinFile != "" && !filepath.IsAbs(u.pinFile) {
		t.Errorf("%+v depends on the folder", u)
	}
}
