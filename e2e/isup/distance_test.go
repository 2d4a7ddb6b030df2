package isup_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// distance is a place on loopback from which a TCP service is far away: what is written on a connection arrives after the
// same time, in order, in either direction, however fast it is written. A new connection costs a round trip before its first
// octet, as SYN and its answer would.
type distance struct {
	oneWay time.Duration
	to     string // host:port of the service
	open   sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn // guarded by mu; nil when the distance is closed
}

// startDistance gives the address that stands for the service, until the test ends.
func startDistance(t testing.TB, to string, oneWay time.Duration) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	d := &distance{oneWay: oneWay, to: to, conns: []net.Conn{}}
	d.open.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			d.open.Go(func() { d.connect(conn, time.Now()) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		d.close()
		d.open.Wait()
	})
	return listener.Addr().String()
}

// connect joins a connection that was made at that time to one of the service.
func (d *distance) connect(near net.Conn, made time.Time) {
	defer near.Close()
	far, err := net.Dial("tcp", d.to)
	if err != nil {
		return // the near end sees its connection closed
	}
	defer far.Close()
	if !d.keep(near, far) {
		return
	}
	ready := made.Add(2 * d.oneWay)
	var both sync.WaitGroup
	both.Go(func() { d.carry(far, near, ready) })
	both.Go(func() { d.carry(near, far, ready) })
	both.Wait()
}

// keep remembers connections, to close them; it fails after close.
func (d *distance) keep(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conns == nil {
		return false
	}
	d.conns = append(d.conns, conns...)
	return true
}

func (d *distance) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.conns {
		conn.Close()
	}
	d.conns = nil
}

// underWay are octets that arrive at a time.
type underWay struct {
	octets []byte
	due    time.Time
}

// carry writes to one end what it reads from the other, each octet so much later than it was sent, and none before a
// connection could be ready. The end of what is read arrives as late.
func (d *distance) carry(to io.Writer, from io.Reader, ready time.Time) {
	line := make(chan underWay, 1024) // far more than what a round trip holds of a few calls; when it is full, the sender waits
	go func() {
		defer close(line)
		for {
			buffer := make([]byte, 1<<14)
			n, err := from.Read(buffer)
			sent := time.Now()
			if sent.Before(ready) {
				sent = ready
			}
			line <- underWay{buffer[:n], sent.Add(d.oneWay)} // nothing, at the end
			if err != nil {
				return
			}
		}
	}()
	failed := false
	for u := range line { // to its end, so that the reader ends
		if failed {
			continue
		}
		<-time.After(time.Until(u.due))
		if len(u.octets) > 0 {
			_, err := to.Write(u.octets)
			failed = err != nil
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the other direction goes on
	}
}

func TestDistanceKeepsOrderAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &distance{oneWay: 10 * time.Millisecond}
		nearEnd, near := net.Pipe()
		far, farEnd := net.Pipe()
		began := time.Now()
		over := make(chan struct{})
		go func() {
			d.carry(far, near, began.Add(20*time.Millisecond))
			far.Close()
			close(over)
		}()
		var arrived []string
		heard := make(chan struct{})
		go func() {
			defer close(heard)
			buffer := make([]byte, 16)
			for {
				n, err := farEnd.Read(buffer)
				if err != nil {
					arrived = append(arrived, fmt.Sprintf("end at %s", time.Since(began)))
					return
				}
				arrived = append(arrived, fmt.Sprintf("%s at %s", buffer[:n], time.Since(began)))
			}
		}()
		for _, sent := range []struct {
			text string
			at   time.Duration
		}{{"before the connection", 0}, {"a", 25}, {"b", 25}, {"c", 34}, {"d", 100}} {
			time.Sleep(time.Until(began.Add(sent.at * time.Millisecond)))
			_, err := nearEnd.Write([]byte(sent.text[:1]))
			check(t, err)
		}
		time.Sleep(time.Until(began.Add(150 * time.Millisecond)))
		nearEnd.Close()
		<-over
		<-heard
		want := []string{"b at 30ms", "a at 35ms", "b at 35ms", "c at 44ms", "d at 110ms", "end at 160ms"}
		if !slices.Equal(arrived, want) {
			t.Errorf("arrived: %q, want %q", arrived, want)
		}
	})
}

func TestDistanceOfAService(t *testing.T) {
	t.Parallel()
	service, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { service.Close() })
	go func() {
		for {
			conn, err := service.Accept()
			if err != nil {
				return // closed
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	const oneWay = 10 * time.Millisecond
	address := startDistance(t, service.Addr().String(), oneWay)
	began := time.Now()
	conn, err := net.Dial("tcp", address)
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(patience)))
	for i, least := range []time.Duration{4 * oneWay, 2 * oneWay, 2 * oneWay} { // the first with the connection
		_, err := conn.Write([]byte("there and back"))
		check(t, err)
		_, err = io.ReadFull(conn, make([]byte, len("there and back")))
		check(t, err)
		if took := time.Since(began); took < least {
			t.Errorf("round trip %d takes %s, want %s", i+1, took, least)
		}
		began = time.Now()
	}
	check(t, conn.(*net.TCPConn).CloseWrite())
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the end: %v, want EOF", err)
	}
}
