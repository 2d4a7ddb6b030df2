package natslog_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/viaduct-oob/viaduct/internal/store"
	"github.com/viaduct-oob/viaduct/internal/store/natslog"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// written are batches as they come.
func written(t testing.TB) map[string][]natslog.Entry {
	sos, err := tn.ParseURI("urn:service:sos")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1_800_000_000, 123456789).UTC()
	use := oob.TokenUse{ID: [16]byte{1, 2, 3}, Body: [8]byte{4, 5}, Until: at.Add(time.Minute)}
	key := oob.Key{Profile: oob.Company, SPC: "1234", Dest: keyOf(1).Dest, Orig: sos}
	laid := store.Event{Act: store.Laid, At: at, Node: "east/n1", Publication: oob.Publication{
		Key: key, Passports: []string{"a.b.c", "", strings.Repeat("x", 8<<10)}, Publisher: "567B", Token: "t.t.t",
		Received: at, Expires: at.Add(time.Second), Use: use,
	}}
	bare := store.Event{Act: store.Laid, Node: "east/n1"}
	spent := store.Event{Act: store.Spent, At: at, Node: "east/n1", Publication: oob.Publication{Use: use}}
	consumed := store.Event{Act: store.Consumed, At: at, Node: "east/n1", Publication: oob.Publication{Key: key, Use: use}}
	return map[string][]natslog.Entry{
		"laid": {{1, laid}}, "nothing set": {{1 << 63, bare}}, "spent": {{2, spent}}, "consumed": {{3, consumed}},
		"all": {{4, laid}, {5, spent}, {6, consumed}, {7, bare}},
	}
}

// messages are messages of one batch, and of several.
func messages(t testing.TB) map[string][]natslog.Batch {
	all := map[string][]natslog.Batch{}
	for name, entries := range written(t) {
		for i := range entries {
			entries[i].Event.Node = "east/n1"
		}
		one := natslog.Batch{Run: 7, Node: "east/n1", Entries: entries}
		all[name], all[name+", in three batches"] = []natslog.Batch{one}, []natslog.Batch{one, one, one}
	}
	return all
}

func TestMessageIsReadAsItWasWritten(t *testing.T) {
	for name, batches := range messages(t) {
		data, err := natslog.WriteMessage(batches...)
		if err != nil {
			t.Fatal(name, err)
		}
		got, err := natslog.ReadMessage(data)
		if err != nil || !reflect.DeepEqual(got, batches) {
			t.Errorf("%s: %v: %+v", name, err, got)
		}
		for length := range data {
			if length > 64 && length < len(data)-64 {
				continue
			}
			if _, err := natslog.ReadMessage(data[:length]); err == nil {
				t.Errorf("%s: %d of %d bytes are read", name, length, len(data))
			}
		}
		if _, err := natslog.ReadMessage(append(data, 0)); err == nil {
			t.Errorf("%s: read with a byte too much", name)
		}
	}
}

func TestWhatIsTooLongIsNotWritten(t *testing.T) {
	long := strings.Repeat("x", 1<<16)
	for name, p := range map[string]oob.Publication{
		"a PASSporT":         {Passports: []string{long}},
		"the token":          {Token: long},
		"the publisher":      {Publisher: long},
		"too many PASSporTs": {Passports: make([]string, oob.PassportsMax+1)},
		"all together":       {Passports: []string{long[1:], long[1:], long[1:], long[1:], long[1:], long[1:], long[1:], long[1:], long[1:]}},
	} {
		entries := []natslog.Entry{{1, store.Event{Act: store.Laid, Publication: p}}}
		if data, err := natslog.WriteMessage(natslog.Batch{Run: 1, Node: "n", Entries: entries}); err == nil || data != nil {
			t.Errorf("%s: written", name)
		}
	}
}

// FuzzReadBatch wants what can be read to be written in the same way, and nothing beside an error.
func FuzzReadBatch(f *testing.F) {
	for name, batches := range messages(f) {
		data, err := natslog.WriteMessage(batches...)
		if err != nil {
			f.Fatal(name, err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		batches, err := natslog.ReadMessage(data)
		if err != nil {
			return
		}
		again, err := natslog.WriteMessage(batches...)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("read, and written otherwise: %v", err)
		}
	})
}
