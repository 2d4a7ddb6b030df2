package passport

import "github.com/viaduct-oob/viaduct/internal/jws"

// DivDepthMax bounds how many PASSporTs may stand one within the other in a div-o PASSporT, itself not counted. RFC 8946
// states no bound; more than seven do not fit into TokenBytesMax.
const DivDepthMax = 6

// readOpt reads the claim opt: the PASSporT before the retargeting, in full form, never compact (RFC 8946 §6).
func readOpt(value jws.Value) (string, error) {
	text, ok := jws.String(value)
	if !ok {
		return "", problem(OptForm, "")
	}
	if _, err := Open(text); err != nil {
		return "", problem(OptForm, "")
	}
	return text, nil
}

// Nested gives the PASSporTs that stand one within the other in the opt of a div-o PASSporT, outermost first; e itself is
// not among them. All but the last are div-o too, and the last is of another type (RFC 8946 §5). Their signatures have
// not been verified. Of a PASSporT of another type it gives nothing. Problems: those of [Parse], of e or of one within;
// OptForm where they are more than DivDepthMax.
func (e *Envelope) Nested() ([]*Token, error) {
	if e.Header.PPT != DivO {
		return nil, nil
	}
	claims, err := e.Claims()
	if err != nil {
		return nil, err
	}
	var within []*Token
	for ppt, opt := DivO, claims.Opt; ppt == DivO; {
		if len(within) == DivDepthMax {
			return nil, problem(OptForm, "")
		}
		token, err := Parse(opt)
		if err != nil {
			return nil, err
		}
		within = append(within, token)
		ppt, opt = token.Header.PPT, token.Claims.Opt
	}
	return within, nil
}
