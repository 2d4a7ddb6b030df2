package stipa_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

func TestSource_File(t *testing.T) {
	l := newLaboratory(t)
	name := filepath.Join(t.TempDir(), "list.jwt")
	list := func(sequence uint64, expires time.Duration) string {
		return l.list(oobtest.TrustListConfig{Sequence: sequence, Expires: epoch.Add(expires)})
	}
	write(t, name, list(3, 10*time.Hour))
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(func(cfg *stipa.Config[*stipa.List]) { cfg.Source = stipa.Source{File: name} })
		k.wants(t, "when it is made", []uint64{3}, stipa.NoAlarm)
		k.during(t, func() {
			for _, step := range []struct {
				name    string
				text    string
				number  int64
				problem stipa.Problem
				alarm   stipa.Alarm
			}{
				{"newer", list(4, 10*time.Hour), 4, 0, stipa.NoAlarm},
				{"older", list(3, 20*time.Hour), 4, stipa.Backwards, stipa.NoAlarm},
				{"half written", list(5, 10*time.Hour)[:100], 4, stipa.Malformed, stipa.NoAlarm},
				{"too long", strings.Repeat("a", stipa.ListBytesMax+1), 4, stipa.Unreachable, stipa.NoAlarm},
				{"newer, and expired: the operator's own file is used on", list(6, 0), 6, 0, stipa.AlarmExpired},
				{"newer still", list(7, 10*time.Hour), 7, 0, stipa.NoAlarm},
			} {
				write(t, name, step.text)
				before := k.State()
				k.Refresh()
				synctest.Wait()
				s := k.State()
				if s.Number.Int64() != step.number || s.Alarm != step.alarm || !s.Believed {
					t.Errorf("%s: %+v", step.name, s)
				}
				if step.problem != 0 && s.Refusals[step.problem] != before.Refusals[step.problem]+1 {
					t.Errorf("%s: %+v", step.name, s.Refusals)
				}
			}
			remove(t, name)
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Skip("no pipes here: ", err)
			}
			k.Refresh()
			synctest.Wait() // would wait for ever for somebody to write
			if s := k.State(); s.LastProblem != stipa.Unreachable || s.Number.Int64() != 7 {
				t.Errorf("a pipe: %+v", s)
			}
		})
	})
}

// TestSource_Authorization: what is in the files is read for every request.
func TestSource_Authorization(t *testing.T) {
	l := newLaboratory(t)
	secret := filepath.Join(t.TempDir(), "secret")
	list := l.list(oobtest.TrustListConfig{})
	l.serve(func(w http.ResponseWriter, r *http.Request) {
		switch body, _ := io.ReadAll(r.Body); {
		case r.URL.Path == "/auth/login" && r.Method == http.MethodPost && string(body) == `{"password":"pass","userId":"us\"er"}`:
			io.WriteString(w, `{"status":"success","message":"","accessToken":"token-1"}`)
		case r.URL.Path == "/auth/login" && strings.Contains(string(body), "odd"):
			io.WriteString(w, `{"status":"success","accessToken":"a\nb"}`)
		case r.URL.Path == "/ca-list" && r.Header.Get("Authorization") == "token-1" && r.Header.Get("Accept") == "application/jose+json":
			io.WriteString(w, list)
		default:
			http.Error(w, "", http.StatusUnauthorized)
		}
	})
	login := &stipa.Login{URL: l.host.URL + "/auth/login", User: `us"er`, PasswordFile: secret}
	for _, c := range []struct {
		name   string
		secret string
		login  *stipa.Login
		want   stipa.Problem
	}{
		{"file", "token-1\n", nil, 0},
		{"file with another", "token-2", nil, stipa.WrongAnswer},
		{"file with two lines", "token-1\nX-Other: 1", nil, stipa.Unreachable},
		{"empty file", "\n", nil, stipa.Unreachable},
		{"login", "pass\n", login, 0},
		{"login refused", "other", login, stipa.WrongAnswer},
		{"login that gives no token", "odd", login, stipa.WrongAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, secret, c.secret)
			synctest.Test(t, func(t *testing.T) {
				k := l.keeper(func(cfg *stipa.Config[*stipa.List]) {
					if cfg.Source.Login = c.login; c.login == nil {
						cfg.Source.AuthorizationFile = secret
					}
				})
				k.during(t, func() {})
				if s := k.State(); s.LastProblem != c.want || s.Believed != (c.want == 0) {
					t.Errorf("got %s, want %s", s.LastProblem.Name(), c.want.Name())
				}
				for _, line := range k.log.lines() {
					if strings.Contains(line, strings.TrimSpace(c.secret)) && c.secret != "\n" {
						t.Errorf("a secret in the log: %s", line)
					}
				}
			})
		})
	}
}

func TestSource_OnlyOverTLSThatIsGood(t *testing.T) {
	l := newLaboratory(t)
	l.serveText(l.list(oobtest.TrustListConfig{}))
	other := newLaboratory(t)
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(func(cfg *stipa.Config[*stipa.List]) { cfg.Source.Roots = other.pki.TLSRoots() })
		k.during(t, func() {})
		if s := k.State(); s.Refusals[stipa.Unreachable] != 1 || s.Believed {
			t.Errorf("another root: %+v", s)
		}
	})
	// A host of our own that speaks nothing newer than TLS 1.1.
	files, err := l.pki.IssueTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := files.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, l.list(oobtest.TrustListConfig{})) }),
		ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	defer server.Close()
	synctest.Test(t, func(t *testing.T) {
		k := l.keeper(func(cfg *stipa.Config[*stipa.List]) {
			cfg.Source.URL = "https://" + listener.Addr().String() + "/ca-list"
		})
		k.during(t, func() {})
		if s := k.State(); s.Refusals[stipa.Unreachable] != 1 || s.Believed {
			t.Errorf("TLS 1.1: %+v", s)
		}
	})
}

func TestSource_Check(t *testing.T) {
	const address = "https://sti-pa.example/ca-list"
	login := &stipa.Login{URL: address, User: "u", PasswordFile: "p"}
	for _, c := range []struct {
		name   string
		source stipa.Source
		good   bool
	}{
		{"URL", stipa.Source{URL: address}, true},
		{"URL with a port and a query", stipa.Source{URL: "https://sti-pa.example:8080/?list=1"}, true},
		{"file", stipa.Source{File: "list"}, true},
		{"login", stipa.Source{URL: address, Login: login}, true},
		{"authorization", stipa.Source{URL: address, AuthorizationFile: "f"}, true},
		{"nothing", stipa.Source{}, false},
		{"both", stipa.Source{URL: address, File: "list"}, false},
		{"http", stipa.Source{URL: "http://sti-pa.example/ca-list"}, false},
		{"no host", stipa.Source{URL: "https:///ca-list"}, false},
		{"a user", stipa.Source{URL: "https://u:p@sti-pa.example/"}, false},
		{"a fragment", stipa.Source{URL: address + "#a"}, false},
		{"no URL", stipa.Source{URL: "://"}, false},
		{"file and authorization", stipa.Source{File: "list", AuthorizationFile: "f"}, false},
		{"file and login", stipa.Source{File: "list", Login: login}, false},
		{"both authorizations", stipa.Source{URL: address, AuthorizationFile: "f", Login: login}, false},
		{"login over http", stipa.Source{URL: address, Login: &stipa.Login{URL: "http://a/", User: "u", PasswordFile: "p"}}, false},
		{"login of nobody", stipa.Source{URL: address, Login: &stipa.Login{URL: address, PasswordFile: "p"}}, false},
	} {
		if err := c.source.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
