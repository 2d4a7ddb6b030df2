package isup_test

import (
	"fmt"
	"strconv"
	"strings"
)

// Nature of address of an ISUP number.
const (
	national      = 3
	international = 4
)

// number is an ISUP number: its address signals and the nature of address. The zero value is no number.
type number struct {
	digits string
	nature int
}

// message is what isupgw reads and writes after the name of a message; see there. A zero field is absent, but for pres and
// screen, which come with calling, and cause.
type message struct {
	cic, cause      int
	called, calling number
	pres, screen    int
	origCalled      number
	redirecting     number
	reason, counter int // of the redirection information
	jip             string
	ported, charge  number // ported is gap
}

// namedNumber and namedInteger are fields of a message by their names.
type namedNumber struct {
	name  string
	value *number
}

type namedInteger struct {
	name  string
	value *int
}

func (m *message) numbers() []namedNumber {
	return []namedNumber{
		{"called", &m.called}, {"calling", &m.calling}, {"orig_called", &m.origCalled}, {"redirecting", &m.redirecting},
		{"gap", &m.ported}, {"charge", &m.charge},
	}
}

func (m *message) integers() []namedInteger {
	return []namedInteger{
		{"cic", &m.cic}, {"cause", &m.cause}, {"pres", &m.pres}, {"screen", &m.screen}, {"reason", &m.reason}, {"counter", &m.counter},
	}
}

// String is what follows the name of a message.
func (m message) String() string {
	var b strings.Builder
	for _, n := range m.numbers() {
		if n.value.digits != "" {
			fmt.Fprintf(&b, " %s=%s/%d", n.name, n.value.digits, n.value.nature)
		}
	}
	for _, n := range m.integers() {
		if *n.value != 0 {
			fmt.Fprintf(&b, " %s=%d", n.name, *n.value)
		}
	}
	if m.jip != "" {
		fmt.Fprintf(&b, " jip=%s", m.jip)
	}
	return b.String()
}

func parseMessage(text string) (message, error) {
	var m message
	for _, field := range strings.Fields(text) {
		name, value, _ := strings.Cut(field, "=")
		if err := m.set(name, value); err != nil {
			return message{}, err
		}
	}
	return m, nil
}

func (m *message) set(name, value string) (err error) {
	for _, n := range m.numbers() {
		if n.name == name {
			digits, nature, _ := strings.Cut(value, "/")
			n.value.digits = digits
			n.value.nature, err = strconv.Atoi(nature)
			return err
		}
	}
	for _, n := range m.integers() {
		if n.name == name {
			*n.value, err = strconv.Atoi(value)
			return err
		}
	}
	if name != "jip" {
		return fmt.Errorf("unknown field %q", name)
	}
	m.jip = value
	return nil
}
