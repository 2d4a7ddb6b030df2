package trust_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stircert"
	"github.com/viaduct-oob/viaduct/trust"
)

func TestATIS1000074_X5URules(t *testing.T) {
	strict := trust.NewRepository(trust.RepositoryConfig{RefuseIPLiterals: true})
	for _, c := range []struct{ name, x5u string }{
		{"empty", ""},
		{"not a URI", "https://host:port/"},
		{"relative", "/cert.pem"},
		{"http", "http://cr.example.com/c.pem"},
		{"file", "file:///etc/passwd"},
		{"no host", "https:///c.pem"},
		{"opaque", "https:cr.example.com/c.pem"},
		{"port 80", "https://cr.example.com:80/c.pem"},
		{"port 5000", "https://cr.example.com:5000/c.pem"},
		{"port 0443", "https://cr.example.com:0443/c.pem"},
		{"empty port", "https://cr.example.com:/c.pem"},
		{"userinfo", "https://user@cr.example.com/c.pem"},
		{"userinfo and password", "https://user:pass@cr.example.com/c.pem"},
		{"empty userinfo", "https://@cr.example.com/c.pem"},
		{"query", "https://cr.example.com/c.pem?a=b"},
		{"empty query", "https://cr.example.com/c.pem?"},
		{"fragment", "https://cr.example.com/c.pem#a"},
		{"empty fragment", "https://cr.example.com/c.pem#"},
		{"space", "https://cr.example.com/c d.pem"},
		{"line break", "https://cr.example.com/c.pem\r\nX: y"},
		{"not ASCII", "https://cr.example.com/ü.pem"},
		{"too long", "https://cr.example.com/" + strings.Repeat("a", trust.X5UBytesMax)},
		{"IPv4, where refused", "https://8.8.8.8/c.pem"},
		{"IPv6, where refused", "https://[2600::1]/c.pem"},
		{"IPv6 zone", "https://[fe80::1%25eth0]/c.pem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain, _, err := strict.Fetch(t.Context(), c.x5u)
			if !errors.Is(err, trust.ErrX5U) || chain != nil {
				t.Errorf("got %v", err)
			}
			if err != nil && len(c.x5u) > 12 && strings.Contains(err.Error(), c.x5u) {
				t.Error("the error repeats the x5u")
			}
		})
	}
}

func TestATIS1000074_X5UIsAFaultOfItsOwn(t *testing.T) {
	l := newLaboratory(t, nil)
	_, err := l.verifier.Credential(t.Context(), "http://127.0.0.1/c.pem")
	wants(t, err, oob.CredentialUnreachable, trust.ErrX5U)
	_, err = l.verifier.Credential(t.Context(), l.host.URL+"/nothing.pem")
	wants(t, err, oob.CredentialUnreachable, trust.ErrAnswer)
	if errors.Is(err, trust.ErrX5U) {
		t.Error("E8 looks like E7")
	}
}

func TestCore_S4_1_AddressIsCheckedAfterResolution(t *testing.T) {
	strict := trust.NewRepository(trust.RepositoryConfig{Deadline: 30 * time.Second})
	for _, x5u := range []string{
		"https://localhost:8443/c.pem", "https://127.0.0.1/c.pem", "https://[::1]/c.pem", "https://[::ffff:127.0.0.1]:8443/c.pem",
		"https://10.0.0.1/c.pem", "https://169.254.169.254/latest/meta-data", "https://0.0.0.0/c.pem",
	} {
		if _, _, err := strict.Fetch(t.Context(), x5u); !errors.Is(err, trust.ErrAddress) {
			t.Errorf("%s: %v", x5u, err)
		}
	}
}

func TestLaboratory_ExemptsItsHostsAlone(t *testing.T) {
	pki, err := oobtest.NewPKI(oobtest.PKIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	host, err := pki.StartRepository()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close() })
	other, err := pki.StartHost(pki.Handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	id, err := pki.Issue(oobtest.IssueConfig{SPC: "1234"})
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(id.X5U, host.URL)
	localhost := "https://localhost" + strings.TrimPrefix(host.Host, "127.0.0.1") + path

	for _, c := range []struct {
		name       string
		laboratory trust.Laboratory
		x5u        string
		want       error
	}{
		{"host and port named", trust.Laboratory{Hosts: []string{host.Host}, Roots: pki.TLSRoots()}, id.X5U, nil},
		{"host named", trust.Laboratory{Hosts: []string{"127.0.0.1"}, Roots: pki.TLSRoots()}, other.URL + path, nil},
		{"host in other letters", trust.Laboratory{Hosts: []string{"LocalHost"}, Roots: pki.TLSRoots()}, localhost, nil},
		{"another port", trust.Laboratory{Hosts: []string{host.Host}, Roots: pki.TLSRoots()}, other.URL + path, trust.ErrX5U},
		{"another host", trust.Laboratory{Hosts: []string{host.Host}, Roots: pki.TLSRoots()}, localhost, trust.ErrX5U},
		{"another host, common port", trust.Laboratory{Hosts: []string{"localhost"}, Roots: pki.TLSRoots()}, "https://127.0.0.1:8443/", trust.ErrAddress},
		{"no roots of its own", trust.Laboratory{Hosts: []string{host.Host}}, id.X5U, &tls.CertificateVerificationError{}},
		{"query", trust.Laboratory{Hosts: []string{host.Host}, Roots: pki.TLSRoots()}, id.X5U + "?", trust.ErrX5U},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := trust.NewRepository(trust.RepositoryConfig{Deadline: 30 * time.Second, Laboratory: c.laboratory})
			chain, _, err := r.Fetch(t.Context(), c.x5u)
			if _, isTLS := c.want.(*tls.CertificateVerificationError); isTLS {
				if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
					t.Errorf("got %v", err)
				}
				return
			}
			if !errors.Is(err, c.want) || (err == nil) != (len(chain) == 2) {
				t.Errorf("got %d certificates, %v; want %v", len(chain), err, c.want)
			}
		})
	}
}

// A repository may answer as it likes: it must cost us little, and give no certificate.
func TestCore_S4_1_BadAnswers(t *testing.T) {
	l := newLaboratory(t, nil)
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	serve := func(w http.ResponseWriter) { w.Write(id.ChainPEM) }
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			serve(w)
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   error // nil for any
	}{
		{"201", status(http.StatusCreated), trust.ErrAnswer},
		{"204", status(http.StatusNoContent), trust.ErrAnswer},
		{"404", status(http.StatusNotFound), trust.ErrAnswer},
		{"500", status(http.StatusInternalServerError), trust.ErrAnswer},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Error("the redirect was followed")
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}, trust.ErrAnswer},
		{"permanent redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, id.X5U+"/", http.StatusMovedPermanently)
		}, trust.ErrAnswer},
		{"empty", func(w http.ResponseWriter, r *http.Request) {}, stircert.NotChain},
		{"a page", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>")) }, stircert.NotChain},
		{"64 KiB and one byte", func(w http.ResponseWriter, r *http.Request) {
			w.Write(append(bytes.Clone(id.ChainPEM), bytes.Repeat([]byte(" "), 64<<10+1-len(id.ChainPEM))...))
		}, stircert.NotChain},
		{"a header of 100 KiB", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Long", strings.Repeat("a", 100<<10))
			serve(w)
		}, nil},
		{"connection cut", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100000")
			serve(w)
			panic(http.ErrAbortHandler)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.answers(c.answer)
			l.restart()
			wants(t, l.verify(id), oob.CredentialUnreachable, c.want)
		})
	}
}

func TestCore_S4_1_EndlessBodyIsCutOff(t *testing.T) {
	l := newLaboratory(t, nil)
	written := make(chan int)
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		chunk, n := make([]byte, 64<<10), 0
		for n < 10<<30 {
			m, err := w.Write(chunk)
			if n += m; err != nil {
				break
			}
		}
		written <- n
	})
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	wants(t, l.verify(id), oob.CredentialUnreachable, stircert.NotChain)
	if n := <-written; n > 64<<20 { // what the socket buffers of any machine hold, many times over
		t.Errorf("%d bytes were taken", n)
	}
}

func TestCore_S4_1_HangingHostIsGivenUp(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	l := newLaboratory(t, func(c *trust.Config) { c.Repository.Deadline = 20 * time.Millisecond })
	id := l.issue(oobtest.IssueConfig{SPC: "1234"})
	for name, answer := range map[string]http.HandlerFunc{
		"before the header": func(w http.ResponseWriter, r *http.Request) { <-end },
		"within the body": func(w http.ResponseWriter, r *http.Request) {
			w.Write(id.ChainPEM[:100])
			w.(http.Flusher).Flush()
			<-end
		},
	} {
		l.answers(answer)
		l.restart()
		err := l.verify(id)
		wants(t, err, oob.CredentialUnreachable, nil)
		timeout, ok := errors.AsType[net.Error](err) // of the fetch, or of the transport when both have passed
		if !(ok && timeout.Timeout()) && !errors.Is(err, trust.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRepository_SendsNoCookieAndUsesNoProxy(t *testing.T) {
	l := newLaboratory(t, func(c *trust.Config) {
		c.Repository.Laboratory.Hosts = append(c.Repository.Laboratory.Hosts, "repository.invalid")
	})
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	t.Cleanup(proxy.Close)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	t.Setenv("https_proxy", proxy.URL)
	first, second := l.issue(oobtest.IssueConfig{SPC: "1234"}), l.issue(oobtest.IssueConfig{SPC: "567B"})
	own := l.pki.Handler()
	l.answers(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Cookie", "Referer", "Authorization"} {
			if r.Header.Get(name) != "" {
				t.Errorf("%s was sent", name)
			}
		}
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", Path: "/"})
		own.ServeHTTP(w, r)
	})
	l.mustVerify(first)
	l.mustVerify(second)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // for a resolver that does not answer
	defer cancel()
	if _, err := l.verifier.Credential(ctx, "https://repository.invalid/c.pem"); err == nil {
		t.Error("a host that does not exist has served a certificate")
	}
}

func TestRepository_RefusesOldTLS(t *testing.T) {
	l := newLaboratory(t, nil)
	files, err := l.pki.IssueTLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := files.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	for version, works := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		server := httptest.NewUnstartedServer(l.pki.Handler())
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // the refused handshake is what is wanted
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: version, MaxVersion: version}
		server.StartTLS()
		id := issueFrom(t, l.pki, server.URL, oobtest.IssueConfig{SPC: "1234"})
		if err := l.verify(id); (err == nil) != works {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		server.Close()
	}
}

func TestATIS1000074_MaxAge(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                                0,
		"no-cache":                        0,
		"max-age=60":                      time.Minute,
		"private, Max-Age=172800":         48 * time.Hour,
		`max-age="60"`:                    time.Minute,
		"max-age=-1":                      0,
		"max-age=x":                       0,
		"max-age":                         0,
		"s-maxage=60":                     0,
		"max-age=604801":                  7 * 24 * time.Hour,
		"max-age=9223372036854775807":     7 * 24 * time.Hour,
		"max-age=99999999999999999999999": 7 * 24 * time.Hour,
	} {
		if got := trust.MaxAge(http.Header{"Cache-Control": {header}}); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// FuzzX5U: what is refused is an ErrX5U that leaves nothing; what is accepted keeps every rule that a reader of
// ATIS-1000074 can check on the text alone.
func FuzzX5U(f *testing.F) {
	repository := trust.NewRepository(trust.RepositoryConfig{})
	for seed, accepted := range map[string]bool{
		"https://cr.example.com/c.pem": true, "HTTPS://cr.example.com:8443": true, "https://[2600::1]:443/a": true,
		"https://a@b/": false, "https://b/?": false, "https://b/#": false, "https://b\\@c/": false, "https://b:80/": false,
		"https://%80": false, "https://%62/": false, "https://[fe80::1%25eth0]/": false, "https://b/%62": true,
	} {
		if _, err := repository.ParseX5U(seed); (err == nil) != accepted {
			f.Errorf("%s: %v", seed, err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, x5u string) {
		host, err := repository.ParseX5U(x5u)
		if err != nil {
			if !errors.Is(err, trust.ErrX5U) || host != "" {
				t.Fatalf("%q with %v", host, err)
			}
			return
		}
		authority, _, _ := strings.Cut(x5u[min(len(x5u), len("https://")):], "/")
		switch {
		case !strings.EqualFold(x5u[:min(len(x5u), len("https://"))], "https://"):
			t.Fatal("not https")
		case strings.ContainsAny(x5u, "?# \r\n\t") || strings.ContainsAny(authority, "@\\"):
			t.Fatalf("accepted %q", x5u)
		case !strings.HasPrefix(strings.ToLower(strings.TrimPrefix(authority, "[")), host) || host == "":
			t.Fatalf("%q is not the host of %q", host, x5u)
		}
		if port := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(strings.Trim(authority, "[")), host), "]"); port != "" && port != ":443" && port != ":8443" {
			t.Fatalf("port %q accepted", port)
		}
	})
}
