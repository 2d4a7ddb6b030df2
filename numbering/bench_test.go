package numbering_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/viaduct-oob/viaduct/numbering"
	"github.com/viaduct-oob/viaduct/tn"
)

// scattered are row's single numbers, no two of them adjoining or in order, of five thousand providers. Each number of
// rows is another.
func scattered(row int) (spc string, number uint64) {
	const prime = 2_147_483_647
	return fmt.Sprintf("%04X", row*7919%5000), 12_000_000_000 + 2*(uint64(row)*prime%4_000_000_000)
}

// ported is a block of ten thousand, and for nine rows after it a number in it that has gone elsewhere.
func ported(row int) string {
	spc, _ := scattered(row)
	block := 12_000_000_000 + uint64(row/10)*10_000
	if row%10 == 0 {
		return fmt.Sprintf("%s,%d,10000\n", spc, block)
	}
	return fmt.Sprintf("%s,%d\n", spc, block+uint64(row%10)*1000)
}

func writeRows(b *testing.B, rows int, row func(i int) string) string {
	b.Helper()
	name := filepath.Join(b.TempDir(), "numbers.csv")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := range rows {
		if _, err := w.WriteString(row(i)); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return name
}

// BenchmarkFile_TenMillionRows loads as many rows as there may be, three times, and tells the most memory that the process
// has ever had, which must not be more than 600 MB.
func BenchmarkFile_TenMillionRows(b *testing.B) {
	const rows = 10_000_000
	for _, c := range []struct {
		name string
		row  func(i int) string
	}{
		{"scattered", func(i int) string { spc, n := scattered(i); return spc + "," + strconv.FormatUint(n, 10) + "\n" }},
		{"ported", ported},
	} {
		b.Run(c.name, func(b *testing.B) {
			name := writeRows(b, rows, c.row)
			var numbers []tn.Number
			for i := range 1 << 16 {
				_, n := scattered(i * 151)
				if c.name == "ported" {
					n = 12_000_000_000 + (n-12_000_000_000)%10_000_000_000
				}
				parsed, err := tn.ParseNumber(strconv.FormatUint(n, 10))
				if err != nil {
					b.Fatal(err)
				}
				numbers = append(numbers, parsed)
			}
			f, err := numbering.OpenFile(numbering.FileConfig{Name: name})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(f.Close)
			for range 2 {
				if err := f.Reload(); err != nil {
					b.Fatal(err)
				}
			}
			took, peak := f.State().Took, peakMB(b)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; b.Loop(); i++ {
				if spcs, err := f.SPCs(b.Context(), numbers[i%len(numbers)]); err != nil || len(spcs) != 1 {
					b.Fatal(spcs, err)
				}
			}
			b.ReportMetric(took.Seconds(), "s/load")
			b.ReportMetric(peak, "MB-peak")
			if peak > 600 {
				b.Errorf("%.0f MB at most", peak)
			}
		})
	}
}

// peakMB is the greatest resident size that this process has had.
func peakMB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skipf("this system does not tell: %v", err)
	}
	for line := range bytes.Lines(status) {
		if text, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kB, err := strconv.Atoi(string(bytes.Fields(text)[0]))
			if err != nil {
				b.Fatal(err)
			}
			return float64(kB) * 1024 / 1e6
		}
	}
	b.Skip("this system does not tell the greatest size of a process")
	return 0
}
