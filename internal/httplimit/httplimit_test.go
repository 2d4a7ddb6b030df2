package httplimit_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/httplimit"
)

func TestPlacesAreShared(t *testing.T) {
	p := httplimit.NewPlaces[string](3, 2)
	for _, step := range []struct {
		who  string
		want bool
	}{{"a", true}, {"a", true}, {"a", false}, {"b", true}, {"b", false}, {"c", false}} {
		if got := p.Take(step.who); got != step.want {
			t.Errorf("%s: %v", step.who, got)
		}
	}
	p.Leave("a")
	if p.Taken() != 2 || !p.Take("c") || p.Take("a") {
		t.Errorf("%d", p.Taken())
	}
	if one := httplimit.NewPlaces[string](3, 0); !one.Take("a") || one.Take("a") {
		t.Error("a share is one at least")
	}
}

func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:80": "192.0.2.7/32", "[::ffff:192.0.2.7]:80": "192.0.2.7/32", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80": "fe80::/64",
	} {
		if got := httplimit.AddressOf(remote); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: %s", remote, got)
		}
	}
	if got := httplimit.AddressOf("pipe"); got.IsValid() {
		t.Errorf("%s", got)
	}
}

func TestReadBody(t *testing.T) {
	for name, c := range map[string]struct {
		body     string
		declared int64
		want     error
	}{
		"empty": {"", 0, nil}, "as long as may be": {"1234", 4, nil}, "of a length that is not said": {"1234", -1, nil},
		"of a length that is not true": {"12", 1 << 62, nil}, "too long": {"12345", 5, httplimit.ErrTooLong}, "too long, not said": {"12345", -1, httplimit.ErrTooLong},
		"shorter than declared": {"12", 3, nil}, "longer than declared": {"1234", 3, nil}, "longer than declared, too long": {"12345", 3, httplimit.ErrTooLong},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		r.ContentLength = c.declared
		w := httptest.NewRecorder()
		if err := httplimit.BodyTime(w, r, time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		body, err := httplimit.ReadBody(w, r, 4, nil)
		if !errors.Is(err, c.want) || err == nil && string(body) != c.body || err != nil && body != nil {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	broken := httptest.NewRequest(http.MethodPost, "/", failing{})
	if body, err := httplimit.ReadBody(httptest.NewRecorder(), broken, 4, nil); !errors.Is(err, httplimit.ErrBroken) || !errors.Is(err, errGone) || body != nil {
		t.Errorf("%q, %v", body, err)
	}
}

var errGone = errors.New("gone")

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errGone }
