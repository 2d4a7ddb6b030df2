package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// phone is sipp with a scenario of testdata/switches: a telephone, or a trunk, as the switch sees it.
type phone struct {
	address string
	trace   string // file with all its messages
}

// message is one SIP message that a phone has got.
type message string

// values are those of a header field, one for each line.
func (m message) values(field string) (values []string) {
	for line := range strings.Lines(string(m)) {
		name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if name == "" {
			break // the body
		}
		if found && strings.EqualFold(name, field) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return values
}

// value is that of a header field that must not stand there more than once.
func (m message) value(t *testing.T, field string) string {
	t.Helper()
	values := m.values(field)
	if len(values) > 1 {
		t.Errorf("%d header fields %s", len(values), field)
	}
	return strings.Join(values, "\n")
}

// got gives the messages that a phone has got whose first line begins with that, such as "INVITE " or "SIP/2.0 ". What comes again
// because nobody has answered within half a second counts once.
func (p *phone) got(t *testing.T, first string) (messages []message) {
	t.Helper()
	text, err := os.ReadFile(p.trace)
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	for _, part := range strings.Split(string(text), "\n-----------------------------------------------") {
		head, text, found := strings.Cut(part, "\n\n")
		if found && strings.Contains(head, " message received ") && strings.HasPrefix(text, first) && !slices.Contains(messages, message(text)) {
			messages = append(messages, message(text))
		}
	}
	return messages
}

// phone is a telephone that has an address, and is not in use.
func (in *place) phone(t *testing.T) *phone {
	t.Helper()
	return &phone{address: in.freeAddress(t, "udp"), trace: filepath.Join(t.TempDir(), "messages")}
}

// sipp is the command that plays a scenario as the phone.
func (in *place) sipp(t *testing.T, p *phone, scenario string, args ...string) *exec.Cmd {
	t.Helper()
	host, port, err := net.SplitHostPort(p.address)
	check(t, err)
	args = append(args, "-sf", filepath.Join("testdata", "switches", scenario), "-i", host, "-p", port, "-nostdin",
		"-trace_msg", "-message_file", p.trace, "-message_overwrite", "true")
	return in.command(other(t, "sipp", switchPackages), args...)
}

// answers starts a phone that answers calls as the scenario says.
func (in *place) answers(t *testing.T, scenario string) *phone {
	t.Helper()
	p := in.phone(t)
	cmd := in.sipp(t, p, scenario)
	untilTheEnd(t, cmd)
	_, text, _ := net.SplitHostPort(p.address)
	port, err := strconv.Atoi(text)
	check(t, err)
	await(t, "a phone", func() bool { // whose socket shows in what its kernel says
		sockets, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", cmd.Process.Pid))
		return err == nil && strings.Contains(string(sockets), fmt.Sprintf(":%04X ", port))
	})
	return p
}

// call makes calls by way of the border, one after the other, with these header fields, until all have ended, and gives the
// phone. Each has to end as the scenario says.
func (in *place) call(t *testing.T, by *border, scenario string, calls int, fields ...string) *phone {
	t.Helper()
	p := in.phone(t)
	cmd := in.calls(t, p, by, scenario, "sip:+"+called+"@"+by.address, fields, "-m", strconv.Itoa(calls), "-l", "1")
	if out, err := cmd.CombinedOutput(); err != nil {
		text, _ := os.ReadFile(p.trace)
		t.Fatalf("sipp: %v\n%s\n%s", err, out, text)
	}
	return p
}

// calls is the command that makes calls to a URI.
func (in *place) calls(t *testing.T, p *phone, by *border, scenario, uri string, fields []string, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{by.address, "-key", "uri", uri, "-key", "extra", strings.Join(fields, "\r\n"), "-s", "+" + caller,
		"-timeout", fmt.Sprintf("%.0fs", 3*patience.Seconds()), "-timeout_error"}, args...)
	return in.sipp(t, p, scenario, args...)
}

// status is the final answer to the call of a phone that has made one.
func (p *phone) status(t *testing.T) string {
	t.Helper()
	for _, m := range slices.Backward(p.got(t, "SIP/2.0 ")) {
		if strings.HasSuffix(m.value(t, "CSeq"), " INVITE") {
			return strings.Fields(string(m))[1]
		}
	}
	return ""
}

// invite is the call that a phone has got, which is to be one.
func (p *phone) invite(t *testing.T) message {
	t.Helper()
	invites := p.got(t, "INVITE ")
	if len(invites) != 1 {
		t.Fatalf("%d calls have arrived, want 1", len(invites))
	}
	return invites[0]
}
