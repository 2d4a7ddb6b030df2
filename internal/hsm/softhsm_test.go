//go:build cgo

package hsm_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/viaduct-oob/viaduct/internal/hsm"
	"github.com/viaduct-oob/viaduct/oobtest"
)

const pin = "973512"

// softHSM is where the tokens of this test process lie, and the module that reaches them: a module is initialised once
// in a process, so all tests share it.
var softHSM struct{ dir, module string }

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "viaduct-hsm-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	softHSM.dir = dir
	softHSM.module = oobtest.SoftHSMModule()
	conf := filepath.Join(dir, "softhsm2.conf")
	text := "directories.tokendir = " + dir + "\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("SOFTHSM2_CONF", conf)
	return m.Run()
}

// token makes a token and a file with its PIN. It is made through the module, which does not see what others make.
func token(t testing.TB, label string) (pinFile string) {
	t.Helper()
	if _, err := exec.LookPath("softhsm2-util"); err != nil || softHSM.module == "" {
		t.Skip("SoftHSM is not installed (Debian: softhsm2): nothing is known of keys in tokens")
	}
	ctx := pkcs11.New(softHSM.module)
	if err := ctx.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		t.Fatal(err)
	}
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := ctx.InitToken(slots[len(slots)-1], pin, label); err != nil { // the last slot is always a free one
		t.Fatal(err)
	}
	_, slot := module(t, label)
	session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err == nil {
		err = errors.Join(ctx.Login(session, pkcs11.CKU_SO, pin), ctx.InitPIN(session, pin), ctx.CloseAllSessions(slot))
	}
	if err != nil {
		t.Fatal(err)
	}
	pinFile = filepath.Join(t.TempDir(), "pin")
	writePIN(t, pinFile, pin)
	return pinFile
}

func writePIN(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// importKey lays a new key into a token.
func importKey(t testing.TB, token, label, id string, curve elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	importing := exec.Command("softhsm2-util", "--import", name, "--token", token, "--label", label, "--id", id, "--pin", pin)
	if out, err := importing.CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	return &key.PublicKey
}

func config(token, object, pinFile string) hsm.Config {
	return hsm.Config{
		URI: fmt.Sprintf("pkcs11:token=%s;object=%s;type=private?module-path=%s&pin-source=file:%s", token, object, softHSM.module, pinFile),
		// A laboratory machine may be busy; how long a deadline holds is shown elsewhere.
		Deadline: patience,
	}
}

func open(t testing.TB, cfg hsm.Config) *hsm.Key {
	t.Helper()
	key, err := hsm.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(key.Close)
	return key
}

// sign makes one signature and verifies it.
func sign(key *hsm.Key, public *ecdsa.PublicKey) error {
	digest := sha256.Sum256([]byte("a token"))
	der, err := key.Sign(nil, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(public, digest[:], der) {
		err = errors.New("the signature does not verify")
	}
	return err
}

// module is the same module as the key has, for a hand in the token's back.
func module(t testing.TB, label string) (*pkcs11.Ctx, uint) {
	t.Helper()
	ctx := pkcs11.New(softHSM.module)
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, slot := range slots {
		if info, err := ctx.GetTokenInfo(slot); err == nil && info.Label == label {
			return ctx, slot
		}
	}
	t.Fatal("no such token")
	return nil, 0
}

func TestKey_SignsInTheToken(t *testing.T) {
	pinFile := token(t, "signs")
	public := importKey(t, "signs", "sti", "01", elliptic.P256())
	key := open(t, config("signs", "sti", pinFile))
	if !public.Equal(key.Public()) {
		t.Error("the public key is another one")
	}
	for range 20 { // of 20 signatures, some have an r or s that begins with a zero or a set bit
		if err := sign(key, public); err != nil {
			t.Fatal(err)
		}
	}
	digest := make([]byte, 48)
	if _, err := key.Sign(nil, digest, crypto.SHA384); !errors.Is(err, hsm.ErrSign) {
		t.Errorf("SHA-384: %v", err)
	}
	if _, err := key.Sign(nil, digest[:31], crypto.SHA256); !errors.Is(err, hsm.ErrSign) {
		t.Errorf("31 bytes: %v", err)
	}
	key.Close()
	if err := sign(key, public); !errors.Is(err, hsm.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

func TestKey_IsTheOneThatTheURINames(t *testing.T) {
	pinFile := token(t, "names")
	importKey(t, "names", "twice", "01", elliptic.P256())
	second := importKey(t, "names", "twice", "02", elliptic.P256())
	importKey(t, "names", "p384", "03", elliptic.P384())
	query := "?module-path=" + softHSM.module + "&pin-source=" + pinFile
	for _, c := range []struct {
		name, path string
		want       error
	}{
		{"by label and id", "token=names;object=twice;id=%02", nil},
		{"by id", "token=names;id=%02", nil},
		{"label of two keys", "token=names;object=twice", hsm.ErrKey},
		{"label of none", "token=names;object=once", hsm.ErrKey},
		{"another curve", "token=names;object=p384", hsm.ErrKey},
		{"another token", "token=nobody;object=twice", hsm.ErrToken},
		{"another serial", "token=names;serial=0;id=%02", hsm.ErrToken},
		{"another model", "token=names;model=none;id=%02", hsm.ErrToken},
		{"another slot", "slot-id=4294967295;id=%02", hsm.ErrToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := hsm.Open(hsm.Config{URI: "pkcs11:" + c.path + query, Deadline: patience})
			if !errors.Is(err, c.want) || (key == nil) != (c.want != nil) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if key != nil {
				defer key.Close()
				if err := sign(key, second); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestKey_NoPINIsGuessed(t *testing.T) {
	pinFile := token(t, "pins")
	public := importKey(t, "pins", "sti", "01", elliptic.P256())
	for _, c := range []struct {
		name, pin string
		want      error
	}{{"wrong", "864209", hsm.ErrPIN}, {"empty", "", hsm.ErrToken}, {"endless", strings.Repeat("9", 300), hsm.ErrToken}} {
		t.Run(c.name, func(t *testing.T) {
			writePIN(t, pinFile, c.pin)
			key, err := hsm.Open(config("pins", "sti", pinFile))
			if key != nil || !errors.Is(err, c.want) || c.pin != "" && strings.Contains(err.Error(), c.pin) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	if _, err := hsm.Open(config("pins", "sti", pinFile+"-missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no PIN file: %v", err)
	}
	if _, err := hsm.Open(hsm.Config{URI: "pkcs11:token=pins;object=sti?module-path=" + softHSM.module}); !errors.Is(err, hsm.ErrToken) {
		t.Errorf("no pin-source: %v", err)
	}

	writePIN(t, pinFile, pin)
	key := open(t, config("pins", "sti", pinFile))
	ctx, slot := module(t, "pins")
	if err := ctx.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
	writePIN(t, pinFile, "864209")
	if err := sign(key, public); !errors.Is(err, hsm.ErrPIN) {
		t.Errorf("the PIN was changed: %v", err)
	}
	writePIN(t, pinFile, pin)
	if err := sign(key, public); !errors.Is(err, hsm.ErrPIN) {
		t.Errorf("a PIN was tried again: %v", err)
	}
	if err := sign(open(t, config("pins", "sti", pinFile)), public); err != nil {
		t.Errorf("opened anew: %v", err)
	}
}

func TestKey_ComesBackWithItsToken(t *testing.T) {
	pinFile := token(t, "away")
	public := importKey(t, "away", "sti", "01", elliptic.P256())
	key := open(t, config("away", "sti", pinFile))
	ctx, slot := module(t, "away")
	for range 3 {
		if err := ctx.CloseAllSessions(slot); err != nil { // what the removal of a token does to its sessions
			t.Fatal(err)
		}
		if err := sign(key, public); err != nil {
			t.Errorf("sessions were lost: %v", err)
		}
	}
}

func TestKey_AnotherKeyUnderTheSameNameIsNotUsed(t *testing.T) {
	pinFile := token(t, "swap")
	public := importKey(t, "swap", "sti", "01", elliptic.P256())
	key := open(t, config("swap", "sti", pinFile))
	ctx, slot := module(t, "swap")
	if err := ctx.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
	destroy(t, ctx, slot, pkcs11.CKO_PRIVATE_KEY)
	if err := sign(key, public); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("the key is gone: %v", err)
	}
	destroy(t, ctx, slot, pkcs11.CKO_PUBLIC_KEY)
	importKey(t, "swap", "sti", "01", elliptic.P256())
	if err := sign(key, public); !errors.Is(err, hsm.ErrKey) {
		t.Errorf("another key: %v", err)
	}
}

func TestOpen_RefusesThePublicKeyOfAnother(t *testing.T) {
	pinFile := token(t, "pair")
	importKey(t, "pair", "sti", "01", elliptic.P256())
	swapPrivate(t, "pair")
	if key, err := hsm.Open(config("pair", "sti", pinFile)); key != nil || !errors.Is(err, hsm.ErrKey) {
		t.Errorf("%v", err)
	}
	if n := sessions(t, "pair"); n != 0 {
		t.Errorf("%d sessions are left open", n)
	}
}

func login(t *testing.T, ctx *pkcs11.Ctx, slot uint) pkcs11.SessionHandle {
	t.Helper()
	session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err == nil {
		err = ctx.Login(session, pkcs11.CKU_USER, pin)
	}
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func find(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle, class uint) []pkcs11.ObjectHandle {
	t.Helper()
	if err := ctx.FindObjectsInit(session, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class)}); err != nil {
		t.Fatal(err)
	}
	found, _, err := ctx.FindObjects(session, 10)
	if err := errors.Join(err, ctx.FindObjectsFinal(session)); err != nil || len(found) == 0 {
		t.Fatalf("%d objects, %v", len(found), err)
	}
	return found
}

// destroy takes all objects of a class out of a token, and closes all of its sessions.
func destroy(t *testing.T, ctx *pkcs11.Ctx, slot uint, class uint) {
	t.Helper()
	session := login(t, ctx, slot)
	for _, object := range find(t, ctx, session, class) {
		if err := ctx.DestroyObject(session, object); err != nil {
			t.Fatal(err)
		}
	}
	if err := ctx.CloseAllSessions(slot); err != nil {
		t.Fatal(err)
	}
}

func TestKey_ManySignaturesShareFewSessions(t *testing.T) {
	pinFile := token(t, "many")
	public := importKey(t, "many", "sti", "01", elliptic.P256())
	cfg := config("many", "sti", pinFile)
	cfg.SessionsMax = 3
	key := open(t, cfg)
	var running sync.WaitGroup
	for range 16 {
		running.Go(func() {
			for range 10 {
				if err := sign(key, public); err != nil {
					t.Error(err)
				}
			}
		})
	}
	running.Wait()
	if n := hsm.Sessions(key); n > 3 {
		t.Errorf("%d sessions", n)
	}
}

func TestKey_PrintsNoPIN(t *testing.T) {
	pinFile := token(t, "print")
	importKey(t, "print", "sti", "01", elliptic.P256())
	key := open(t, config("print", "sti", pinFile))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, key); strings.Contains(text, pin) {
			t.Errorf("%s prints the PIN: %s", verb, text)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	pinFile := token(b, "bench")
	importKey(b, "bench", "sti", "01", elliptic.P256())
	key := open(b, config("bench", "sti", pinFile))
	digest := sha256.Sum256([]byte("a token"))
	for b.Loop() {
		if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}
}
