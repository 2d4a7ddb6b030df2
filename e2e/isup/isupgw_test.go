package isup_test

import (
	"encoding/hex"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what libss7 says into testdata")

// vectors are initial address messages of libss7, from the circuit identification code on; package internal/isup reads them.
const vectors = "../../internal/isup/testdata/libss7.tsv"

// TestLibss7SpeaksSo sends an initial address message for each row of the vectors, and wants the octets of the row on the
// wire: they are libss7's, and nobody else's. With -update it writes them, and captures that Wireshark reads.
func TestLibss7SpeaksSo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(vectors)
	check(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, v := range []variant{ansi, itu} {
		tr := startTrunk(t, v)
		var rows []int // of this variant
		for i, line := range lines {
			if !strings.HasPrefix(line, string(v)+"\t") {
				continue
			}
			m := rowMessage(t, line)
			m.cic = 1 + 2*len(rows)
			rows = append(rows, i)
			tr.ends[0].send("IAM", m)
			got := tr.ends[1].expect(t, "IAM", m.cic).message
			got.called.digits = strings.TrimSuffix(got.called.digits, "#")
			if got != m {
				t.Errorf("row %d: the other end hears\n%s, want\n%s", i+1, got, m)
			}
		}
		sent := initialAddresses(t, tr)
		if len(sent) != len(rows) {
			t.Fatalf("%s: %d initial address messages for %d rows", v, len(sent), len(rows))
		}
		for i, row := range rows {
			columns := strings.Split(lines[row], "\t")
			if columns[1] != sent[i] && !*update {
				t.Errorf("row %d is %s, but libss7 says %s", row+1, columns[1], sent[i])
			}
			columns[1] = sent[i]
			lines[row] = strings.Join(columns, "\t")
		}
		if *update {
			capture, err := os.ReadFile(tr.capture)
			check(t, err)
			check(t, os.WriteFile(filepath.Join("testdata", string(v)+".pcap"), capture, 0o644))
		}
	}
	if *update {
		check(t, os.WriteFile(vectors, []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	}
}

// rowMessage reads a row of the vectors. What has no column follows from the others.
func rowMessage(t testing.TB, line string) message {
	t.Helper()
	var m message
	for i, value := range strings.Split(line, "\t") {
		name := []string{"", "", "called", "calling", "pres", "screen", "orig_called", "redirecting", "jip", "gap", "reason", "counter", "charge"}[i]
		if name != "" && value != "-" {
			check(t, m.set(name, value))
		}
	}
	return m
}

// initialAddresses are those of a capture, in hexadecimal, from the circuit identification code on.
func initialAddresses(t testing.TB, tr *trunk) []string {
	t.Helper()
	capture, err := os.ReadFile(tr.capture)
	check(t, err)
	skip := map[variant]int{ansi: 4 + 7, itu: 4 + 4}[tr.variant] // MTP2, service information, routing label
	var all []string
	for rest := capture[24:]; len(rest) >= 16; {
		n := int(rest[8]) | int(rest[9])<<8
		unit := rest[16 : 16+n]
		rest = rest[16+n:]
		if isup := unit[3]&0xf == 5; isup && unit[skip+2] == 1 {
			all = append(all, hex.EncodeToString(unit[skip:]))
		}
	}
	return all
}

// What isupgw does not understand is refused, and leaves no trace on the trunk.
func TestIsupgwRefuses(t *testing.T) {
	t.Parallel()
	tr := startTrunk(t, ansi)
	end := tr.ends[0]
	long := strings.Repeat("1", 25)
	refused := []string{
		"", " ", "=", "IAM", "IAM cic=1", "IAM cic=0 called=1/3", "IAM cic=31 called=1/3", "IAM cic=-1 called=1/3",
		"IAM cic=2 called=1/3", // the other side's circuit
		"IAM cic=1 called=/3", "IAM cic=1 called=1", "IAM cic=1 called=1/", "IAM cic=1 called=1/128", "IAM cic=1 called=" + long + "/3",
		"IAM cic=1 called=12x/3", "IAM cic=1 called=1/3 jip=" + long, "IAM cic=1 called=1/3 pres=4", "IAM cic=1 called=1/3 unknown=1",
		"IAM cic=1 called=1/3 calling", "IAM cic=18446744073709551617 called=1/3", "ACM cic=1", "ANM cic=1", "REL cic=1 cause=16", "RLC cic=1",
		"RSC cic=1", strings.Repeat("A", 5000), "IAM cic=1 called=1/3\x00", "iam cic=1 called=1/3",
	}
	for _, line := range refused {
		end.sendLine(line)
		if e := end.next(t); e.name != "ERR" {
			t.Fatalf("%q is answered %+v", line, e)
		}
	}
	end.send("IAM", message{cic: 1, called: number{"2155550131", national}})
	tr.ends[1].expect(t, "IAM", 1)
	for _, line := range []string{"IAM cic=1 called=1/3", "ACM cic=1", "ANM cic=1", "REL cic=1", "REL cic=1 cause=128", "RLC cic=1"} {
		end.sendLine(line)
		if e := end.next(t); e.name != "ERR" {
			t.Fatalf("%q on a circuit that is called out on is answered %+v", line, e)
		}
	}
	end.send("REL", message{cic: 1, cause: 16})
	tr.ends[1].expect(t, "REL", 1)
	tr.ends[1].send("RLC", message{cic: 1})
	end.expect(t, "RLC", 1)

	itu := startTrunk(t, itu).ends[0]
	for _, field := range []string{"jip=215555", "gap=1/3", "charge=1/3"} {
		itu.sendLine("IAM cic=1 called=1/3 " + field)
		if e := itu.next(t); e.name != "ERR" {
			t.Errorf("%s on an ITU trunk is answered %+v", field, e)
		}
	}
}

// Both sides may release at the same time, and the circuit is idle afterwards. Whether their releases cross is a matter of
// milliseconds: where one comes too late, the circuit is released in the usual way, and they try again.
func TestReleasesCross(t *testing.T) {
	t.Parallel()
	tr := startTrunk(t, ansi)
	a, b := tr.ends[0], tr.ends[1]
	for crossed, began := 0, time.Now(); crossed < 3; {
		if time.Since(began) > patience {
			t.Fatalf("%d releases have crossed in %s, want 3", crossed, patience)
		}
		a.send("IAM", message{cic: 1, called: number{"2155550131", national}})
		b.expect(t, "IAM", 1)
		a.send("REL", message{cic: 1, cause: 16})
		b.send("REL", message{cic: 1, cause: 17})
		heardA, lateA := a.released(t)
		heardB, lateB := b.released(t)
		if lateA || lateB {
			late, early := b, a
			if lateA {
				late, early = a, b
			}
			late.send("RLC", message{cic: 1})
			early.expect(t, "RLC", 1)
			continue
		}
		crossed++
		for end, heard := range map[*trunkEnd]bool{a: heardA, b: heardB} {
			if !heard {
				end.expect(t, "REL", 1)
			}
		}
		for _, end := range tr.ends {
			end.send("RLC", message{cic: 1})
		}
		for _, end := range tr.ends {
			end.expect(t, "RLC", 1)
		}
	}
}

// released tells what has become of a release that was sent just now: whether the other side's has been heard, and whether that
// was first, so that there was nothing left to release. It asks for nonsense, and reads what comes before the refusal.
func (e *trunkEnd) released(t testing.TB) (heard, late bool) {
	t.Helper()
	e.sendLine("?")
	for {
		switch got := e.next(t); {
		case got.name == "REL":
			heard = true
		case got.name == "ERR" && got.why == "no cic":
			return heard, late
		case got.name == "ERR":
			late = true
		default:
			t.Fatalf("isupgw says %+v", got)
		}
	}
}

func TestIsupgwWantsItsArguments(t *testing.T) {
	t.Parallel()
	wants(t)
	for _, args := range [][]string{
		nil, {"ansi", "1", "2"}, {"uk", "1", "2", "3"}, {"ansi", "1", "1", "3"}, {"ansi", "x", "2", "3"}, {"ansi", "1", "99999", "3"},
		{"ansi", "1", "2", "3", "a", "b"}, {"ansi", "1", "2", "77"},
	} {
		if err := exec.Command(program, args...).Run(); err == nil {
			t.Errorf("isupgw %q starts", args)
		}
	}
}
