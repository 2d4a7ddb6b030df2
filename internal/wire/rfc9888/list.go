package rfc9888

import (
	"errors"
	"net/url"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/jws"
	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// ListMax is how many items a list may have.
const ListMax = wire.RetrievedMax

// WriteList is the answer to a list: references to the items of records, in their order, below base, which is empty or a
// path without slash at its end. Records that begin with the same PASSporT are one item.
func WriteList(base string, dest tn.Number, records []oob.Record) []byte {
	var items []string
	known := map[string]bool{}
	for _, r := range records {
		if len(r.Passports) == 0 || len(items) == ListMax {
			continue
		}
		if id := oob.PassportID(r.Passports[0]); !known[id] {
			known[id] = true
			items = append(items, base+ItemPath(dest, id))
		}
	}
	return wire.AppendArray(nil, items)
}

// ReadList reads a list that was found at collection and gives the absolute URLs of its items, each once, in their order. An item
// that is not below its collection is refused: what proves who asks is shown to no other place.
func ReadList(collection *url.URL, body []byte) ([]string, error) {
	references, err := readReferences(body)
	if err != nil {
		return nil, err
	}
	home := *collection
	home.RawQuery, home.Fragment, home.RawFragment = "", "", ""
	below := strings.TrimSuffix(home.EscapedPath(), "/") + "/"
	items := make([]string, 0, len(references))
	known := map[string]bool{}
	for _, reference := range references {
		u, err := home.Parse(reference)
		if err != nil {
			return nil, oob.Faultf(oob.Malformed, "an element of the list is no URI reference")
		}
		id, inside := strings.CutPrefix(u.EscapedPath(), below)
		if u.Scheme != home.Scheme || u.Host != home.Host || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
			!inside || !isSegment(strings.TrimSuffix(id, "/")) {
			return nil, oob.Faultf(oob.Malformed, "an element of the list is not below the collection")
		}
		if item := u.String(); !known[item] {
			known[item] = true
			items = append(items, item)
		}
	}
	return items, nil
}

func readReferences(body []byte) ([]string, error) {
	var references []string
	_, err := jws.Array(body, wire.DepthMax, func(i int, value jws.Value) error {
		reference, ok := jws.String(value)
		switch {
		case !ok:
			return oob.Faultf(oob.Malformed, "an element of the list is not a string")
		case i == ListMax:
			return oob.Faultf(oob.TooLarge, "the list has more than %d elements", ListMax)
		}
		references = append(references, reference)
		return nil
	})
	if errors.Is(err, jws.ErrJSON) {
		return nil, oob.Faultf(oob.Malformed, "the list is not a JSON array").Because(err)
	}
	return references, err
}

// isSegment takes a path segment that leads nowhere else, whoever decodes it.
func isSegment(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/%")
}
