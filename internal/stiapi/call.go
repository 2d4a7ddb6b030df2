package stiapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/tn"
)

// signs are what a request shows of the trunk of its call: where it comes from and who has sent it is proven, the rest is
// what the switch says, in its URL (RFC 4904 has the names) or in a header field.
func (x *exchange) signs() trunk.Signs {
	query := x.r.URL.Query()
	label, _, _ := strings.Cut(x.r.Host, ".")
	return trunk.Signs{
		Source: addressOf(x.r.RemoteAddr).Addr(), Client: x.client.Name,
		TGRP: query.Get("tgrp"), TrunkContext: query.Get("trunk-context"), OTG: query.Get("otg"), Label: label, Header: x.r.Header.Get, Asks: x.resource.asks,
	}
}

// findTrunk finds the trunk of the call, which has to be one on which such a request makes sense.
func (d *Door) findTrunk(x *exchange) *sti.Exception {
	t, found := d.config.Dips.Find(x.signs())
	if !found {
		x.trace.Step("no trunk", "no row of the trunk table fits the request")
		return d.refuse(x, sti.NotFound)
	}
	x.trunk = t
	if !slices.Contains(x.resource.modes, t.Mode) {
		x.trace.Step("wrong trunk", x.resource.asks.String()+" is not what a trunk of mode "+t.Mode.String()+" is for")
		return d.refuse(x, sti.NotFound)
	}
	return nil
}

// parties reads the parties of a request by the rules of its trunk, as those of an INVITE are: the two ends of a TDM trunk
// may speak to different doors, and must come to the same slot. diverted is who was called before; nobody when the call was
// not diverted.
func (x *exchange) parties(orig, dest, diverted tn.Identity) trunk.Parties {
	caller := x.address(orig)
	s := trunk.Signalling{RequestURI: x.address(dest), From: caller, Asserted: []string{caller}}
	if !diverted.IsZero() && diverted != dest {
		s.Diversion = []string{x.address(diverted)}
	}
	return x.trunk.Numbering.FromSIP(s)
}

// address spells an identity as a URI in angle brackets, out of which nothing in it can break: it has none (RFC 3986 §2),
// but it may have commas. Numbers of the API are complete, except those that are shorter than every national
// number of the trunk: short codes, and subscriber numbers.
func (x *exchange) address(id tn.Identity) string {
	number, ok := id.Number()
	switch digits := number.String(); {
	case !ok:
		return "<" + id.String() + ">"
	case len(digits) < x.trunk.Numbering.Plan.NationalMin:
		return "<tel:" + digits + ">"
	default:
		return "<tel:+" + digits + ">"
	}
}

// callID tells the call of a request from all others (see stivs.Call): by who asks, by X-RequestID, and by what is said of
// the call.
//
// A request that is sent again by its switch because the answer was lost has the same X-RequestID, and is the same call. A
// switch that asks without one, or with another one because it tries its next route, asks about another call, and a
// PASSporT that has verified one does not verify it: the call goes on without a mark. The other way round would be worse.
// Whoever replays a call copies its numbers, its Date and its PASSporTs, so that these alone make no call; X-RequestID is the
// switch's own, and a caller has no say in it. Where a switch lets it have one, by taking the Call-ID for it, a replay
// within the same second as its Date says passes as a retry.
func (x *exchange) callID(said ...string) string {
	h := sha256.New()
	for _, text := range append([]string{x.client.Name, x.resource.asks.String(), x.requestID}, said...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func texts(ids ...tn.Identity) []string {
	all := make([]string, 0, len(ids))
	for _, id := range ids {
		all = append(all, id.String())
	}
	return all
}

// instanceBytesMax is how much is kept of X-InstanceID.
const instanceBytesMax = 128

// noteInstance writes into the trace who asks, and which of its machines says so.
func (x *exchange) noteInstance() {
	if instance := x.r.Header.Get("X-InstanceID"); instance != "" {
		x.trace.Step("instance", instance[:min(len(instance), instanceBytesMax)])
	}
	x.trace.Step("client", x.client.Name)
}

// addressOf reads the address of a connection; the zero one where there is none, as in a test without a network.
func addressOf(remote string) netip.AddrPort {
	address, _ := netip.ParseAddrPort(remote)
	return netip.AddrPortFrom(address.Addr().Unmap(), address.Port())
}

func localOf(r *http.Request) netip.AddrPort {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.AddrPort{}
	}
	return addressOf(local.String())
}
