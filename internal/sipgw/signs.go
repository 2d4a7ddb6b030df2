package sipgw

import (
	"net/netip"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/dip"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// readContact reads the Contact of the switch, if there is one alone.
func (a *asking) readContact() address {
	values := a.request.Values("Contact")
	if len(values) == 0 || len(values) == 1 && values[0] == "*" {
		return address{}
	}
	list, whole := splitList(values[:1])
	if !whole || len(list) == 0 {
		a.tally.unread.Add(1)
		return address{}
	}
	contact, ok := readAddress(list[0])
	if !ok {
		a.tally.unread.Add(1)
	}
	return contact
}

// find gives the trunk that the request belongs to; nil for none.
//
// Contact names the trunk group that a call comes from, the Request-URI that to which it is to go (RFC 4904 §5). A switch may
// name both: the row that asks for the one to which it goes comes first, then the row that asks for the other. A proxy that
// passes on the Contact of telephones lets them choose; its trunks are better told by label or header.
func (a *asking) find() *dip.Trunk {
	found, _ := choose(a.signs(), a.config.Dips.Find)
	return found
}

// signs are what the request shows of its trunk.
func (a *asking) signs() signs {
	s := trunk.Signs{Source: a.request.Source.Addr(), OTG: a.originating(), Label: firstLabel(a.uri.host), Header: a.request.Value}
	if len(a.request.Peer) > 0 && len(a.request.Peer[0].DNSNames) > 0 {
		s.Client = a.request.Peer[0].DNSNames[0]
	}
	both := signs{}
	s.TGRP, s.TrunkContext = trunkGroup(&a.contact.uri)
	both.from = s
	s.TGRP, s.TrunkContext = trunkGroup(&a.uri)
	both.to = s
	return both
}

// signs are what a request shows of its trunk, with the group to which the call goes and with that from which it comes.
type signs struct{ to, from trunk.Signs }

// choose finds the trunk of a request, and by which of its signs. T is a row, or has one.
func choose[T interface{ ForGroup() bool }](s signs, look func(trunk.Signs) (T, bool)) (found T, by trunk.Signs) {
	found, ok := look(s.to)
	if ok && found.ForGroup() || s.from.TGRP == "" || s.from.TGRP == s.to.TGRP && s.from.TrunkContext == s.to.TrunkContext {
		return found, s.to
	}
	if other, named := look(s.from); named && (!ok || other.ForGroup()) {
		return other, s.from
	}
	return found, s.to
}

// trunkGroup reads the trunk group in the user of a SIP URI, or in a tel URI (RFC 4904 §4).
func trunkGroup(u *uri) (group, context string) {
	if u.marks == "" {
		return "", ""
	}
	group, _ = parameter(u.marks, "tgrp")
	if group != "" {
		context, _ = parameter(u.marks, "trunk-context")
	}
	return group, context
}

// originating reads the originating trunk group in the way of switches that do not know RFC 4904: a parameter otg or trgp of
// Contact, From or Request-URI, in whatever place.
func (a *asking) originating() string {
	if group := originatingIn(&a.contact); group != "" {
		return group
	}
	if value := a.request.Value("From"); mayHold(value, "otg") || mayHold(value, "trgp") {
		if from, ok := readAddress(value); ok {
			if group := originatingIn(&from); group != "" {
				return group
			}
		}
	}
	return originatingIn(&address{uri: a.uri})
}

func originatingIn(a *address) string {
	for _, params := range [...]string{a.marks, a.uri.params, a.params} {
		if params == "" {
			continue
		}
		for _, name := range [...]string{"otg", "trgp"} {
			if group, found := parameter(params, name); found && group != "" {
				return group
			}
		}
	}
	return ""
}

// firstLabel is that of a host name; of an address there is none.
func firstLabel(host string) string {
	label, rest, _ := strings.Cut(host, ".")
	if rest == "" || rest[len(rest)-1] >= '0' && rest[len(rest)-1] <= '9' {
		if _, err := netip.ParseAddr(host); err == nil {
			return ""
		}
	}
	return label
}
