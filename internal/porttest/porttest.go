// Package porttest gives tests ports of loopback that nobody uses, and that nobody is given by chance.
//
// Knows: which ports are free. Never hears of: who is going to listen.
//
// A port that was had with ":0" and closed again is given by the kernel to whoever wants any, before the server that a test starts
// comes to listen on it. So these are below those that the kernel gives away, from 32768 on. They come in blocks; who listens on the
// first port of one has all of it, so that tests of several processes never meet.
package porttest

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

var ports struct {
	mu         sync.Mutex
	next, last int            // guarded by mu
	held       []net.Listener // guarded by mu
}

const (
	first = 10_000
	end   = 32_000
	block = 1000
)

// Address is a loopback address of network, "tcp" or "udp", that no other call gives.
func Address(network string) (string, error) {
	for {
		port, err := next()
		if err != nil {
			return "", err
		}
		if address := fmt.Sprintf("127.0.0.1:%d", port); free(network, address) {
			return address, nil
		}
	}
}

func next() (int, error) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for at := first; ports.next == ports.last; at += block {
		if at >= end {
			return 0, errors.New("no block of ports is free")
		}
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", at)); err == nil {
			ports.held = append(ports.held, listener)
			ports.next, ports.last = at+1, at+block
		}
	}
	ports.next++
	return ports.next - 1, nil
}

func free(network, address string) bool {
	if network == "udp" {
		conn, err := net.ListenPacket(network, address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	listener, err := net.Listen(network, address)
	if err == nil {
		listener.Close()
	}
	return err == nil
}
