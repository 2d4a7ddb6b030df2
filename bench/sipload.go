package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// The transports, as a Via field names them.
const (
	udp = "UDP"
	tcp = "TCP"
)

const (
	linesEach = 4  // sockets or connections of a volley
	checkEach = 64 // of so many calls one has its signature verified, after the volley
)

// volley is what came of a slice of calls at a fixed rate. A call counts from the instant at which it was due, whether or
// not the generator was in time. Nothing is sent twice: what is lost stays unanswered.
type volley struct {
	offered   int
	answered  int             // as they should be: see checkAnswer
	wrong     int             // otherwise
	repeated  int             // final answers that came again, as of a server that has not seen the ACK
	latencies []time.Duration // of those answered
	late      []time.Duration // by which calls were sent after they were due
	cpu       time.Duration   // of the server, from the first call until the last is answered or given up
	foreign   float64         // what else the machine did meanwhile, in percent of a core
	fault     error           // the first that is wrong
}

// percentile is the latency, in milliseconds, that p percent of the answered calls did not exceed.
func (v volley) percentile(p float64) float64 { return percentileOf(v.latencies, p) }

// answeredPercent is how many of a hundred calls were answered as they should be.
func (v volley) answeredPercent() float64 { return 100 * float64(v.answered) / float64(v.offered) }

// clean tells whether a server stands the rate: it answers every call, and does not only let them queue up in the socket's
// buffer, where half of the calls would wait longer than this.
func (v volley) clean() bool { return v.answered == v.offered && v.percentile(50) <= 25 }

// outrun tells whether it was the generator that could not stand the rate.
func (v volley) outrun() bool { return percentileOf(v.late, 50) > 5 }

func (v volley) String() string {
	text := fmt.Sprintf("offered %d, answered %.2f %%, wrong %d, repeated %d, p50 %.2f, p95 %.2f, p99 %.2f ms, sent late p99 %.2f ms, CPU %.1f µs/call, others %.0f %%",
		v.offered, v.answeredPercent(), v.wrong, v.repeated, v.percentile(50), v.percentile(95), v.percentile(99), percentileOf(v.late, 99),
		v.cpuMicroseconds(), v.foreign)
	if v.fault != nil {
		text += ": " + v.fault.Error()
	}
	return text
}

// cpuMicroseconds is the server's processor time per call.
func (v volley) cpuMicroseconds() float64 { return microseconds(v.cpu) / float64(v.offered) }

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func percentileOf(list []time.Duration, p float64) float64 {
	return percentile(each(list, func(d time.Duration) float64 { return microseconds(d) / 1e3 }), p)
}

// exchange places calls at a server.
type exchange struct {
	patience time.Duration                    // how long after the last call answers count
	check    func(value string, c call) error // of an Identity field value
	volleys  int                              // so far
	awake    *process                         // keeps the servers' core awake; may be nil
}

// load is one volley under way.
type load struct {
	number   int // of the volley
	began    time.Time
	interval time.Duration
	states   []state       // by number of the call; each is written by the one line that carries it
	open     atomic.Int64  // calls without a final answer
	done     chan struct{} // closed when there are none
	check    func(value string, c call) error

	mu       sync.Mutex
	wrong    int
	repeated int
	fault    error
	samples  []sample
}

// state is how one call stands.
type state struct {
	late, latency time.Duration
	final, good   bool
}

// sample is an answer that is looked at more closely later.
type sample struct {
	call  call
	value string
}

// fire places `rate` calls a second at a server for a while.
func (e *exchange) fire(ctx context.Context, server *process, transport string, rate int, length time.Duration) (volley, error) {
	began := time.Now()
	cpu, own, all := server.cpu(), e.ownCPU(), machineCPU()
	v, err := e.place(ctx, server.SIP, transport, rate, length)
	if err != nil {
		return volley{}, err
	}
	v.cpu = server.cpu() - cpu
	others := machineCPU() - all - v.cpu - (e.ownCPU() - own)
	v.foreign = 100 * max(0, others.Seconds()/time.Since(began).Seconds())
	return v, nil
}

// ownCPU is the processor time of the measurement itself.
func (e *exchange) ownCPU() time.Duration {
	total := cpuOf(os.Getpid())
	if e.awake != nil {
		total += e.awake.cpu()
	}
	return total
}

func (e *exchange) place(ctx context.Context, address, transport string, rate int, length time.Duration) (volley, error) {
	e.volleys++
	n := max(int(float64(rate)*length.Seconds()), 1)
	l := &load{number: e.volleys, interval: time.Second / time.Duration(rate), states: make([]state, n), done: make(chan struct{}), check: e.check}
	l.open.Store(int64(n))
	connections := make([]net.Conn, linesEach)
	for i := range connections {
		connection, err := net.Dial(strings.ToLower(transport), address)
		if err != nil {
			return volley{}, err
		}
		defer connection.Close()
		if socket, ok := connection.(*net.UDPConn); ok {
			if err := socket.SetReadBuffer(socketBuffer); err != nil {
				return volley{}, err
			}
		}
		connections[i] = connection
	}
	if err := l.run(ctx, transport, connections, e.patience); err != nil {
		return volley{}, err
	}
	return l.result(), nil
}

// run sends what is due and collects the answers.
func (l *load) run(ctx context.Context, transport string, connections []net.Conn, patience time.Duration) error {
	l.began = time.Now()
	end := l.began.Add(time.Duration(len(l.states))*l.interval + patience)
	lines := make([]line, len(connections))
	var receivers sync.WaitGroup
	for i, connection := range connections {
		lines[i] = line{transport: transport, local: connection.LocalAddr().String(), server: connection.RemoteAddr().String()}
		if err := connection.SetDeadline(end); err != nil { // so that nobody waits for a server that takes no more
			return err
		}
		receivers.Go(func() { l.receive(lines[i], connection) })
	}
	l.send(ctx, lines, connections)
	select {
	case <-l.done:
	case <-time.After(time.Until(end)):
	case <-ctx.Done():
	}
	// An answer that comes again would come now; then the receivers end.
	for _, connection := range connections {
		if err := connection.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			return err
		}
	}
	receivers.Wait()
	return ctx.Err()
}

func (l *load) send(ctx context.Context, lines []line, connections []net.Conn) {
	var invite []byte
	for i := range l.states {
		due := l.began.Add(time.Duration(i) * l.interval)
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			return
		}
		over := i % len(lines)
		invite = lines[over].appendInvite(invite[:0], call{volley: l.number, number: i})
		l.states[i].late = time.Since(due)
		if _, err := connections[over].Write(invite); err != nil {
			l.complain(err)
		}
	}
}

// receive reads messages until the connection's deadline.
func (l *load) receive(over line, connection net.Conn) {
	next := datagrams(connection)
	if over.transport == tcp {
		next = stream(connection)
	}
	var ack []byte
	for {
		message, err := next()
		if err != nil {
			return // the deadline, or a server that has gone: what is unanswered is seen
		}
		c, ok := callOf(message)
		if !ok || c.volley != l.number || c.number >= len(l.states) || isProvisional(message) {
			continue
		}
		if !bytes.HasSuffix(field(message, "CSeq"), []byte("INVITE")) {
			l.complain(errors.New("an answer to an ACK"))
			continue
		}
		ack = over.appendACK(ack[:0], c, field(message, "To"))
		if _, err := connection.Write(ack); err != nil {
			l.complain(err)
		}
		l.finish(c, message)
	}
}

// finish notes a final answer.
func (l *load) finish(c call, message []byte) {
	s := &l.states[c.number]
	if s.final {
		l.mu.Lock()
		l.repeated++
		l.mu.Unlock()
		return
	}
	s.final, s.latency = true, time.Since(l.began.Add(time.Duration(c.number)*l.interval))
	if err := checkAnswer(message); err != nil {
		l.complain(err)
	} else if s.good = true; c.number%checkEach == 0 {
		l.mu.Lock()
		l.samples = append(l.samples, sample{c, string(field(message, "Identity"))})
		l.mu.Unlock()
	}
	if l.open.Add(-1) == 0 {
		close(l.done)
	}
}

func (l *load) complain(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong++
	if l.fault == nil {
		l.fault = err
	}
}

// result verifies the samples and sums up.
func (l *load) result() volley {
	for _, s := range l.samples {
		if err := l.check(s.value, s.call); err != nil {
			l.complain(err)
			l.states[s.call.number].good = false
		}
	}
	v := volley{offered: len(l.states), wrong: l.wrong, repeated: l.repeated, fault: l.fault}
	for _, s := range l.states {
		v.late = append(v.late, s.late)
		if s.good {
			v.answered, v.latencies = v.answered+1, append(v.latencies, s.latency)
		}
	}
	return v
}

// datagrams gives one message after the other; each is valid until the next.
func datagrams(connection net.Conn) func() ([]byte, error) {
	buffer := make([]byte, 1<<16)
	return func() ([]byte, error) {
		for {
			n, err := connection.Read(buffer)
			if errors.Is(err, syscall.ECONNREFUSED) {
				continue // that was about one message that had been sent
			}
			return buffer[:n], err
		}
	}
}

// stream gives one message after the other, by its Content-Length (RFC 3261 §18.3); each is valid until the next.
func stream(connection net.Conn) func() ([]byte, error) {
	reader := bufio.NewReaderSize(connection, 1<<16)
	return func() ([]byte, error) {
		for wanted := 1; ; {
			seen, err := reader.Peek(max(wanted, reader.Buffered()))
			if err != nil {
				return nil, err
			}
			head := bytes.Index(seen, []byte("\r\n\r\n"))
			if head < 0 {
				wanted = len(seen) + 1
				continue
			}
			body := max(digits(field(seen[:head+2], "Content-Length")), 0)
			if wanted = head + 4 + body; len(seen) < wanted {
				continue
			}
			_, err = reader.Discard(wanted)
			return seen[:wanted], err
		}
	}
}
