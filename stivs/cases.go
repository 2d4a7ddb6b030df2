package stivs

import (
	"fmt"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
)

// Case is a row of the error table of ATIS-1000082, or one of ours (V1 to V4), for a PASSporT that is good in itself and
// proves nothing about the call. The zero Case is none: nothing is wrong.
type Case uint8

// The cases. Verify never finds E1 and E2: they belong to the HTTP API, which refuses such requests before it asks.
const (
	noCase Case = iota
	E1
	E2
	E3
	E4
	E5
	E6
	E7
	E8
	E9
	E10
	E11
	E12
	E13
	E14
	E15
	E16
	E17
	E18
	E19
	V1
	V2
	V3
	V4
	caseEnd // keep last
)

// Row is everything that is said about a case.
type Row struct {
	Code       int         // reason code; of E1 and E2, the HTTP status
	ReasonText string      // the text that goes with Code, spelled as in ATIS-1000082
	Verstat    oob.Verstat // empty for E1 and E2
	Sentence   string      // what is wrong, for a person
	Section    string      // where the rule stands that was broken
}

const (
	staleDate     = "Stale Date"
	badInfo       = "Bad identity Info"
	badCredential = "Unsupported credential"
	badHeader     = "Invalid Identity Header"
	noAttempt     = oob.VerstatNoValidation // whatever prevents the attempt to validate
	failed        = oob.VerstatFailed       // a signature or trust failure
)

var caseRows = [caseEnd]Row{
	E1:  {400, "", "", "A request parameter is missing.", "ATIS-1000082"},
	E2:  {400, "", "", "A request parameter is malformed.", "ATIS-1000082"},
	E3:  {403, staleDate, noAttempt, "The date of the call is not fresh.", "RFC 8224 §6.2"},
	E4:  {438, badHeader, noAttempt, "The PASSporT is in compact form, or cannot be read as one in full form.", "RFC 8588 §3"},
	E5:  {438, badHeader, noAttempt, "The ppt parameter of the Identity header is not shaken.", "RFC 8224 §6.2"},
	E6:  {436, badInfo, noAttempt, "The info parameter of the Identity header is missing.", "RFC 8224 §4"},
	E7:  {436, badInfo, noAttempt, "The URI of the certificate is not acceptable.", "ATIS-1000074"},
	E8:  {436, badInfo, noAttempt, "The certificate could not be fetched.", "RFC 8224 §6.2.2"},
	E9:  {436, badInfo, noAttempt, "The PASSporT header lacks ppt, typ, alg or x5u.", "RFC 8225 §4"},
	E10: {436, badInfo, noAttempt, "The x5u of the PASSporT is not the info of the Identity header.", "RFC 8225 §4.3"},
	E11: {437, badCredential, noAttempt, "The typ of the PASSporT is not passport.", "RFC 8225 §4.1"},
	E12: {437, badCredential, noAttempt, "The alg is not ES256.", "RFC 8225 §4.2"},
	E13: {438, badHeader, noAttempt, "The PASSporT is not of type shaken.", "RFC 8225 §8.1"},
	E14: {438, badHeader, noAttempt, "A claim of the PASSporT is missing or malformed.", "RFC 8588 §4"},
	E15: {403, staleDate, noAttempt, "The iat of the PASSporT is not fresh.", "RFC 8224 §6.2"},
	E16: {438, badHeader, noAttempt, "The PASSporT names another caller or called party.", "RFC 8224 §6.2"},
	E17: {437, badCredential, failed, "The certificate of the signer is not trusted.", "RFC 8224 §6.2.2"},
	E18: {438, badHeader, failed, "Signature validation failed.", "RFC 8224 §6.2"},
	E19: {438, badHeader, noAttempt, "The attest claim is not A, B or C.", "RFC 8588 §4"},
	V1:  {438, badHeader, noAttempt, "The PASSporT has verified another call.", "RFC 8224 §12.1"},
	V2:  {438, badHeader, noAttempt, "More calls came between these numbers than there are PASSporTs.", "RFC 8816 §7.4"},
	V3:  {438, badHeader, noAttempt, "What came in band contradicts what came out of band.", "RFC 8224 §6.2"},
	V4:  {438, badHeader, noAttempt, "Too many calls are remembered to know whether this is the only one.", "RFC 8224 §12.1"},
}

// Row gives what is said about the case; of an unknown case, the zero Row.
func (c Case) Row() Row {
	if c >= caseEnd {
		return Row{}
	}
	return caseRows[c]
}

// String is the case as ATIS-1000082 names it, such as E3, or V1 to V4; empty for none.
func (c Case) String() string {
	if c == noCase || c >= caseEnd {
		return ""
	}
	if c > E19 {
		return fmt.Sprintf("V%d", uint8(c-E19))
	}
	return fmt.Sprintf("E%d", uint8(c))
}

// Cases lists all cases in order.
func Cases() []Case {
	all := make([]Case, 0, caseEnd-1)
	for c := E1; c < caseEnd; c++ {
		all = append(all, c)
	}
	return all
}

// problemCases says which case each fault of a PASSporT is. The table of ATIS-1000082 knows only tokens that can be
// read; what cannot is put beside its nearest neighbour: no full form (E4), a header without members (E9), a payload
// without claims (E14), a signature that cannot verify (E18).
var problemCases = map[passport.Problem]Case{
	passport.TooLong:          E4,
	passport.SegmentCount:     E4,
	passport.CompactForm:      E4,
	passport.Base64Form:       E4,
	passport.HeaderForm:       E9,
	passport.HeaderIncomplete: E9,
	passport.TypInvalid:       E11,
	passport.AlgInvalid:       E12,
	passport.CritUnknown:      E13,
	passport.PPTUnsupported:   E13,
	passport.PayloadForm:      E14,
	passport.ClaimMissing:     E14,
	passport.IATForm:          E14,
	passport.OrigForm:         E14,
	passport.DestForm:         E14,
	passport.NumberForm:       E14,
	passport.OrigIDForm:       E14,
	passport.DivForm:          E14,
	passport.OptInDiv:         E14,
	passport.DivUnchanged:     E14, // only when signing
	passport.OptForm:          E14,
	passport.RPHForm:          E14,
	passport.SPHForm:          E14,
	passport.MKYForm:          E14,
	passport.RCDForm:          E14,
	passport.RCDIForm:         E14,
	passport.MSGIForm:         E14,
	passport.DigestMismatch:   E14,
	passport.Unsignable:       E14, // only when signing
	passport.AttestInvalid:    E19,
	passport.SignatureForm:    E18,
	passport.SignatureInvalid: E18,
}

// CaseOf says which case a fault of a PASSporT is. It is never none: a fault that the table does not know is E4.
func CaseOf(p passport.Problem) Case {
	if c, ok := problemCases[p]; ok {
		return c
	}
	return E4
}
