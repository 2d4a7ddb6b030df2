package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/cps"
	"github.com/viaduct-oob/viaduct/internal/httpapi"
	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/local"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/oobtest"
)

// spender is a store in which no token can be spent.
type spender struct {
	oob.Store
	fault error
}

func (s *spender) Spend(context.Context, oob.TokenUse) error { return s.fault }

// relays wants several in one request to be what the description allows, with all their answers.
func (d *description) relays(t *testing.T) {
	d.Helper()
	good := func(context.Context) error { return nil }
	start := func(spending error, c cps.RelayConfig) *pair {
		s := local.Open(store.Config{})
		t.Cleanup(func() { s.Close() })
		if c.Accepts == nil {
			c.Accepts = func(string) bool { return true }
		}
		config := oobtest.CPSConfig{Service: cps.Config{Store: s, Relay: c}, Door: httpapi.Config{BodyTimeout: soon}}
		if spending != nil {
			config.Service.Store = &spender{s, spending}
		}
		return startPair(t, config)
	}
	p := startRelayed(t, good)
	for _, spoil := range []func(*oobtest.Attempt){
		func(a *oobtest.Attempt) {
			var body any
			if err := json.Unmarshal(a.Body, &body); err != nil {
				d.Fatal(err)
			}
			d.Valid("several relays", d.Of("components", "schemas", "Relays"), body)
		},
		func(a *oobtest.Attempt) { a.Body = append(a.Body, ' ') },
		func(a *oobtest.Attempt) { a.Access.Audience = nil },
		func(a *oobtest.Attempt) { a.Method = http.MethodGet },
		func(a *oobtest.Attempt) { a.Body = []byte(strings.Repeat(" ", atis.RelaysBytesMax+1)) },
		func(a *oobtest.Attempt) { a.Header = http.Header{"Content-Type": {"text/plain"}} },
	} {
		a := p.together(p.Passport("x"), p.Passport("y"))
		spoil(a)
		d.fits("post /relays", p.send(a))
	}
	for _, p := range []*pair{
		start(nil, cps.RelayConfig{Accepts: func(string) bool { return false }}),
		start(nil, cps.RelayConfig{Rate: cps.Rate{PerSecond: 1, Burst: 1}}),
		start(errors.New("broken"), cps.RelayConfig{}),
		start(oob.Faultf(oob.Overloaded, "full"), cps.RelayConfig{}),
	} {
		d.fits("post /relays", p.send(p.together(p.Passport("x"), p.Passport("y"))))
	}
	late := start(nil, cps.RelayConfig{})
	d.fits("post /relays", late.slow(late.together(late.Passport("x"))))
}

// startRelayed is a CPS that takes everybody's relays, with a say in what comes before its store.
func startRelayed(t *testing.T, before func(context.Context) error) *pair {
	t.Helper()
	s := local.Open(store.Config{})
	t.Cleanup(func() { s.Close() })
	return startPair(t, oobtest.CPSConfig{Service: cps.Config{
		Store: &shelf{s, before}, Relay: cps.RelayConfig{Accepts: func(string) bool { return true }},
	}})
}

// together are the calls of these PASSporTs, passed on by the downstream provider in one request. Those with an empty one lack the token.
func (p *pair) together(passports ...string) *oobtest.Attempt {
	p.Helper()
	body := atis.BeginRelays(0)
	for _, one := range passports {
		token := ""
		if one != "" {
			token = p.token(p.Publish(oob.Mesh, one))
		} else {
			one = p.Passport("without a token")
		}
		body = atis.AppendOneOfRelays(body, p.Key(oob.Mesh), atis.WriteRelay([]string{one}, token))
	}
	a := p.Publish(oob.Mesh, "a.b.c")
	a.Signer, a.Path, a.Body = p.Downstream, atis.RelaysPath, atis.EndRelays(body)
	a.Access.Action, a.Access.Issuer, a.Access.Subject = oob.ActionRepublish, p.Downstream.SPC, p.Downstream.SPC
	a.Access.Dest, a.Access.Orig, a.Access.Digest = oob.Key{}.Dest, oob.Key{}.Orig, atis.RelaysDigest(a.Body)
	return a
}

// TestSeveralRelays_AreCountedAndFaultsOfOursLogged: each of several counts as one that comes alone, and where the fault is ours the log
// tells more, under the id that who relays is told.
func TestSeveralRelays_AreCountedAndFaultsOfOursLogged(t *testing.T) {
	var calls atomic.Int64
	p := startRelayed(t, func(context.Context) error {
		if calls.Add(1) == 2 {
			return errors.New("broken")
		}
		return nil
	})
	bad, good := p.Passport("bad"), p.Passport("good")
	got := p.send(p.together(p.Passport("first"), bad, "", good))
	each, ok := atis.ReadRelaysAnswer([]byte(got.Body), 4)
	broken, stati := 0, map[int]int{}
	for i, one := range each {
		if stati[one.Status]++; one.Status == 500 {
			broken = i // any: they are stored at once
		}
	}
	if got.Status != http.StatusOK || !ok || !maps.Equal(stati, map[int]int{201: 2, 500: 1, 400: 1}) || each[2].Status != 400 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	lines, text := p.log.take(t)
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), text)
	}
	p.silent("log", text, bad, good)
	p.silent("answer", got.Body, bad, good)
	id, _ := lines[0]["request"].(string)
	for name, want := range map[string]any{
		"level": "ERROR", "msg": "request", "resource": "/relays", "status": 500.0, "spc": p.Downstream.SPC, "fault": "internal", "cause": "broken",
	} {
		if lines[0][name] != want {
			t.Errorf("of the relay, %s is %v, want %v", name, lines[0][name], want)
		}
	}
	if id == "" || !strings.Contains(string(each[broken].Body), id) || strings.Contains(got.Body, "broken") {
		t.Errorf("the log has request %q, and who relays is told %s", id, got.Body)
	}
	if lines[1]["level"] != "INFO" || lines[1]["status"] != 200.0 {
		t.Errorf("of the request: %v", lines[1])
	}
	p.counted(map[string]uint64{"relays mesh ": 1, "republish mesh ": 2, "republish mesh internal": 1, "republish mesh malformed": 1})
}

// TestSeveralRelays_OneThatPanicsIsAFaultOfOurs, and takes nobody along.
func TestSeveralRelays_OneThatPanicsIsAFaultOfOurs(t *testing.T) {
	var calls atomic.Int64
	p := startRelayed(t, func(context.Context) error {
		if calls.Add(1) == 1 {
			panic("a bug")
		}
		return nil
	})
	got := p.send(p.together(p.Passport("x"), p.Passport("y")))
	each, ok := atis.ReadRelaysAnswer([]byte(got.Body), 2)
	if !ok || each[0].Status+each[1].Status != http.StatusCreated+http.StatusInternalServerError || strings.Contains(got.Body, "a bug") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if _, text := p.log.take(t); !strings.Contains(text, "a bug") {
		t.Errorf("logged: %s", text)
	}
}

// TestSeveralRelays_AreStoredAtOnce: none of them waits for another to be in the log.
func TestSeveralRelays_AreStoredAtOnce(t *testing.T) {
	const several = 8
	var come atomic.Int64
	allThere := make(chan struct{})
	p := startRelayed(t, func(context.Context) error {
		if come.Add(1) == several {
			close(allThere)
		}
		select {
		case <-allThere:
			return nil
		case <-t.Context().Done(): // who has sent them has given up
			return t.Context().Err()
		}
	})
	var passports []string
	for i := range several {
		passports = append(passports, p.Passport(strconv.Itoa(i)))
	}
	got := p.send(p.together(passports...))
	each, ok := atis.ReadRelaysAnswer([]byte(got.Body), several)
	if !ok || slices.ContainsFunc(each, func(one atis.RelayStatus) bool { return one.Status != http.StatusCreated }) {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
}

// TestRelays_OneThatComesAloneIsCountedAsOneOfSeveral is.
func TestRelays_OneThatComesAloneIsCountedAsOneOfSeveral(t *testing.T) {
	p := startRelayed(t, func(context.Context) error { return nil })
	a := p.Publish(oob.Mesh, p.Passport("x"))
	a.Body = atis.WriteRelay([]string{p.Passport("x")}, p.token(p.Publish(oob.Mesh, p.Passport("x"))))
	a.Signer, a.Access.Action, a.Access.Issuer, a.Access.Subject = p.Downstream, oob.ActionRepublish, p.Downstream.SPC, p.Downstream.SPC
	if got := p.send(a); got.Status != http.StatusCreated {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	p.counted(map[string]uint64{"republish mesh ": 1})
}

// counted wants these requests to be counted and no others, by operation, profile and fault.
func (p *pair) counted(want map[string]uint64) {
	p.Helper()
	families, err := p.metrics.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "oob_cps_request_seconds" {
		p.Fatalf("%v, %v", families, err)
	}
	for _, metric := range families[0].GetMetric() {
		labels := map[string]string{}
		for _, label := range metric.GetLabel() {
			labels[label.GetName()] = label.GetValue()
		}
		name := fmt.Sprintf("%s %s %s", labels["operation"], labels["profile"], labels["fault"])
		if got := metric.GetHistogram().GetSampleCount(); got != want[name] || len(labels) != 3 {
			p.Errorf("%v: %d, want %d", labels, got, want[name])
		}
		delete(want, name)
	}
	for name := range want {
		p.Errorf("%q is not counted", name)
	}
}
