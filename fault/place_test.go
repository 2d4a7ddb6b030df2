package fault

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// place is a network in which processes and clients run: that of the machine, or one of its own. It is the network of one thread,
// which does whatever is to be done there, and ends with it.
type place struct {
	host   string // its address
	thread int    // by which others name the network
	work   chan func()
}

// newPlace starts a place. apart asks for a network of its own, with nothing in it but loopback.
func newPlace(t *testing.T, host string, apart bool) *place {
	t.Helper()
	p := &place{host: host, work: make(chan func())}
	begun := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked, so that the thread ends with this function
		var err error
		if apart {
			err = syscall.Unshare(syscall.CLONE_NEWNET)
		}
		p.thread = syscall.Gettid()
		begun <- err
		for f := range p.work {
			f()
		}
	}()
	check(t, <-begun)
	t.Cleanup(func() { close(p.work) })
	if apart {
		p.run(t, "ip link set lo up")
	}
	return p
}

// do runs f on the place's thread: sockets that it opens and processes that it starts are there, and the latter end with it.
func (p *place) do(f func() error) (err error) {
	done := make(chan struct{})
	p.work <- func() {
		err = f()
		close(done)
	}
	<-done
	return err
}

// run runs a command there.
func (p *place) run(t *testing.T, format string, args ...any) {
	t.Helper()
	words := strings.Fields(fmt.Sprintf(format, args...))
	var out []byte
	if err := p.do(func() (err error) {
		out, err = exec.Command(words[0], words[1:]...).CombinedOutput()
		return err
	}); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
}

// connectTime bounds a connection to somebody in the same network, who answers at once or not at all.
const connectTime = time.Second

// dial connects from there. Only the socket is opened on the place's thread: whoever waits for an answer holds up nobody.
func (p *place) dial(_ context.Context, _, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	var fd int
	if err := p.do(func() (err error) {
		fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		return err
	}); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), address)
	defer file.Close() // the connection has its own
	switch err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err {
	case nil, syscall.EINPROGRESS:
	default:
		return nil, err
	}
	if err := connected(file); err != nil {
		return nil, err
	}
	return net.FileConn(file)
}

// connected waits until a socket is, or is not going to be.
func connected(file *os.File) error {
	if err := file.SetWriteDeadline(time.Now().Add(connectTime)); err != nil {
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	waited := raw.Write(func(fd uintptr) bool {
		var state int
		if state, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil {
			return true
		}
		if state != 0 {
			err = syscall.Errno(state)
			return true
		}
		_, pending := syscall.Getpeername(int(fd))
		return pending == nil
	})
	return errors.Join(waited, err)
}

func (p *place) listen(address string) (listener net.Listener, err error) {
	err = p.do(func() (err error) {
		listener, err = net.Listen("tcp", address)
		return err
	})
	return listener, err
}

// ground is the networks of a bed: a place for each node, those of a site joined by a switch, and the switches of sites by a wide
// area network. Without root everything is on loopback, and nothing can be cut.
type ground struct {
	apart    bool
	switches []*place // of the sites
	wide     *wide    // nil with one site
}

// canBeApart tells whether this process may make networks, and the kernel has what they are made of; and why not.
var canBeApart = sync.OnceValue(func() error {
	for _, program := range []string{"ip", "tc", "bridge"} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		return err
	}
	const trial = "ip link add site type bridge && ip link add node type veth peer name eth0 && ip link set node master site up && " +
		"bridge link set dev node isolated on && tc qdisc add dev node root tbf rate 2mbit burst 16kb latency 200ms"
	if out, err := exec.Command("unshare", "--net", "sh", "-c", trial).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

// needApart skips a test that cuts networks where there can be none.
func needApart(t *testing.T) {
	t.Helper()
	if err := canBeApart(); err != nil {
		t.Skipf("NOTHING CUT: no networks of its own (they need root and iproute2): %v", err)
	}
}

// newGround lays the networks of so many sites.
func newGround(t *testing.T, sites int) *ground {
	t.Helper()
	g := &ground{apart: canBeApart() == nil}
	if !g.apart {
		return g
	}
	for range sites {
		s := newPlace(t, "", true)
		s.run(t, "ip link add site type bridge")
		s.run(t, "ip link set site up")
		g.switches = append(g.switches, s)
	}
	if sites > 1 {
		g.wide = newWide(t, g.switches)
	}
	return g
}

// place makes one for a node, and plugs it in.
func (g *ground) place(t *testing.T, site, number int) *place {
	t.Helper()
	if !g.apart {
		return newPlace(t, "127.0.0.1", false)
	}
	p := newPlace(t, fmt.Sprintf("10.77.%d.%d", site+1, number+1), true)
	g.switches[site].run(t, "ip link add node%d type veth peer name eth0 netns %d", number, p.thread)
	g.switches[site].run(t, "ip link set node%d master site up", number)
	p.run(t, "ip address add %s/16 dev eth0", p.host)
	p.run(t, "ip link set eth0 up")
	return p
}

// plug pulls the cable of a node, or puts it back.
func (g *ground) plug(t *testing.T, n *node, in bool) {
	t.Helper()
	state := "down"
	if in {
		state = "up"
	}
	g.switches[n.site].run(t, "ip link set node%d %s", n.number, state)
}
