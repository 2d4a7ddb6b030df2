package siptx

import (
	"errors"
	"strings"
)

// Read reads the header of a request that is in memory, by the rules for one that comes in a datagram. What follows the
// header, and whether it is as long as Content-Length says, is not looked at. The error names the header field at fault.
func Read(header string) (*Request, error) {
	r := &Request{}
	// That the body is cut is found last, when all else is known to be well.
	if v, _ := readRequest(r, header); v.fault != "" && v.fault != bodyCut {
		return nil, errors.New(strings.ToLower(string(v.fault)))
	}
	return r, nil
}
