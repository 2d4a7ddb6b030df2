package fault

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// wide joins the switches of sites, as a network between towns does: what one sends reaches the others a while later. A site
// that is cut off hears nothing, and nobody is told: frames are lost, connections stay open.
type wide struct {
	delay atomic.Int64 // one way, in nanoseconds
	ports []*port
	gone  chan struct{} // closed at the end
}

// port is the end of the wide area network at one site.
type port struct {
	file    *os.File
	cut     atomic.Bool
	sending chan frame
}

type frame struct {
	bytes []byte
	due   time.Time
}

const (
	tunSetInterface = 0x400454ca // TUNSETIFF of linux/if_tun.h
	tapBare         = 0x1002     // IFF_TAP | IFF_NO_PI: Ethernet frames and nothing else
	frameMax        = 2048
	frameQueue      = 8192 // frames on their way to a site; more are lost, as on any network
)

// newWide plugs a port into each switch.
func newWide(t *testing.T, switches []*place) *wide {
	t.Helper()
	w := &wide{gone: make(chan struct{})}
	t.Cleanup(func() { close(w.gone) })
	for _, s := range switches {
		p := &port{sending: make(chan frame, frameQueue)}
		check(t, s.do(func() (err error) {
			p.file, err = openTap("wide")
			return err
		}))
		s.run(t, "ip link set wide master site up")
		w.ports = append(w.ports, p)
		t.Cleanup(func() { p.file.Close() })
	}
	for _, p := range w.ports {
		go w.carry(p)
		go p.deliver(w.gone)
	}
	return w
}

// openTap makes an interface whose frames are read from and written to a file.
func openTap(name string) (*os.File, error) {
	fd, err := syscall.Open("/dev/net/tun", syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	var request struct { // struct ifreq of linux/if.h
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = tapBare
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), tunSetInterface, uintptr(unsafe.Pointer(&request))); errno != 0 {
		syscall.Close(fd)
		return nil, errno
	}
	return os.NewFile(uintptr(fd), name), nil
}

// carry takes the frames of one site to all others.
func (w *wide) carry(from *port) {
	for {
		text := make([]byte, frameMax)
		n, err := from.file.Read(text)
		if err != nil {
			return // closed
		}
		if from.cut.Load() {
			continue
		}
		f := frame{text[:n], time.Now().Add(time.Duration(w.delay.Load()))}
		for _, to := range w.ports {
			if to != from {
				to.take(f)
			}
		}
	}
}

// take puts a frame on its way, unless the site is cut off, or more are on their way than the network holds.
func (p *port) take(f frame) {
	if p.cut.Load() {
		return
	}
	select {
	case p.sending <- f:
	default:
	}
}

// deliver hands frames over when they are due.
func (p *port) deliver(gone <-chan struct{}) {
	for {
		select {
		case f := <-p.sending:
			if wait := time.Until(f.due); wait > 0 {
				<-time.After(wait)
			}
			if !p.cut.Load() {
				_, _ = p.file.Write(f.bytes) // what the site does not take is lost, as on any network
			}
		case <-gone:
			return
		}
	}
}

// cut separates one site from all others, or joins it again.
func (w *wide) cut(site int, apart bool) { w.ports[site].cut.Store(apart) }
