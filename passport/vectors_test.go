package passport_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/viaduct-oob/viaduct/passport"
)

// vector is one token of testdata, with the key that is said to belong to it, or nil.
type vector struct {
	id    string
	token string
	key   *ecdsa.PublicKey
}

// rfcVectors is testdata/rfc-vectors.json.
type rfcVectors struct {
	Keys   map[string]string
	Tokens []struct{ ID, Token, Compact, Verifies string }
	Claims []struct {
		ID        string
		JSON      json.RawMessage
		Canonical string
	}
}

func readRFCVectors(t testing.TB) rfcVectors {
	t.Helper()
	data, err := os.ReadFile("testdata/rfc-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v rfcVectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// rfcKeys says which printed key each token of an RFC is tried with; the others have none.
var rfcKeys = map[string]string{
	"rfc8225-7.1": "rfc8225_A2_public", "rfc8225-7.1-compact": "rfc8225_A2_public", "rfc8225-A": "rfc8225_A2_public",
	"rfc8946-div": "rfc8946_public", "rfc8946-div-o": "rfc8946_public", "rfc8946-opt": "rfc8946_public",
}

// readVectors gives every token of testdata: those of the RFCs, and one for each line of vendor-signed.tsv.
func readVectors(t testing.TB) []vector {
	t.Helper()
	var all []vector
	rfc := readRFCVectors(t)
	for _, token := range rfc.Tokens {
		all = append(all, vector{token.ID, token.Token, rfcKey(t, rfc, token.ID)})
		if token.Compact != "" {
			id := token.ID + "-compact"
			all = append(all, vector{id, token.Compact, rfcKey(t, rfc, id)})
		}
	}
	for i, row := range readTSV(t, "testdata/vendor-signed.tsv") {
		all = append(all, vector{fmt.Sprintf("vendor-%02d", i+1), row["token"], publicKey(t, row["recovered_spki_b64"])})
	}
	return all
}

func rfcKey(t testing.TB, rfc rfcVectors, id string) *ecdsa.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(rfc.Keys[rfcKeys[id]]))
	if block == nil {
		return nil
	}
	return publicKey(t, base64.StdEncoding.EncodeToString(block.Bytes))
}

func publicKey(t testing.TB, spki string) *ecdsa.PublicKey {
	t.Helper()
	if spki == "" {
		return nil
	}
	der, err := base64.StdEncoding.DecodeString(spki)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

// readTSV reads a table whose first line names the columns; lines that begin with # are notes.
func readTSV(t testing.TB, path string) []map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	var rows []map[string]string
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if columns == nil {
			columns = fields
			continue
		}
		row := map[string]string{}
		for i, name := range columns {
			if i < len(fields) {
				row[name] = fields[i]
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// outcome is what happens to a token, step by step; a step that is not reached is "-".
func outcome(t testing.TB, v vector) map[string]string {
	t.Helper()
	got := map[string]string{"header": "-", "claims": "-", "signature": "-", "deviations": "-"}
	e, err := passport.Open(v.token)
	got["open"] = slug(t, err)
	if err == nil {
		got["header"] = slug(t, e.CheckHeader())
		_, err := e.Claims()
		got["claims"] = slug(t, err)
		got["signature"] = "no key"
		if v.key != nil {
			got["signature"] = slug(t, e.Verify(v.key))
		}
	}
	if codes := codesOf(passport.Diagnose(v.token)); len(codes) > 0 {
		got["deviations"] = strings.Join(codes, ",")
	}
	return got
}

// codesOf lists code@where of each deviation, in the order found.
func codesOf(d passport.Diagnosis) []string {
	var codes []string
	for _, deviation := range d.Deviations {
		code := deviation.Code
		if deviation.Where != "" {
			code += "@" + deviation.Where
		}
		codes = append(codes, code)
	}
	return codes
}

func TestVectorsHaveTheirOutcomes(t *testing.T) {
	want := map[string]map[string]string{}
	for _, row := range readTSV(t, "testdata/outcomes.tsv") {
		if want[row["id"]] != nil {
			t.Errorf("%s: two rows in outcomes.tsv", row["id"])
		}
		want[row["id"]] = row
	}
	for _, v := range readVectors(t) {
		t.Run(v.id, func(t *testing.T) {
			row := want[v.id]
			if row == nil {
				t.Fatal("no row in outcomes.tsv")
			}
			delete(want, v.id)
			for step, got := range outcome(t, v) {
				if got != row[step] {
					t.Errorf("%s: got %q, want %q", step, got, row[step])
				}
			}
		})
	}
	for id := range want {
		t.Errorf("%s: a row in outcomes.tsv and no token", id)
	}
}

func rfcToken(t testing.TB, id string) vector {
	t.Helper()
	for _, v := range readVectors(t) {
		if v.id == id {
			return v
		}
	}
	t.Fatalf("no vector %s", id)
	return vector{}
}

func TestRFC8225_S7_1_ExampleVerifiesAndIsRefusedForItsStringIAT(t *testing.T) {
	v := rfcToken(t, "rfc8225-7.1")
	e, err := passport.Open(v.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(v.key); err != nil {
		t.Errorf("Verify: %v", err)
	}
	if _, err := e.Claims(); passport.ProblemOf(err) != passport.IATForm {
		t.Errorf("Claims: %v, want IATForm", err)
	}
}

func TestRFC8225_A_ExampleVerifiesWithNoPrintedKey(t *testing.T) {
	rfc := readRFCVectors(t)
	token, err := passport.Parse(rfcToken(t, "rfc8225-A").token)
	if err != nil {
		t.Fatal(err)
	}
	if len(rfc.Keys) < 2 {
		t.Fatal("the printed keys are missing")
	}
	for name, text := range rfc.Keys {
		block, _ := pem.Decode([]byte(text))
		key := publicKey(t, base64.StdEncoding.EncodeToString(block.Bytes))
		if err := token.Verify(key); passport.ProblemOf(err) != passport.SignatureInvalid {
			t.Errorf("%s: %v, want SignatureInvalid", name, err)
		}
	}
}

func TestRFC8946_S3_DivExampleVerifies(t *testing.T) {
	v := rfcToken(t, "rfc8946-div")
	token, err := passport.Parse(v.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(v.key); err != nil {
		t.Error(err)
	}
	if token.Header.PPT != passport.Div || token.Claims.Div != number(t, "121555551213") {
		t.Errorf("read as %+v", token.Claims)
	}
}

func TestRFC8946_S5_DivOExampleVerifiesAndIsRefusedForItsBareDest(t *testing.T) {
	v := rfcToken(t, "rfc8946-div-o")
	e, err := passport.Open(v.token)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Verify(v.key); err != nil {
		t.Error(err)
	}
	if err := e.CheckHeader(); err != nil {
		t.Error(err)
	}
	if _, err := e.Claims(); passport.ProblemOf(err) != passport.DestForm {
		t.Errorf("Claims: %v, want DestForm", err)
	}
}

// typeOfVector is the type of the claim vectors.
var typeOfVector = map[string]passport.Type{
	"rfc8225-5.2.1.4-multi": passport.Base, "rfc8225-9.1-mky": passport.Base, "rfc8588-6": passport.Shaken,
	"rfc8946-3-div": passport.Div, "rfc8946-8-hi": passport.Div,
	"rfc8443-3": passport.RPH, "rfc9027-3a": passport.RPH, "rfc9027-4-sph": passport.RPH,
	"rfc9795-8.3-nam": passport.RCD, "rfc9795-8.3-icn": passport.RCD, "rfc9795-8.3-nam-icn-rcdi": passport.RCD,
	"rfc9795-8.3-jcl": passport.RCD, "rfc9795-10.1-iss": passport.RCD,
}

// unsignableVectors are those that break a rule of their own document: they are read, and not signed.
var unsignableVectors = map[string]passport.Problem{
	"rfc9795-8.3-icn": passport.RCDIForm, // RFC 9795 §6: a URI needs a digest
}

func TestRFC8225_S9_ClaimVectorsAreSignedInCanonicalBytes(t *testing.T) {
	left := maps.Clone(typeOfVector)
	for _, v := range readRFCVectors(t).Claims {
		ppt, known := typeOfVector[v.ID]
		delete(left, v.ID)
		t.Run(v.ID, func(t *testing.T) {
			if !known {
				t.Fatal("a claim vector of no known type")
			}
			received := string(v.JSON) // with the line breaks and spaces of the file: Sign must not copy them
			if received == "" {
				received = v.Canonical
			}
			header := headerOf(ppt)
			read, err := passport.Parse(forge(t, header, received))
			if err != nil {
				t.Fatal(err)
			}
			compact, err := passport.Sign(testKey(t), ppt, testX5U, read.Claims)
			if p := unsignableVectors[v.ID]; p != 0 {
				if passport.ProblemOf(err) != p {
					t.Errorf("got %v, want %q", err, p)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := v.Canonical
			if want == "" {
				want = canonicalJSON(t, v.JSON)
			}
			if got := segment(t, compact, 1); got != want {
				t.Errorf("payload\n got %s\nwant %s", got, want)
			}
			if got := segment(t, compact, 0); got != header {
				t.Errorf("header\n got %s\nwant %s", got, header)
			}
		})
	}
	for id := range left {
		t.Errorf("%s is not in rfc-vectors.json", id)
	}
}

// canonicalJSON is RFC 8225 §9 by another road: encoding/json sorts the members of maps.
func canonicalJSON(t testing.TB, text []byte) string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// segment decodes one segment of a token that is known to be well formed.
func segment(t testing.TB, compact string, i int) string {
	t.Helper()
	decoded, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(decoded)
}
