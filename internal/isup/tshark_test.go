package isup_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/internal/isup"
)

// TestTsharkReadsWhatWeWrite has Wireshark's dissector read every case as a captured MTP2 signal unit, field by field.
func TestTsharkReadsWhatWeWrite(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: nobody else has read what we write")
	}
	for variant, options := range map[isup.Variant][]string{
		isup.ITU:  {"-o", "mtp3.standard:ITU", "-o", "isup.variant:ITU Standard"},
		isup.ANSI: {"-o", "mtp3.standard:ANSI", "-o", "isup.variant:ANSI ISUP"},
	} {
		var messages [][]byte
		var want [][]string
		var names []string
		for _, c := range cases {
			if c.variant != variant || c.name == "others" { // tshark takes digits beyond 9 for letters of its own
				continue
			}
			message, err := c.iam.Append(variant, nil)
			if err != nil {
				t.Fatal(err)
			}
			messages, want, names = append(messages, message), append(want, fieldsOf(variant, c.iam)), append(names, c.name)
		}
		arguments := append(options, "-r", capture(t, variant, messages), "-T", "fields", "-E", "separator=|")
		for _, field := range tsharkFields {
			arguments = append(arguments, "-e", field)
		}
		var complaints bytes.Buffer
		command := exec.Command(tshark, arguments...)
		command.Stderr = &complaints
		output, err := command.Output()
		if err != nil {
			t.Fatalf("tshark: %v: %s", err, complaints.String())
		}
		lines := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
		if len(lines) != len(messages) {
			t.Fatalf("tshark reads %d messages of %d: %s", len(lines), len(messages), output)
		}
		for i, line := range lines {
			if got := strings.Split(line, "|"); !slices.Equal(got, want[i]) {
				for j, field := range tsharkFields {
					if got[j] != want[i][j] {
						t.Errorf("%s: %s: tshark reads %q, want %q", names[i], field, got[j], want[i][j])
					}
				}
			}
		}
	}
}

var tsharkFields = []string{
	"isup.message_type", "isup.calling_partys_category", "isup.forw_call_ported_num_trans_indicator",
	"isup.called", "isup.called_party_nature_of_address_indicator",
	"isup.calling", "isup.calling_party_nature_of_address_indicator",
	"isup.address_presentation_restricted_indicator", "isup.screening_indicator",
	"isup.original_called_number", "isup.redirecting",
	"isup.redirecting_ind", "isup.original_redirection_reason", "isup.redirection_counter", "isup.redirection_reason",
	"isup.generic_number", "isup.number_qualifier_indicator", "isup.jurisdiction", "isup.charge_number", "isup.hop_counter",
	"_ws.malformed",
}

// fieldsOf is what tshark shows of a message.
func fieldsOf(v isup.Variant, m isup.IAM) []string {
	digits := func(n *isup.Number) string {
		if n == nil {
			return ""
		}
		return n.Digits
	}
	fields := []string{"1", fmt.Sprintf("0x%02x", m.Category), "0", m.Called.Digits, fmt.Sprint(m.Called.Nature), digits(m.Calling)}
	if m.Forward&isup.NumberTranslated != 0 {
		fields[2] = "1"
	}
	var natures, presentations, screenings []string
	show := func(n *isup.Number, nature, presentation, screening bool) {
		if n == nil {
			return
		}
		if nature {
			natures = append(natures, fmt.Sprint(n.Nature))
		}
		if presentation {
			presentations = append(presentations, fmt.Sprint(n.Presentation))
		}
		if screening {
			screenings = append(screenings, fmt.Sprint(n.Screening))
		}
	}
	show(m.Calling, true, true, true)
	show(m.OriginalCalled, true, true, false)
	show(m.Redirecting, true, true, false)
	for i := range m.Generic {
		show(&m.Generic[i].Number, true, true, false) // its screening has a field of its own
	}
	fields = append(fields, strings.Join(natures, ","), strings.Join(presentations, ","), strings.Join(screenings, ","),
		digits(m.OriginalCalled), digits(m.Redirecting))
	if r := m.Redirection; r != nil {
		fields = append(fields, fmt.Sprint(r.Indicator), fmt.Sprint(r.OriginalReason), fmt.Sprint(r.Counter), fmt.Sprint(r.Reason))
	} else {
		fields = append(fields, "", "", "", "")
	}
	var generic, types []string
	for _, g := range m.Generic {
		generic, types = append(generic, g.Digits), append(types, fmt.Sprintf("0x%02x", g.Type))
	}
	hops := ""
	if m.HopCounter != nil {
		hops = fmt.Sprint(*m.HopCounter)
	}
	return append(fields, strings.Join(generic, ","), strings.Join(types, ","), m.Jurisdiction, digits(m.Charge), hops, "")
}

// capture writes messages as a pcap file of link type 140, MTP2 without check sums.
func capture(t *testing.T, v isup.Variant, messages [][]byte) string {
	t.Helper()
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = binary.LittleEndian.AppendUint16(file, 2)
	file = binary.LittleEndian.AppendUint16(file, 4)
	for _, word := range []uint32{0, 0, 1 << 16, 140} {
		file = binary.LittleEndian.AppendUint32(file, word)
	}
	label := []byte{0x85, 0x02, 0x40, 0x00, 0x00}
	if v == isup.ANSI {
		label = []byte{0x85, 2, 0, 0, 1, 0, 0, 0}
	}
	for _, message := range messages {
		unit := append([]byte{0x80, 0x80, 0}, label...)
		unit = append(append(unit, 1, 0), message...)
		unit[2] = byte(min(len(unit)-3, 63))
		for _, word := range []uint32{0, 0, uint32(len(unit)), uint32(len(unit))} {
			file = binary.LittleEndian.AppendUint32(file, word)
		}
		file = append(file, unit...)
	}
	path := filepath.Join(t.TempDir(), "trunk.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
