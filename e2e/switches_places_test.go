package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

// place is a network in which processes of a bed run: that of the machine when it is nil, else one of its own, that of holder.
type place struct {
	holder *exec.Cmd
	host   string // its address
	ports  int    // given out
}

// here is the network of the machine.
var here *place

// freeAddress is one that nobody uses there.
func (in *place) freeAddress(t *testing.T, network string) string {
	if in == nil {
		return freeAddress(t, network)
	}
	in.ports++
	return net.JoinHostPort(in.host, strconv.Itoa(20000+in.ports))
}

// command is a process that is to run there.
func (in *place) command(program string, args ...string) *exec.Cmd {
	if in == nil {
		return exec.Command(program, args...)
	}
	return exec.Command("nsenter", append([]string{"--net=/proc/" + strconv.Itoa(in.holder.Process.Pid) + "/ns/net", program}, args...)...)
}

// run ends when the command does.
func (in *place) run(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := in.command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
}

// get fetches a page over plain HTTP.
func (in *place) get(t *testing.T, address, path string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	check(t, err)
	script := fmt.Sprintf(`exec 3<>/dev/tcp/%s/%s; printf 'GET %s HTTP/1.0\r\n\r\n' >&3; cat <&3`, host, port, path)
	text, err := in.command("bash", "-c", script).Output()
	check(t, err)
	return string(text)
}

// newPlaces makes two networks joined by a cable for frames of 1500 bytes. They end with the test.
func newPlaces(t *testing.T) (near, far *place) {
	t.Helper()
	ip := other(t, "ip", "iproute2")
	if out, err := exec.Command("unshare", "--net", ip, "link", "add", "cable", "type", "veth", "peer", "name", "other").CombinedOutput(); err != nil {
		t.Skipf("NO FRAGMENTS DROPPED: no network of its own (needs root, and veth in the kernel): %v %s", err, out)
	}
	places := []*place{{host: "10.0.0.1"}, {host: "10.0.0.2"}}
	for _, in := range places {
		in.holder = exec.Command("sleep", "infinity")
		in.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		untilTheEnd(t, in.holder)
		in.run(t, ip, "link", "set", "lo", "up")
	}
	near, far = places[0], places[1]
	near.run(t, ip, "link", "add", "cable", "mtu", "1500", "type", "veth", "peer", "name", "cable", "mtu", "1500", "netns", strconv.Itoa(far.holder.Process.Pid))
	for _, in := range places {
		in.run(t, ip, "address", "add", in.host+"/30", "dev", "cable")
		in.run(t, ip, "link", "set", "cable", "up")
	}
	return near, far
}
