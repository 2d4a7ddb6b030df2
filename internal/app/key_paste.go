package app

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/siptx"
)

// readCall reads the file with a call; none or - is standard input.
func readCall(name string, in io.Reader) (string, error) {
	if name != "" && name != "-" {
		text, err := readFile(name, keyInputBytesMax)
		return string(text), err
	}
	text, err := io.ReadAll(io.LimitReader(in, keyInputBytesMax+1))
	if err != nil {
		return "", fmt.Errorf("standard input: %w", plain(err))
	}
	if len(text) > keyInputBytesMax {
		return "", fmt.Errorf("standard input: longer than %d bytes", keyInputBytesMax)
	}
	return string(text), nil
}

// readINVITE reads an INVITE as people paste it.
func readINVITE(text string) (*siptx.Request, error) {
	header, err := unpaste(text)
	if err != nil {
		return nil, err
	}
	request, err := siptx.Read(header)
	switch {
	case err != nil:
		return nil, fmt.Errorf("no INVITE that would be answered: %w; paste the whole header, from the request line on", err)
	case request.Method != "INVITE":
		return nil, fmt.Errorf("a request %s: only an INVITE has a key", request.Method)
	case request.ToTag() != "":
		return nil, errors.New("an INVITE within a call: To has a tag, and nothing about the call is new")
	}
	return request, nil
}

// treeRequest and treeHeader are what a dissection of Wireshark's has before the request line, and above the header fields.
const (
	treeRequest = "Request-Line: "
	treeHeader  = "Message Header"
)

// unpaste makes a SIP header of what was copied from a log, a terminal or a packet analyser: with lines before it and behind it,
// with white space before its lines, with any line ends. The body is left away.
func unpaste(text string) (string, error) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t\r")
	}
	for i, line := range lines {
		start, isTree := strings.CutPrefix(strings.TrimLeft(line, " \t"), treeRequest)
		if !isRequestLine(start) {
			continue
		}
		fields := plainFields
		if isTree {
			fields = treeFields
		}
		header, err := fields(lines[i+1:])
		if err != nil {
			return "", err
		}
		return strings.Join(append([]string{start}, header...), "\r\n") + "\r\n\r\n", nil
	}
	return "", errors.New("holds no request line, such as INVITE sip:+12155550131@example.net SIP/2.0; for an IAM, say --isup ansi or --isup itu")
}

func isRequestLine(line string) bool {
	words := strings.Fields(line)
	return len(words) == 3 && strings.HasPrefix(words[2], "SIP/") && !strings.HasPrefix(words[0], "SIP/")
}

// plainFields takes away what white space stands before the first field, which no fold can be, from all that follow.
func plainFields(lines []string) ([]string, error) {
	var fields []string
	indent := ""
	for i, line := range lines {
		if line == "" {
			break
		}
		if i == 0 {
			indent = indentOf(line)
		}
		fields = append(fields, strings.TrimPrefix(line, indent))
	}
	return fields, nil
}

// treeFields takes the lines of one depth; what is deeper explains them.
func treeFields(lines []string) ([]string, error) {
	var fields []string
	indent, inside := "", false
	for _, line := range lines {
		text := strings.TrimLeft(line, " \t")
		switch {
		case !inside:
			inside = text == treeHeader
		case fields == nil && text != "":
			indent = indentOf(line)
			fallthrough
		case indentOf(line) == indent:
			if strings.HasPrefix(text, "[") && strings.Contains(text, "runcated]") {
				return nil, errors.New("a header field was cut short by the program that it was copied from")
			}
			if !strings.HasPrefix(text, "[") { // a remark of the program
				fields = append(fields, text)
			}
		case len(indentOf(line)) < len(indent):
			return fields, nil
		}
	}
	return fields, nil
}

func indentOf(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }
