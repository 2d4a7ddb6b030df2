package sipgw

import (
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
)

// Signalling is what a request says of the parties of its call.
func Signalling(r *siptx.Request) trunk.Signalling {
	return trunk.Signalling{
		RequestURI: r.URI, From: r.Value("From"), To: r.Value("To"), Asserted: r.Values("P-Asserted-Identity"),
		Privacy: r.Values("Privacy"), Diversion: r.Values("Diversion"), HistoryInfo: r.Values("History-Info"),
		ChargeInfo: r.Values("P-Charge-Info"), ResourcePriority: r.Values("Resource-Priority"), Priority: r.Values("Priority"),
	}
}

// Find gives the row of a table that a gateway finds for a request, nil for none, and the signs that it went by.
func Find(table *trunk.Table, r *siptx.Request) (*trunk.Row, trunk.Signs) {
	a := &asking{Gateway: &Gateway{}, request: r}
	a.uri, _ = readURI(r.URI)
	a.contact = a.readContact()
	return choose(a.signs(), table.Match)
}
