package httpapi_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// TestSlowBodiesKeepNobodyOut: a body on its way takes no place among the requests, and one address has a share of the
// bodies alone. Health is answered in any case.
func TestSlowBodiesKeepNobodyOut(t *testing.T) {
	p := startPair(t, oobtest.CPSConfig{Door: httpapi.Config{InFlightMax: 16}}) // of which one address has one
	slow := p.Publish(oob.Mesh, p.Passport("slow"))
	c := p.dialHTTP1(0)
	c.say("POST " + slow.Path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " + fmt.Sprint(len(slow.Body)) +
		"\r\nAuthorization: Bearer " + p.token(slow) + "\r\n\r\n")
	if line, err := c.answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err) // says that the server has begun to read the body
	}
	_, _ = c.answers.ReadString('\n')
	p.wantFault(p.send(p.Publish(oob.Mesh, p.Passport("quick"))), oob.Overloaded, "too many requests at a time")
	p.wantFault(p.send(p.Retrieve(oob.Mesh)), oob.NotFound, "nothing is held for these numbers")
	p.wantBody(p.send(&oobtest.Attempt{Method: "GET", Path: "/health", Authorization: []string{}}), 200, `{"status":200,"message":"OK"}`)
	c.say(string(slow.Body))
	if response, text := c.answer("POST"); response.StatusCode != 201 {
		t.Errorf("%d %s", response.StatusCode, text)
	}
	p.wantBody(p.send(p.Publish(oob.Mesh, p.Passport("quick"))), 201, `{"status":201,"message":"Created"}`)
}

// TestLimitConnections: what one address has too many is closed at once; a place is free again when a connection ends.
func TestLimitConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limited := httpapi.LimitConnections(inner, 10, 2)
	defer limited.Close()
	accepted := make(chan net.Conn)
	go func() {
		for {
			conn, err := limited.Accept()
			if err != nil {
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	dial()
	first := <-accepted
	dial()
	second := <-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a third connection reads %d, %v; want its end", n, err)
	}
	first.Close()
	first.Close() // twice, as net/http may
	dial()
	third := <-accepted
	if n, err := dial().Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("one too many again reads %d, %v; want its end", n, err)
	}
	second.Close()
	third.Close()
}
