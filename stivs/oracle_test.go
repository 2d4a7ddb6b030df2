package stivs_test

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/oobtest"
	"github.com/viaduct-oob/viaduct/stivs"
)

// statement is what a PASSporT says, read without package passport.
type statement struct {
	Alg, PPT, Typ, X5U  string
	Attest, OrigID, Opt string
	Orig, Div           struct{ TN string }
	Dest                struct{ TN []string }
	IAT                 int64
	input               string // what is signed
	signature           []byte
}

// readAll reads PASSporTs, and those that are nested in them.
func readAll(tokens ...string) (all []statement) {
	for i := 0; i < len(tokens); i++ {
		parts := strings.Split(tokens[i], ".")
		s := statement{input: parts[0] + "." + parts[1]}
		for _, part := range parts[:2] {
			text, _ := base64.RawURLEncoding.DecodeString(part)
			_ = json.Unmarshal(text, &s) // what it cannot read it does not believe
		}
		s.signature, _ = base64.RawURLEncoding.DecodeString(parts[2])
		if all = append(all, s); s.Opt != "" {
			tokens = append(slices.Clip(tokens), s.Opt)
		}
	}
	return all
}

// oracle judges slowly and simply what the service judges, without its code.
type oracle struct {
	signers  map[string]party // by x5u; nobody else is believed
	accepted []string
	transfer time.Duration
	now      time.Time
}

// party is somebody who signs.
type party struct {
	*oobtest.Identity
	number string // the one it has; empty for a provider
}

// good is true of a PASSporT of this caller that is fresh, and whose signer is believed and may say what it says.
func (o *oracle) good(s statement, call stivs.Call) bool {
	past, age := time.Minute, o.now.Sub(time.Unix(s.IAT, 0))
	if !slices.Contains(s.Dest.TN, call.Dest.String()) {
		past = max(past, o.transfer)
	}
	p, known := o.signers[s.X5U]
	if !known || s.Alg != "ES256" || s.Typ != "passport" || s.Orig.TN != call.Orig.String() || age > past || age < -time.Minute {
		return false
	}
	sum := sha256.Sum256([]byte(s.input))
	if !ecdsa.Verify(&p.Key.PublicKey, sum[:], new(big.Int).SetBytes(s.signature[:32]), new(big.Int).SetBytes(s.signature[32:])) {
		return false
	}
	switch s.PPT {
	case "shaken":
		return p.number == "" && slices.Contains([]string{"A", "B", "C"}, s.Attest)
	case "rph":
		return p.number == ""
	case "div", "div-o":
		return (s.Opt != "") == (s.PPT == "div-o") && (p.number == "" || p.number == s.Div.TN)
	}
	return p.number == "" || p.number == s.Orig.TN
}

// proves tells whether a PASSporT proves who calls: by itself, or by good steps of a diversion that came on its road.
func (o *oracle) proves(s statement, call stivs.Call, road []statement) bool {
	reached := []string{call.Dest.String()}
	for i := 0; i < len(reached) && slices.Contains(o.accepted, s.PPT) && o.good(s, call); i++ {
		if slices.Contains(s.Dest.TN, reached[i]) {
			return true
		}
		for _, d := range road {
			if strings.HasPrefix(d.PPT, "div") && o.good(d, call) && slices.Contains(d.Dest.TN, reached[i]) && !slices.Contains(reached, d.Div.TN) {
				reached = append(reached, d.Div.TN)
			}
		}
	}
	return false
}

// said stands for what a PASSporT says of when who calls whom, whoever says it.
func said(s statement) string { return fmt.Sprint(s.IAT, s.OrigID, s.Orig, s.Dest) }
