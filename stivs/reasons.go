package stivs

import (
	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
)

// phrases are the reason phrases of the codes, as SIP has them; the API of ATIS-1000082 spells two of them otherwise.
var phrases = map[int]string{
	403: "Stale Date",
	436: "Bad Identity Info",
	437: "Unsupported Credential",
	438: "Invalid Identity Header",
}

// Reasons says in Reason header field values what was wrong with the Identity header fields of a call that goes on: they
// belong into the next provisional response but 100, or the final one (RFC 9410 §4). Of PASSporTs that came out of band
// nothing is said: nobody upstream has sent them.
//
// In the form STIR there is one value for each bad PASSporT, with the compact form of it, also where a good one has
// made the call pass (RFC 9410 §6). Any other protocol can have one value alone (RFC 9366 §3): that of the verdict, else
// that of the first bad PASSporT.
func Reasons(v oob.Verdict, protocol identity.ReasonProtocol) []identity.Reason {
	var reasons []identity.Reason
	decided := v.Code == 0 || v.Source == oob.SourceOutOfBand
	for _, t := range v.Tokens {
		if t.Source != oob.SourceInBand || t.Ignored || t.Code == 0 {
			continue
		}
		decided = decided || t.Case == v.Case
		reasons = append(reasons, reason(protocol, t.Code, t.Passport))
	}
	if !decided && v.Doubt == "" { // not by a PASSporT that was judged, and not because of one that is good in itself
		reasons = append([]identity.Reason{reason(protocol, v.Code, v.Passport)}, reasons...)
	}
	if protocol == identity.ReasonSTIR || len(reasons) == 0 {
		return reasons
	}
	r := reasons[0]
	if v.Code != 0 && v.Source != oob.SourceOutOfBand {
		r = reason(protocol, v.Code, "")
	}
	r.PPI = ""
	return []identity.Reason{r}
}

func reason(protocol identity.ReasonProtocol, code int, token string) identity.Reason {
	return identity.Reason{Protocol: protocol, Cause: code, Text: phrases[code], PPI: identity.CompactForm(token)}
}
