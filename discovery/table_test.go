package discovery_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/discovery"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

func number(t testing.TB, text string) tn.Number {
	t.Helper()
	n, err := tn.ParseNumber(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const tableText = `# whose CPS is where
0-567A,https://provider.example/,https://provider2.example/
1-19035550100-50,https://wide.example/
1-19035550110-10,https://narrow.example/

2-19035550115,https://one.example/
2-*67,https://star.example/
`

func TestTable_NumberBeforeNarrowestRangeBeforeProvider(t *testing.T) {
	table, err := discovery.ParseTable(strings.NewReader("\ufeff" + tableText))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, number, spc, want string }{
		{"the number", "19035550115", "567A", "https://one.example 2-19035550115"},
		{"the narrow range", "19035550119", "567A", "https://narrow.example 1-19035550110-10"},
		{"the wide range", "19035550120", "567A", "https://wide.example 1-19035550100-50"},
		{"its last number", "19035550149", "", "https://wide.example 1-19035550100-50"},
		{"the provider", "19035550150", "567A", "https://provider.example,https://provider2.example 0-567A"},
		{"the provider alone", "", "567A", "https://provider.example,https://provider2.example 0-567A"},
		{"not of another case", "", "567a", " "},
		{"nobody", "19035550150", "", " "},
		{"nobody at all", "", "", " "},
		{"a star", "*67", "", "https://star.example 2-*67"},
		{"another length", "9035550115", "", " "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n tn.Number
			if c.number != "" {
				n = number(t, c.number)
			}
			urls, resource := table.Find(n, c.spc)
			if got := strings.Join(urls, ",") + " " + resource.String(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if table.Len() != 5 {
		t.Errorf("%d rows", table.Len())
	}
}

func TestParseTable_RefusesWithTheLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no URL", "0-567A\n", "line 1: "},
		{"http", "#\n0-567A,http://cps.example/\n", "line 2: "},
		{"an empty URL", "0-567A,https://a.example,\n", "line 1: "},
		{"too many URLs", "0-567A" + strings.Repeat(",https://a.example", discovery.URLsMax+1) + "\n", "line 1: "},
		{"no resource", "567A,https://a.example\n", "line 1: "},
		{"a wildcard", "2-1903*,https://a.example\n1-1903*-10,https://a.example\n", "line 2: "},
		{"a range of one", "1-19035550100-1,https://a.example\n", "line 1: "},
		{"provider twice", "0-1,https://a.example\n0-1,https://a.example\n", "line 2: "},
		{"number twice", "2-2,https://a.example\n2-1,https://a.example\n2-2,https://b.example\n", "line 3: "},
		{"star twice", "2-*1,https://a.example\n2-*1,https://a.example\n", "line 2: "},
		{"range twice", "1-10-2,https://a.example\n1-10-2,https://a.example\n", "line 2: "},
		{"a long line", "0-1,https://a.example\n" + strings.Repeat("a", discovery.TableLineBytesMax+1), "line 2: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := discovery.ParseTable(strings.NewReader(c.text))
			if table != nil || !errors.Is(err, discovery.ErrTable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %v, want %q", table, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "1903") {
				t.Errorf("the error holds a number: %v", err)
			}
		})
	}
}

func TestFile_IsTakenWholeOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cps.csv")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := discovery.NewFile(path); err == nil {
		t.Error("a file that is not there was loaded")
	}
	write(tableText)
	file, err := discovery.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	question := discovery.Question{SPC: "567A"}
	found, err := file.Find(t.Context(), question)
	if err != nil || found.URLs[0] != "https://provider.example" || found.Signer != "cps.csv" || found.Issued.IsZero() {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := file.Find(t.Context(), discovery.Question{SPC: "1"}); !errors.Is(err, oob.NotFound) {
		t.Errorf("what is not there: %v", err)
	}
	write("0-567A,https://new.example\nnonsense\n")
	if file.Load() == nil || file.Len() != 5 {
		t.Error("a broken file was taken")
	}
	write("0-567A,https://new.example\n")
	if err := file.Load(); err != nil {
		t.Fatal(err)
	}
	if found, err = file.Find(t.Context(), question); err != nil || found.URLs[0] != "https://new.example" {
		t.Errorf("%+v, %v", found, err)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(tableText))
	f.Add([]byte("2-1,https://a\r\n1-1-2,https://b/c , https://d"))
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := discovery.ParseTable(bytes.NewReader(text))
		if err != nil {
			if table != nil || !errors.Is(err, discovery.ErrTable) {
				t.Fatal("an error that is none, or a table beside it")
			}
			return
		}
		if table.Len() > bytes.Count(text, []byte("\n"))+1 {
			t.Fatal("more rows than lines")
		}
	})
}

// rows writes a table of so many numbers, not in their order.
func rows(w io.Writer, count int) {
	for i := range count {
		fmt.Fprintf(w, "2-1%010d,https://cps%d.example.net/oob\n", i*7919%10_000_000_019, i%1000)
	}
}

// BenchmarkTable is the figure of the table: look-ups in ten million numbers, and the memory that they take.
//
//	go test ./discovery -run '^$' -bench BenchmarkTable -benchtime 1s
func BenchmarkTable(b *testing.B) {
	r, w := io.Pipe()
	go func() {
		rows(w, discovery.TableNumbersMax)
		w.Close()
	}()
	before := heapInUse()
	began := time.Now()
	table, err := discovery.ParseTable(r)
	if err != nil {
		b.Fatal(err)
	}
	loading := time.Since(began)
	var peak runtime.MemStats
	runtime.ReadMemStats(&peak)
	held := heapInUse() - before
	numbers := make([]tn.Number, 1<<16)
	for i := range numbers {
		numbers[i] = number(b, fmt.Sprintf("1%010d", i*131*7919%10_000_000_019))
	}
	for i := 0; b.Loop(); i++ {
		if urls, _ := table.Find(numbers[i%len(numbers)], ""); urls == nil {
			b.Fatal("not found")
		}
	}
	b.ReportMetric(float64(held)/(1<<20), "MB-held")
	b.ReportMetric(float64(peak.Sys)/(1<<20), "MB-from-system")
	b.ReportMetric(loading.Seconds(), "s-to-load")
	runtime.KeepAlive(table)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var _ discovery.Source = (*discovery.File)(nil)
