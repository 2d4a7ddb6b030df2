package main

import (
	"os"
	"strings"
	"testing"
)

// TestSIPSmoke measures nothing: every server has to answer every call of a short run as it should, over both transports.
func TestSIPSmoke(t *testing.T) {
	p := newSIPPlan()
	p.shrink()
	p.Log = t.Logf
	p.Servers = nil
	for _, s := range sipServers {
		t.Run(s.name, func(t *testing.T) {
			if s.here != nil {
				if err := s.here(); err != nil {
					t.Skipf("NOT MEASURED: %v", err)
				}
			}
			p.Servers = append(p.Servers, s)
		})
	}
	figures, err := compareSIP(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Servers[1:] {
		answered, highest := 0, 0
		for _, f := range figures {
			if !strings.Contains(f.Name, s.name) {
				continue
			}
			if f.Unit == "%" {
				answered++
				if f.Value != 100 || f.Floor != 100 {
					t.Errorf("%s: %v %% and %v %%", f.Name, f.Floor, f.Value)
				}
			}
			if f.Unit == "calls/s" {
				highest++ // its value depends on what else the machine does
			}
		}
		if answered < len(p.Transports) || s.ours && highest != len(p.Transports) {
			t.Errorf("%s: figures are missing: %+v", s.name, figures)
		}
	}
}

func TestFiguresWithoutKamailioAreMissed(t *testing.T) {
	p := newSIPPlan()
	p.shrink()
	p.Steps, p.SippCalls, p.MemoryCalls, p.Transports = nil, 0, 0, []string{udp}
	p.Servers = []sipServer{{name: "Nobody", here: func() error { return os.ErrNotExist }}, {name: "Viaduct", role: roleViaduct, ours: true}}
	figures, err := compareSIP(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	missed := map[string]bool{}
	for _, f := range figures {
		missed[f.Name] = f.missed()
	}
	for _, name := range []string{"SIP sign dip, Nobody", "SIP sign dip, Viaduct, UDP at 100/s, server CPU"} {
		if !missed[name] {
			t.Errorf("%s: not missed among %v", name, missed)
		}
	}
}

// TestIdentityHasTheLengthOfTheField: secsipid's and ours differ only in claims of equal length.
func TestIdentityHasTheLengthOfTheField(t *testing.T) {
	with, id, err := newSigner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	environment, err := with.environment()
	if err != nil {
		t.Fatal(err)
	}
	name, value, _ := strings.Cut(environment, "=")
	t.Setenv(name, value)
	as, err := authentication()
	if err != nil {
		t.Fatal(err)
	}
	placed := call{volley: 1, number: 12_345}
	orig, dest, err := placed.parties()
	if err != nil {
		t.Fatal(err)
	}
	identity, err := signCall(as, orig.String(), dest.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(identity) < 610 || len(identity) > 635 {
		t.Errorf("%d bytes", len(identity))
	}
	if err := checkSignature(identity, placed, &id.Key.PublicKey, with.X5U); err != nil {
		t.Error(err)
	}
	if err := checkSignature(identity, call{volley: 1, number: 12_346}, &id.Key.PublicKey, with.X5U); err == nil {
		t.Error("the PASSporT of another call was taken")
	}
}
