package atis

import (
	"net/http"
	"net/url"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/oob"
)

// The company form of 2020: each provider has a CPS of its own, to which anybody may publish what verifies, and which it
// alone reads.
//
//	POST   /cps/company/{SPC}                      PASSporTs, one a line  ──►  201 {"status":201,"message":"Created"}
//	GET    /cps/company/{SPC}/{DEST}/{ORIG}                               ──►  200 {"passports":["…"]}
//	DELETE /cps/company/{SPC}/{DEST}/{ORIG}/{ID}                          ──►  204
//
// The contribution has the first; how a provider reads is chosen here, after the other forms. A requester may prefer to
// wait (RFC 7240), and takes away what it has used: ID is that of oob.PassportID. Which numbers are meant is told in the
// PASSporTs, and in the path only to whoever may read.

// CompanyEndpoint is one operation of the company form.
type CompanyEndpoint struct {
	Method  string
	Pattern string     // path with {spc}, {dest}, {orig} and {id}, each one percent-encoded segment
	Action  oob.Action // what an access token must permit; a publisher has none
}

// CompanyEndpoints are the operations of the company form.
var CompanyEndpoints = []CompanyEndpoint{
	{http.MethodPost, "/cps/company/{spc}", oob.ActionPublish},
	{http.MethodGet, "/cps/company/{spc}/{dest}/{orig}", oob.ActionRetrieve},
	{http.MethodDelete, "/cps/company/{spc}/{dest}/{orig}/{id}", oob.ActionConsume},
}

// companyRoot is where the company form begins.
const companyRoot = "/cps/company/"

// root is where the path of a key begins.
func root(p oob.Profile) string {
	if p.Row().ForSPC {
		return companyRoot
	}
	return Root
}

// CompanyPath is where PASSporTs for a provider are published. Where they are read is [Path].
func CompanyPath(spc string) string { return companyRoot + url.PathEscape(spc) }

// ConsumePath is where a record with a PASSporT of that name is taken away.
func ConsumePath(k oob.Key, id string) string { return Path(k) + "/" + url.PathEscape(id) }

// ReadCompany reads the segment {spc}.
func ReadCompany(segment string) (string, error) {
	if !wire.IsSPC(segment) {
		return "", oob.Faultf(oob.Malformed, "the SPC in the path is not letters and digits")
	}
	return segment, nil
}
