package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kamailio is a SIP proxy that signs and checks with its module secsipid; testdata/crosscheck/kamailio.cfg is its script.
// The test is the party on both sides of it.
type kamailio struct {
	address net.Addr
	party   net.PacketConn
	calls   int
}

func startKamailio(t *testing.T, lab *laboratory, roots string) *kamailio {
	t.Helper()
	const packages = "kamailio kamailio-secsipid-modules"
	program := other(t, "kamailio", packages)
	party, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { party.Close() })
	address, err := net.ResolveUDPAddr("udp", freeAddress(t, "udp"))
	check(t, err)
	script, err := filepath.Abs(filepath.Join("testdata", "crosscheck", "kamailio.cfg"))
	check(t, err)
	dir := t.TempDir()
	args := []string{"-f", script, "-m", "32", "-M", "8", "-w", dir, "-Y", dir}
	for name, value := range map[string]string{
		"LISTEN":      "udp:" + address.String(),
		"NEXT_HOP":    fmt.Sprintf("%q", "sip:"+party.LocalAddr().String()),
		"X5U":         fmt.Sprintf("%q", lab.repository+"/1234.pem"),
		"KEY_FILE":    fmt.Sprintf("%q", lab.key("1234")),
		"ROOT_OPTION": fmt.Sprintf("%q", "CertCAFile="+roots),
	} {
		args = append(args, "-A", name+"="+value)
	}
	if out, err := exec.Command(program, append(args, "-c")...).CombinedOutput(); err != nil {
		if strings.Contains(string(out), "could not find module <secsipid") {
			t.Skipf("NOT CROSS-CHECKED: kamailio has no module secsipid (Debian: apt-get install %s)", packages)
		}
		t.Fatalf("kamailio -c: %v\n%s", err, out)
	}
	t.Log(firstLine(program, "-v"))
	cmd := exec.Command(program, append(args, "-DD", "-E")...) // in the foreground, messages to stderr
	cmd.Env = lab.believing()
	untilTheEnd(t, cmd)
	k := &kamailio{address: address, party: party}
	k.ask(t, "OPTIONS")
	return k
}

// ask sends a request with these Identity header fields and gives what comes of it: an answer, or the request itself as the
// next hop receives it. UDP may lose a request, and Kamailio may not listen yet: it is sent again until something comes.
func (k *kamailio) ask(t *testing.T, method string, identities ...string) string {
	t.Helper()
	k.calls++
	callID := fmt.Sprintf("%d@crosscheck", k.calls)
	var request strings.Builder
	fmt.Fprintf(&request, "%s sip:%s@%s SIP/2.0\r\n", method, called, k.address)
	fmt.Fprintf(&request, "Via: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n", k.party.LocalAddr(), k.calls)
	fmt.Fprintf(&request, "From: <sip:%s@%s>;tag=1\r\nTo: <sip:%s@%s>\r\n", caller, k.party.LocalAddr(), called, k.address)
	fmt.Fprintf(&request, "Call-ID: %s\r\nCSeq: 1 %s\r\nContact: <sip:%s>\r\n", callID, method, k.party.LocalAddr())
	for _, identity := range identities {
		fmt.Fprintf(&request, "Identity: %s\r\n", identity)
	}
	request.WriteString("Content-Length: 0\r\n\r\n")

	buffer := make([]byte, 1<<16)
	for began := time.Now(); time.Since(began) < patience; {
		_, err := k.party.WriteTo([]byte(request.String()), k.address)
		check(t, err)
		check(t, k.party.SetReadDeadline(time.Now().Add(time.Second/2)))
		for {
			n, _, err := k.party.ReadFrom(buffer)
			if err != nil {
				break // the deadline: once more
			}
			if message := string(buffer[:n]); strings.Contains(message, "Call-ID: "+callID+"\r\n") {
				return message
			}
		}
	}
	t.Fatalf("kamailio has not answered in %s", patience)
	return ""
}

// sign lets Kamailio sign the call and pass it on; the value of the Identity header is what the next hop gets.
func (k *kamailio) sign(t *testing.T) string {
	t.Helper()
	message := k.ask(t, "INVITE")
	_, value, found := strings.Cut(message, "\r\nIdentity: ")
	if !found {
		t.Fatalf("not signed:\n%s", message)
	}
	value, _, _ = strings.Cut(value, "\r\n")
	return value
}

// check gives 0 when Kamailio answers 200, else the code in its answer 438.
func (k *kamailio) check(t *testing.T, identities ...string) int {
	t.Helper()
	message := k.ask(t, "INVITE", identities...)
	if strings.HasPrefix(message, "SIP/2.0 200 ") {
		return 0
	}
	var code int
	if _, err := fmt.Sscanf(message, "SIP/2.0 438 Invalid Identity Header %d", &code); err != nil {
		t.Fatalf("%v:\n%s", err, message)
	}
	return code
}

func TestKamailioIsBelieved(t *testing.T) {
	lab := newLaboratory(t)
	value := startKamailio(t, lab, lab.path("sti-root.pem")).sign(t)
	checkForm(t, value, lab.repository+"/1234.pem")
	lab.judge(t, []judgement{
		{"as it came", value, passed, nil},
		{"stale", value, "E15", []string{"--at", "2038-01-19T03:14:07Z"}},
		{"of another call", value, "E16", []string{"--orig", "12155550122"}},
		{"tampered", tampered(t, value), "E18", []string{"--orig", "12155550122"}},
	})
}

func TestKamailioBelievesOurs(t *testing.T) {
	lab := newLaboratory(t)
	k := startKamailio(t, lab, lab.path("sti-root.pem"))
	good := lab.sign(t, "--header")
	bad := tampered(t, good)
	lab.publish(t, "stranger.pem", initLaboratory(t, "127.0.0.1:1").path("repository", "1234.pem"))
	for _, c := range []struct {
		name   string
		values []string
		want   int
	}{
		{"as it came", []string{good}, 0},
		{"tampered", []string{bad}, theirSignature},
		{"certificate of another root", []string{lab.sign(t, "--header", "--x5u", lab.repository+"/stranger.pem")}, theirCertificateUntrusted},
		{"certificate that is not there", []string{lab.sign(t, "--header", "--x5u", lab.repository+"/none.pem")}, theirFetch},
		{"two, the first good", []string{good, bad}, 0},
		{"two, the second good", []string{bad, good}, 0},
		{"two, none good", []string{bad, bad}, theirSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := k.check(t, c.values...); got != c.want {
				t.Errorf("kamailio says %d, want %d", got, c.want)
			}
		})
	}
	if got := lab.verify(t, bad+"\n"+good); got != passed {
		t.Errorf("of two, the second good, viaduct says %s, want %s as kamailio", got, passed)
	}
}
