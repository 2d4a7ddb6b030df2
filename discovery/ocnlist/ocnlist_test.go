package ocnlist_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/discovery/ocnlist"
	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

var _ discovery.Source = (*ocnlist.Source)(nil)

// laboratory is an STI-PA whose list lies in a file.
type laboratory struct {
	t       testing.TB
	pki     *oobtest.PKI
	pa      *oobtest.PolicyAdministrator
	path    string
	signers *stipa.Signers
	now     time.Time
}

func newLaboratory(t testing.TB) *laboratory {
	t.Helper()
	l := &laboratory{t: t, path: filepath.Join(t.TempDir(), "ocn.jwt"), now: time.Now().Truncate(time.Second)}
	var err error
	if l.pki, err = oobtest.NewPKI(oobtest.PKIConfig{}); err != nil {
		t.Fatal(err)
	}
	if l.pa, err = l.pki.NewPolicyAdministrator(); err != nil {
		t.Fatal(err)
	}
	if l.signers, err = stipa.NewSigners(stipa.SignersConfig{Pinned: []*x509.Certificate{l.pa.Signer.Certificate}}); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *laboratory) sign(sequence uint64, cpss map[string]string) string {
	l.t.Helper()
	text, err := ocnlist.Sign(l.pa.Signer.Key, "https://sti-pa.example/a.crt", sequence, l.now.Add(24*time.Hour), cpss)
	if err != nil {
		l.t.Fatal(err)
	}
	return text
}

func (l *laboratory) write(text string) {
	l.t.Helper()
	if err := os.WriteFile(l.path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *laboratory) source() *ocnlist.Source {
	l.t.Helper()
	s, err := ocnlist.New(ocnlist.Config{Signers: l.signers, Keep: stipa.Config[*ocnlist.List]{
		Source: stipa.Source{File: l.path}, Directory: filepath.Join(filepath.Dir(l.path), "kept"),
	}})
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func finds(t testing.TB, s *ocnlist.Source, spc string) string {
	t.Helper()
	found, err := s.Find(t.Context(), discovery.Question{SPC: spc})
	if err != nil {
		return fmt.Sprint(oob.FaultOf(err).Kind)
	}
	return found.URLs[0] + " " + found.Resource.String()
}

func TestSource_FindsByProviderCode(t *testing.T) {
	l := newLaboratory(t)
	l.write(l.sign(1, map[string]string{"567A": "https://cps.example.net/", "1234": "https://cps.example.net/"}) + "\n")
	s := l.source()
	for spc, want := range map[string]string{
		"567A": "https://cps.example.net 0-567A", "567a": "Not Found", "9999": "Not Found", "": "Not Found",
	} {
		if want == "Not Found" {
			want = fmt.Sprint(oob.NotFound)
		}
		if got := finds(t, s, spc); got != want {
			t.Errorf("%q: %q, want %q", spc, got, want)
		}
	}
	if s.State().Entries != 2 {
		t.Errorf("%+v", s.State())
	}
}

func TestSource_NewestOfTheRightSignerAlone(t *testing.T) {
	l := newLaboratory(t)
	members := func(host string) map[string]string { return map[string]string{"567A": "https://" + host} }
	if got := finds(t, l.source(), "567A"); got != fmt.Sprint(oob.PeerFailed) {
		t.Errorf("without a list: %q", got)
	}
	l.write(l.sign(5, members("five.example")))
	l.source()
	id, err := l.pki.Issue(oobtest.IssueConfig{SPC: "567A"})
	if err != nil {
		t.Fatal(err)
	}
	forged, err := ocnlist.Sign(id.Key, id.X5U, 9, l.now.Add(time.Hour), members("enemy.example"))
	if err != nil {
		t.Fatal(err)
	}
	trustList, err := l.pa.TrustList(oobtest.TrustListConfig{Sequence: 9})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		want       stipa.Problem
	}{
		{"another signer", forged, stipa.WrongSignature},
		{"older", l.sign(4, members("four.example")), stipa.Backwards},
		{"the same number", l.sign(5, members("other.example")), stipa.Contradicting},
		{"the other list of the STI-PA", trustList, stipa.Malformed},
		{"nonsense", "<html>", stipa.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.write(c.text)
			s := l.source() // what was kept on disk is taken up first
			if got := finds(t, s, "567A"); got != "https://five.example 0-567A" || s.State().LastProblem != c.want {
				t.Errorf("%q, %s", got, s.State().LastProblem.Name())
			}
		})
	}
	l.write(l.sign(6, members("six.example")))
	if got := finds(t, l.source(), "567A"); got != "https://six.example 0-567A" {
		t.Errorf("%q", got)
	}
}

func TestSource_IsFetched(t *testing.T) {
	l := newLaboratory(t)
	text := l.sign(1, map[string]string{"567A": "https://cps.example.net"})
	var accept atomic.Value
	host, err := l.pki.StartHost(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		accept.Store(r.Header.Get("Accept"))
		w.Write([]byte(text))
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	s, err := ocnlist.New(ocnlist.Config{Signers: l.signers, Keep: stipa.Config[*ocnlist.List]{Source: stipa.Source{URL: host.URL, Roots: l.pki.TLSRoots()}}})
	if err != nil {
		t.Fatal(err)
	}
	go s.Run(t.Context())
	for !s.State().Believed {
		select {
		case <-t.Context().Done():
			t.Fatal("nothing was fetched")
		case <-time.After(time.Millisecond):
		}
	}
	if got := finds(t, s, "567A"); got != "https://cps.example.net 0-567A" || accept.Load() != ocnlist.MediaType {
		t.Errorf("%q, asked for %q", got, accept.Load())
	}
}

const good = `{"version":"1.0","sequence":3,"exp":1700000000,"cpsMapping":{"567A":"https://cps.example.net/"}}`

func compact(t testing.TB, l *laboratory, payload string) []byte {
	t.Helper()
	text, err := jws.Sign(l.pa.Signer.Key, []byte(`{"alg":"ES256","typ":"JWT","x5u":"https://a.example/b"}`), []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(text)
}

func TestParse_RefusedAndPassedOver(t *testing.T) {
	l := newLaboratory(t)
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for _, c := range []struct {
		name, payload string
		used, skipped int // 0 for a refusal
	}{
		{"good", good, 1, 0},
		{"unknown member", with(`"exp"`, `"more":1,"exp"`), 1, 0},
		{"http is passed over", with(`{"567A"`, `{"1234":"http://a.example","567A"`), 1, 1},
		{"no text is passed over", with(`{"567A"`, `{"1234":["https://a.example"],"567A"`), 1, 1},
		{"no code is passed over", with(`{"567A"`, `{"a b":"https://a.example","":"https://a.example","567A"`), 1, 2},
		{"another version", with("1.0", "2.0"), 0, 0},
		{"no version", with(`"version":"1.0",`, ""), 0, 0},
		{"no sequence", with(`"sequence":3,`, ""), 0, 0},
		{"sequence below zero", with(`:3`, `:-3`), 0, 0},
		{"no exp", with(`"exp":1700000000,`, ""), 0, 0},
		{"no mapping", with("cpsMapping", "mapping"), 0, 0},
		{"a list", with(`{"567A":"https://cps.example.net/"}`, `[]`), 0, 0},
		{"empty", with(`"567A":"https://cps.example.net/"`, ""), 0, 0},
		{"none that can be used", with("https", "http"), 0, 0},
		{"twice", with(`{"567A"`, `{"567A":"https://a.example","567A"`), 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := ocnlist.Parse(compact(t, l, c.payload))
			if c.used == 0 {
				if list != nil || !errors.Is(err, stipa.Malformed) {
					t.Errorf("%+v, %v", list, err)
				}
				return
			}
			if err != nil || len(list.CPSs) != c.used || list.Skipped != c.skipped {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

func TestParseMapping(t *testing.T) {
	got, err := ocnlist.ParseMapping([]byte("# codes\n567A,https://cps.example.net/\n\n1234, https://b.example\n"))
	if err != nil || !maps.Equal(got, map[string]string{"567A": "https://cps.example.net", "1234": "https://b.example"}) {
		t.Errorf("%v, %v", got, err)
	}
	for name, text := range map[string]string{
		"no URL": "567A\n", "http": "567A,http://a.example\n", "no code": ",https://a.example\n", "twice": "1,https://a.example\n1,https://a.example\n",
	} {
		if got, err := ocnlist.ParseMapping([]byte(text)); got != nil || err == nil || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	l := newLaboratory(f)
	f.Add(good)
	f.Add(`{"version":"1.0","sequence":0,"exp":0,"cpsMapping":{"a":"https://b/c","d":[]}}`)
	f.Fuzz(func(t *testing.T, payload string) {
		list, err := ocnlist.Parse(compact(t, l, payload))
		if err != nil {
			if _, typed := errors.AsType[stipa.Problem](err); list != nil || !typed {
				t.Fatal("an error that is none, or a list beside it")
			}
			return
		}
		text, err := ocnlist.Sign(l.pa.Signer.Key, "https://a.example/b", list.Sequence, list.Expires, list.CPSs)
		if err != nil {
			t.Fatalf("what was read is not written: %v", err)
		}
		back, err := ocnlist.Parse([]byte(text))
		if err != nil || !maps.Equal(back.CPSs, list.CPSs) || back.Sequence != list.Sequence || !back.Expires.Equal(list.Expires) {
			t.Fatalf("%+v is read back as %+v, %v", list, back, err)
		}
	})
}
