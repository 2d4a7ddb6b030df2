package app

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/viaduct-oob/viaduct/internal/isup"
	"github.com/viaduct-oob/viaduct/internal/sipgw"
	"github.com/viaduct-oob/viaduct/internal/siptx"
	"github.com/viaduct-oob/viaduct/internal/trunk"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/tn"
)

// Key is `viaduct key`: under which key the PASSporTs of a call are published or looked for, and why. docs/keys.md is its page.
type Key struct {
	keyEnd
	File string `arg:"" optional:"" help:"INVITE as text, or IAM in hexadecimal; read from standard input if left out or -."`

	Far    string `placeholder:"FILE" help:"The same call at the other end of the trunk, an INVITE or an IAM: do both ends have the same key? The --far- flags are of that end."`
	FarEnd keyEnd `embed:"" prefix:"far-" group:"The other end of the trunk:"`

	JSON bool `name:"json" help:"Print JSON."`
}

// keyEnd is one end of a trunk.
type keyEnd struct {
	Config string     `type:"path" placeholder:"FILE" help:"Configuration with the trunk. Of it, trunks, peers and signing.spc are read, and no other file."`
	Trunk  string     `placeholder:"NAME" help:"Trunk of the call; found as the SIP element finds it if left out."`
	From   netip.Addr `placeholder:"ADDRESS" help:"Where the request came from."`
	Client string     `placeholder:"NAME" help:"Name under which a TLS client has proven itself."`
	ISUP   string     `name:"isup" enum:",ansi,itu" default:"" placeholder:"VARIANT" help:"The file is an IAM: ansi or itu."`
	Frame  string     `enum:"message,circuit,mtp3,mtp2" default:"message" placeholder:"LAYER" help:"What the bytes of an IAM begin with: message (type), circuit (code), mtp3, mtp2 (${default})."`

	CountryCode string `placeholder:"DIGITS" help:"Without --config: country code of the trunk (1, the plan of North America; of other countries, prefixes 00 and 0)."`
	HomeNPA     string `name:"home-npa" placeholder:"DIGITS" help:"Without --config: area code of subscriber numbers."`
	Profile     string `enum:",agreed,mesh,rfc9888,company" default:"" placeholder:"PROFILE" help:"Without --config: form of the CPS: agreed, mesh, rfc9888 or company; agreed if an SPC is given."`
	PeerSPC     string `name:"peer-spc" placeholder:"SPC" help:"Without --config: whose PASSporTs are looked for; in the company form, for whom they are published."`
	SPC         string `name:"spc" placeholder:"SPC" help:"Without --config: who publishes; in the company form, who looks for them."`
}

// keyInputBytesMax bounds an INVITE or an IAM that is read from a file, in bytes.
const keyInputBytesMax = 64 << 10

// Run prints how each party was found and the keys that follow. The exit status tells whether there is one and, with two ends,
// whether it is the same.
func (k *Key) Run(std *Streams) error {
	if k.Far == "" && k.FarEnd != (keyEnd{Frame: k.FarEnd.Frame}) {
		return errors.New("--far is needed beside the other --far- flags: the call at that end")
	}
	if k.Far == "-" && (k.File == "" || k.File == "-") {
		return errors.New("only one of two calls can come from standard input")
	}
	answer := keyAnswer{}
	var err error
	if answer.Here, err = k.find(k.File, "--", std.In); err != nil {
		return err
	}
	if k.Far != "" {
		if answer.There, err = k.FarEnd.find(k.Far, "--far-", std.In); err != nil {
			return err
		}
		answer.Both = compareEnds(answer.Here, answer.There)
	}
	if k.JSON {
		text, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(std.Out, string(text))
	} else {
		answer.print(std.Out)
	}
	if len(answer.Here.Keys) == 0 || answer.Both != nil && !answer.Both.Same {
		return ErrNegative
	}
	return nil
}

// find reads a call and finds its key at this end. Flags are called with prefix before their names.
func (e *keyEnd) find(name, prefix string, in io.Reader) (*endAnswer, error) {
	table, err := e.trunks(prefix)
	if err != nil {
		return nil, err
	}
	text, err := readCall(name, in)
	if err != nil {
		return nil, err
	}
	asked, err := e.call(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(strings.TrimPrefix(name, "-"), "standard input"), err)
	}
	answer := &endAnswer{Keys: []slotAnswer{}}
	row, err := e.row(table, asked, answer)
	if err != nil {
		return nil, err
	}
	if row == nil {
		answer.NoKey = "no trunk fits"
		switch {
		case asked.iam != nil:
			answer.NoKey += fmt.Sprintf("; an IAM shows nothing of its trunk: %strunk names it", prefix)
		case !e.From.IsValid() && e.Client == "":
			answer.NoKey += fmt.Sprintf("; %sfrom says where the request came from, %[1]strunk names the trunk", prefix)
		}
		return answer, nil
	}
	answer.parties(asked.parties(&row.Numbering))
	answer.keys(row, table)
	return answer, nil
}

// endTrunks are the trunks of one end and as whom it publishes; without a configuration, table is nil and quick the one trunk.
type endTrunks struct {
	table *trunk.Table
	quick trunk.Row
	spc   string
	urls  map[string]string // of CPSs, by name
}

func (e *keyEnd) trunks(prefix string) (*endTrunks, error) {
	if e.Config == "" {
		return e.quick(prefix)
	}
	if e.CountryCode+e.HomeNPA+e.Profile+e.PeerSPC+e.SPC != "" {
		return nil, fmt.Errorf("%scountry-code, %[1]shome-npa, %[1]sprofile, %[1]speer-spc and %[1]sspc do not go with %[1]sconfig, which says all of it", prefix)
	}
	file, err := readConfig(e.Config)
	if err != nil {
		return nil, err
	}
	faults := &configError{file: file}
	plan := &switchPlan{}
	plan.resolveTrunks(file, func(path string, err error) {
		if err != nil {
			faults.faults = append(faults.faults, configFault{path: path, text: err.Error()})
		}
	})
	if len(faults.faults) > 0 {
		return nil, faults
	}
	t := &endTrunks{table: plan.table, spc: string(file.Signing.SPC), urls: map[string]string{}}
	for _, peer := range file.Peers.CPS {
		t.urls[peer.Name] = strings.TrimRight(peer.URL, "/")
	}
	for _, row := range t.table.Rows() {
		form := row.Profile.Row()
		if (row.Mode.Publishes() && form.KeyedBySPC || row.Mode.Retrieves() && form.ForSPC) && t.spc == "" {
			return nil, file.fault(configFault{path: "$.signing.spc", text: "is needed: as whom CPSs are asked"})
		}
	}
	return t, nil
}

// quick is a trunk of which only the flags are known.
func (e *keyEnd) quick(prefix string) (*endTrunks, error) {
	if e.Trunk+e.Client != "" || e.From.IsValid() {
		return nil, fmt.Errorf("%sconfig is needed with %[1]strunk, %[1]sfrom and %[1]sclient: which trunks are there?", prefix)
	}
	t := &endTrunks{spc: e.SPC, quick: trunk.Row{PeerSPC: e.PeerSPC, Numbering: trunk.Numbering{Plan: tn.NANP, HomeNPA: e.HomeNPA}}}
	if e.CountryCode != "" && e.CountryCode != tn.NANP.CountryCode {
		t.quick.Numbering.Plan = tn.Plan{
			CountryCode: e.CountryCode, InternationalPrefix: "00", NationalPrefix: "0",
			NationalMin: 4, NationalMax: max(4, tn.NumberLengthMax-len(e.CountryCode)),
		}
	}
	for _, fault := range t.quick.Numbering.Check() {
		return nil, fmt.Errorf("%scountry-code and %[1]shome-npa are digits, such as 1 and 215: %s", prefix, fault.Text)
	}
	for _, spc := range []string{e.SPC, e.PeerSPC} {
		if spc != "" && !atis.IsSPC(spc) {
			return nil, fmt.Errorf("%sspc and %[1]speer-spc are letters and digits", prefix)
		}
	}
	profile := oob.Mesh
	if e.SPC+e.PeerSPC != "" {
		profile = oob.Agreed
	}
	t.quick.Profile, _ = oob.ProfileNamed(cmp.Or(e.Profile, profile.String())) // kong has checked the name
	if t.quick.Profile.Row().KeyedBySPC && e.SPC+e.PeerSPC == "" {
		return nil, fmt.Errorf("%sspc or %[1]speer-spc is needed: in the agreed form the SPC of who publishes is part of the key", prefix)
	}
	return t, nil
}

// keyCall is a call as it stood in a file: an INVITE or an IAM.
type keyCall struct {
	invite *siptx.Request
	iam    *isup.IAM
}

func (e *keyEnd) call(text string) (keyCall, error) {
	if e.ISUP == "" {
		invite, err := readINVITE(text)
		if err != nil {
			return keyCall{}, err
		}
		invite.Source = netip.AddrPortFrom(e.From, 0)
		if e.Client != "" {
			invite.Peer = []*x509.Certificate{{DNSNames: []string{e.Client}}}
		}
		return keyCall{invite: invite}, nil
	}
	variant := isup.ITU
	if e.ISUP == "ansi" {
		variant = isup.ANSI
	}
	captured, err := isup.ParseHex(text)
	if err != nil {
		return keyCall{}, err
	}
	frame, _ := isup.FrameNamed(e.Frame) // kong has checked the name
	message, err := frame.Cut(variant, captured)
	if err != nil {
		return keyCall{}, fmt.Errorf("%w; does it begin with what --frame %s says?", err, e.Frame)
	}
	iam, err := isup.Decode(variant, message)
	if err != nil {
		return keyCall{}, fmt.Errorf("%w; is it %s, and does it begin with what --frame %s says?", err, e.ISUP, e.Frame)
	}
	return keyCall{iam: &iam}, nil
}

func (c *keyCall) parties(n *trunk.Numbering) trunk.Parties {
	if c.iam != nil {
		return n.ExplainISUP(*c.iam)
	}
	return n.ExplainSIP(sipgw.Signalling(c.invite))
}

// row finds the trunk of a call, and says in answer why it is that one; nil when there is none.
func (e *keyEnd) row(t *endTrunks, asked keyCall, answer *endAnswer) (*trunk.Row, error) {
	if t.table == nil {
		answer.Trunk = &trunkAnswer{Why: "from the flags alone", Profile: t.quick.Profile.String()}
		return &t.quick, nil
	}
	rows := t.table.Rows()
	if e.Trunk != "" {
		for i := range rows {
			if rows[i].Name == e.Trunk {
				answer.Trunk = describeTrunk(&rows[i], "named on the command line")
				return &rows[i], nil
			}
		}
		return nil, fmt.Errorf("%s: has no trunk named %q", e.Config, e.Trunk)
	}
	var row *trunk.Row
	signs := trunk.Signs{Source: e.From, Client: e.Client}
	if asked.invite != nil {
		row, signs = sipgw.Find(t.table, asked.invite)
	} else { // an IAM shows nothing of the trunk
		row, _ = t.table.Match(signs)
	}
	if row == nil {
		answer.Closest = closest(rows, signs)
		return nil, nil
	}
	answer.Trunk = describeTrunk(row, "fits best")
	answer.Trunk.Conditions = conditionsOf(row, signs)
	return row, nil
}

// closest describes the row that misses least of what it wants, and among these the first.
func closest(rows []trunk.Row, signs trunk.Signs) *trunkAnswer {
	var best *trunkAnswer
	least := 0
	for i := range rows {
		conditions, missed := conditionsOf(&rows[i], signs), 0
		for _, c := range conditions {
			if !c.Fits {
				missed++
			}
		}
		if best == nil || missed < least {
			best, least = describeTrunk(&rows[i], "comes closest"), missed
			best.Conditions = conditions
		}
	}
	return best
}

func conditionsOf(row *trunk.Row, signs trunk.Signs) []conditionAnswer {
	var all []conditionAnswer
	for _, c := range row.Match.Compare(signs) {
		all = append(all, conditionAnswer(c))
	}
	return all
}
