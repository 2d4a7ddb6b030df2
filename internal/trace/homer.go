package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/viaduct-oob/viaduct/internal/backlog"
)

// HEPConfig has each record sent to a capture server in HEP3, such as Homer: the SIP messages as type 1 where the role is
// Full, and the record as JSON, type 100, all with the Call-ID as correlation id.
type HEPConfig struct {
	Addr     string // host and port of the capture server
	UDP      bool   // instead of TCP: a signed INVITE does not fit into one unfragmented datagram
	Agent    uint32 // capture agent id
	Password string // capture password; empty for none
	Role     Role   // what the readers of the capture may see; Masked sends no messages
}

const (
	hepDialTime  = 3 * time.Second
	hepWriteTime = 5 * time.Second
	hepRetryMin  = time.Second // after a failure, doubled each time
	hepRetryMax  = 30 * time.Second
)

// HEPStats are the counters of the capture since Open. TCP tells nobody what a server that goes away has not read.
type HEPStats struct {
	Sent     uint64 // packets
	Dropped  uint64 // records that were lost because the server could not be reached
	Oversize uint64 // packets left out because they exceed what HEP3, or a datagram, can hold
	Errors   uint64 // connections that could not be made or written to
	Ended    uint64 // connections over TCP that have ended, whoever ended them
}

// homer is the output to a capture server.
type homer struct {
	cfg   HEPConfig
	queue *backlog.Queue[captured]
	conn  net.Conn // of run alone; nil when there is none

	sent, oversize, errors, ended atomic.Uint64
}

type captured struct {
	record *Record
	json   []byte
}

func newHomer(cfg HEPConfig) (*homer, error) {
	if _, port, err := net.SplitHostPort(cfg.Addr); err != nil || port == "" {
		return nil, errors.New("the address is host:port")
	}
	if len(cfg.Password) > TextBytesMax {
		return nil, fmt.Errorf("the password has at most %d bytes", TextBytesMax)
	}
	return &homer{cfg: cfg, queue: backlog.New[captured]()}, nil
}

func (h *homer) offer(record *Record, line func(Role) []byte) {
	item := captured{record, line(h.cfg.Role)}
	size := len(item.json)
	for _, m := range record.Messages {
		size += len(m.Bytes)
	}
	h.queue.Add(item, size)
}

func (h *homer) Run() {
	defer h.queue.Done()
	for {
		item, ok := h.queue.Take()
		if !ok {
			break
		}
		for _, p := range h.packets(item) {
			if !h.send(p) {
				h.queue.Lose(1)
				break
			}
			h.sent.Add(1)
		}
	}
	h.hangUp()
}

// packets are what is sent of one record.
func (h *homer) packets(item captured) (packets [][]byte) {
	r := item.record
	correlation := r.CallID
	if h.cfg.Role != Full {
		correlation = r.View(Masked).CallID
	}
	add := func(p hepPacket) {
		p.agent, p.password, p.correlation = h.cfg.Agent, h.cfg.Password, correlation
		packet, err := p.append(nil)
		if err != nil {
			h.oversize.Add(1)
			return
		}
		packets = append(packets, packet)
	}
	if h.cfg.Role == Full {
		for _, m := range r.Messages {
			if m.Transport != "http" {
				add(hepPacket{at: r.Began.Add(m.At), transport: m.Transport, from: m.From, to: m.To, kind: hepSIP, payload: m.Bytes})
			}
		}
	}
	add(hepPacket{at: r.Began.Add(r.Took), transport: r.Door, from: r.Peer, to: r.Local, kind: hepJSON, payload: item.json})
	return packets
}

// send brings one packet to the server. Over TCP it tries until there is no more time; over UDP a packet is lost when the
// server is away.
func (h *homer) send(packet []byte) bool {
	for pause := hepRetryMin; ; pause = min(2*pause, hepRetryMax) {
		if h.dial() {
			h.conn.SetWriteDeadline(time.Now().Add(hepWriteTime))
			_, err := h.conn.Write(packet)
			if err == nil {
				return true
			}
			h.errors.Add(1)
			h.hangUp()
			if h.cfg.UDP {
				return false
			}
			if pause == hepRetryMin && h.dial() { // a connection that has rested for long is made anew at once
				continue
			}
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-h.queue.Context().Done():
			return false
		}
	}
}

// dial makes sure of a connection.
func (h *homer) dial() bool {
	if h.conn != nil {
		return true
	}
	network := "tcp"
	if h.cfg.UDP {
		network = "udp"
	}
	dialer := net.Dialer{Timeout: hepDialTime}
	conn, err := dialer.DialContext(h.queue.Context(), network, h.cfg.Addr)
	if err != nil {
		h.errors.Add(1)
		return false
	}
	if !h.cfg.UDP {
		go h.watch(conn)
	}
	h.conn = conn
	return true
}

// watch closes a connection that the server has closed, so that the next packet goes over a new one.
func (h *homer) watch(conn net.Conn) {
	io.Copy(io.Discard, conn)
	conn.Close()
	h.ended.Add(1)
}

func (h *homer) hangUp() {
	if h.conn != nil {
		h.conn.Close()
		h.conn = nil
	}
}

func (h *homer) Close(ctx context.Context) error { return h.queue.Close(ctx) }

func (h *homer) stats() HEPStats {
	return HEPStats{Sent: h.sent.Load(), Dropped: h.queue.Dropped(), Oversize: h.oversize.Load(), Errors: h.errors.Load(), Ended: h.ended.Load()}
}
