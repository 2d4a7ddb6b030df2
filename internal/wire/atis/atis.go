// Package atis is the dialect of the two ATIS forms of a CPS, ATIS-1000096 (mesh) and ATIS-1000105 (agreed), and of the
// company form that was proposed before them and is read as they are; see company.go. Both directions of every body stand side by side, so that a client and a server of ours cannot disagree.
//
// Knows: paths, JSON bodies, the claims of the access token, the passports digest. Never hears of: who may do what,
// where records lie, sockets, signatures.
//
// The ATIS texts are not public. What this package does rests on the public API pages and the public reference client
// of an operator of such a CPS; the rows of level CHOICE in docs/CONFORMANCE.md are what had to be chosen.
//
//	POST /passports/{SPC}/{DEST}/{ORIG}   {"passports":["…"]}  ──►  201 {"status":201,"message":"Created"}
//	GET  /passports/{SPC}/{DEST}/{ORIG}                        ──►  200 {"passports":["…"]}
//
// The mesh form is the same without {SPC}; for what CPSs pass on to each other there see relay.go.
//
// # Failures
//
// Whatever cannot be read is an *oob.Fault whose detail names the member, never its value: of kind Malformed or
// TooLarge in a path or a body, Unproven in an access token.
//
// # Limits
//
// Those of package oob hold for what is read and for what is written: an answer ends before it exceeds
// oob.RetrievedBytesMax, so that nobody can make it too large to be read by publishing more.
package atis

import (
	"net/url"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Endpoint is one resource: POST publishes to it, GET retrieves from it.
type Endpoint struct {
	Pattern string // path with {spc}, {dest} and {orig}, each one percent-encoded segment
	Profile oob.Profile
	Section string
}

// Root is where the paths of both forms begin.
const Root = "/passports/"

// Endpoints are the resources of both forms. The number of segments tells them apart.
var Endpoints = []Endpoint{
	{Root + "{spc}/{dest}/{orig}", oob.Agreed, "ATIS-1000105 §7"},
	{Root + "{dest}/{orig}", oob.Mesh, "ATIS-1000096 §7"},
}

// HealthPath answers GET without authentication, with a status below 400 only if publish and retrieve both work
// (ATIS-1000096 §7).
const HealthPath = "/health"

// ReadKey reads the decoded segments of a path. The numbers have to be canonical: no + (ATIS-1000096 §7).
func ReadKey(profile oob.Profile, segment func(name string) string) (oob.Key, error) {
	k := oob.Key{Profile: profile}
	var err error
	if hasSPC(profile) {
		if k.SPC = segment("spc"); !IsSPC(k.SPC) {
			return oob.Key{}, oob.Faultf(oob.Malformed, "the SPC in the path is not letters and digits")
		}
	}
	if k.Dest, err = tn.ParseIdentity(segment("dest")); err != nil {
		return oob.Key{}, oob.Faultf(oob.Malformed, "the called number in the path is neither digits without + nor a URI")
	}
	if k.Orig, err = tn.ParseIdentity(segment("orig")); err != nil {
		return oob.Key{}, oob.Faultf(oob.Malformed, "the calling number in the path is neither digits without + nor a URI")
	}
	return k, nil
}

func hasSPC(p oob.Profile) bool { return p.Row().KeyedBySPC || p.Row().ForSPC }

// Path is the way back from ReadKey: where a client publishes to or retrieves from.
func Path(k oob.Key) string {
	var path strings.Builder
	path.WriteString(root(k.Profile))
	if hasSPC(k.Profile) {
		path.WriteString(url.PathEscape(k.SPC) + "/")
	}
	path.WriteString(url.PathEscape(k.Dest.String()) + "/" + url.PathEscape(k.Orig.String()))
	return path.String()
}

// IsSPC accepts a service provider code as it can stand in a path: letters and digits. All that are in use are such.
func IsSPC(s string) bool { return wire.IsSPC(s) }
