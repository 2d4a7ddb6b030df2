package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
	"github.com/viaduct-oob/viaduct/trust/crl"
	"github.com/viaduct-oob/viaduct/trust/stipa"
)

// Believer are the flags of commands that verify.
type Believer struct {
	Anchor    []string `type:"existingfile" placeholder:"FILE" help:"Trusted STI-CA certificates, PEM; may be repeated."`
	CRL       string   `name:"crl" type:"existingfile" placeholder:"FILE" help:"Revocation list, DER or PEM."`
	CRLSigner []string `name:"crl-signer" type:"existingfile" placeholder:"FILE" help:"Certificate of who signs the revocation list, PEM."`
	LabHost   []string `placeholder:"HOST:PORT" help:"Laboratory host that certificates may be fetched from although it is private."`
	LabRoot   []string `type:"existingfile" placeholder:"FILE" help:"TLS roots of the laboratory hosts, PEM."`
	CacheDir  string   `type:"path" placeholder:"DIR" help:"Folder to keep certificates in between runs."`
}

func (b *Believer) open(labDir string, now func() time.Time) (*trust.Verifier, error) {
	if labDir != "" {
		lab, err := readLab(labDir)
		if err != nil {
			return nil, err
		}
		b.Anchor = append(b.Anchor, lab.path(labSTIRoot))
		b.LabHost = append(b.LabHost, lab.repository)
		b.LabRoot = append(b.LabRoot, lab.path(labTLSRoot))
		if b.CRL == "" {
			b.CRL, b.CRLSigner = lab.path(labSTIPA, labCRL), []string{lab.path(labSTIPA, labCRLIssuer)}
		}
	}
	if len(b.Anchor) == 0 {
		return nil, errors.New("--anchor is needed: whose certificates are to be believed? In a laboratory, --lab is enough")
	}
	anchors, err := trust.LoadAnchors(b.Anchor...)
	if err != nil {
		return nil, plain(err)
	}
	roots, err := loadPool(b.LabRoot)
	if err != nil {
		return nil, plain(err)
	}
	verifier, err := trust.New(trust.Config{
		Anchors: anchors, Directory: b.CacheDir, Now: now,
		Repository: trust.RepositoryConfig{Laboratory: trust.Laboratory{Hosts: b.LabHost, Roots: roots}},
	})
	if err != nil || b.CRL == "" && len(b.CRLSigner) == 0 {
		return verifier, err
	}
	if err := b.revoke(verifier); err != nil {
		verifier.Close()
		return nil, err
	}
	return verifier, nil
}

// revoke lets the verifier ask the revocation list.
func (b *Believer) revoke(verifier *trust.Verifier) error {
	if b.CRL == "" || len(b.CRLSigner) == 0 {
		return errors.New("--crl and --crl-signer go together: a list counts when who signed it is known")
	}
	body, err := readFile(b.CRL, crl.BytesMax)
	if err != nil {
		return plain(err)
	}
	signers, err := loadCertificates(b.CRLSigner)
	if err != nil {
		return plain(err)
	}
	document, err := stipa.CRLSigners(signers).Check(context.Background(), stipa.Offer{Body: body})
	if err != nil {
		return fmt.Errorf("%s: %w", b.CRL, err)
	}
	revocations, err := trust.NewRevocations(trust.RevocationPolicy{}, trust.RevocationSource{List: document.Value})
	if err != nil {
		return err
	}
	verifier.SetRevocations(revocations)
	return nil
}

// PassportVerify is `viaduct passport verify`.
type PassportVerify struct {
	Believer
	Answer
	Lab            string        `type:"existingdir" placeholder:"DIR" help:"Laboratory from lab init; gives anchors and repository."`
	Orig           string        `placeholder:"NUMBER" help:"Calling number of the call; that of the token if left out, and then nothing is said about the call."`
	Dest           string        `placeholder:"NUMBER" help:"Called number of the call; that of the token if left out."`
	At             time.Time     `placeholder:"TIME" help:"Verify as at this time, such as 2026-11-22T10:00:00Z; now if left out."`
	Fresh          time.Duration `default:"60s" help:"How far iat may be from the time, to either side (${default})."`
	Accept         []string      `enum:"base,rcd" placeholder:"TYPE" help:"Let PASSporTs of this type, base or rcd, prove a caller without attestation, as delegates sign them; may be repeated."`
	PrioritySigner []string      `placeholder:"SPC" help:"Provider whose rph PASSporTs count; may be repeated."`
	ThirdParty     []string      `placeholder:"NAME" help:"Third party whose rich call data counts, by its iss; may be repeated."`
	Transfer       time.Duration `placeholder:"TIME" help:"How old a PASSporT may be whose call was diverted since; --fresh if left out."`
	FetchRich      bool          `help:"Fetch the content that rich call data refers to, and check its digest."`
	Token          string        `arg:"" optional:"" help:"PASSporT or Identity header value; read from standard input if left out. Several lines are the Identity headers of one call."`
}

// Run prints every check and the verdict. The exit status tells whether the call is verified.
func (v *PassportVerify) Run(std *Streams) error {
	now := time.Now
	if !v.At.IsZero() {
		now = func() time.Time { return v.At }
	}
	if v.Fresh <= 0 {
		return errors.New("--fresh must be above 0s")
	}
	call, retrieved, err := v.read(std.In)
	if err != nil {
		return v.refuse(std.Out, err)
	}
	verifier, err := v.open(v.Lab, now)
	if err != nil {
		return err
	}
	defer verifier.Close()
	service, err := stivs.New(stivs.Config{
		Verifier: verifier, Retriever: retrieved, Now: now, Budget: 10 * time.Second,
		Freshness: oob.Freshness{Past: v.Fresh, Future: v.Fresh}, Transfer: v.Transfer, FetchRich: v.FetchRich, Accept: v.accepted(),
		PrioritySigners: v.PrioritySigner, ThirdParties: v.ThirdParty,
	})
	if err != nil {
		return err
	}
	verdict := service.Verify(context.Background(), call)
	v.write(std.Out, verdict)
	if verdict.Verstat != oob.VerstatPassed {
		return ErrNegative
	}
	return nil
}

func (v *PassportVerify) accepted() []passport.Type {
	var types []passport.Type
	for _, name := range v.Accept {
		types = append(types, map[string]passport.Type{"base": passport.Base, "rcd": passport.RCD}[name])
	}
	return types
}

// given are PASSporTs that have been retrieved already.
type given []string

// Retrieve gives them, whatever the key.
func (g given) Retrieve(context.Context, oob.Key) ([]string, error) {
	if len(g) == 0 {
		return nil, oob.Faultf(oob.NotFound, "no PASSporT was given")
	}
	return g, nil
}

// read gives the call and what was retrieved for it, from a request or from tokens.
func (v *PassportVerify) read(in io.Reader) (stivs.Call, given, error) {
	if v.Request == "" {
		texts, err := readTokens(v.Token, in)
		if err != nil {
			return stivs.Call{}, nil, err
		}
		return v.call(texts)
	}
	if v.Token != "" || v.Orig != "" || v.Dest != "" {
		return stivs.Call{}, nil, errors.New("--request says everything about the call: leave out the token, --orig and --dest")
	}
	call, err := v.readCall(in)
	return call, nil, err
}

// call makes the call to verify against: whole Identity header values have come in band, bare tokens out of band.
func (v *PassportVerify) call(texts []string) (call stivs.Call, retrieved given, err error) {
	if len(texts) == 0 && (v.Orig == "" || v.Dest == "") {
		return call, nil, errNoToken
	}
	var tokens []string
	for _, text := range texts {
		text = withoutName(text)
		pieces := identity.Split(text)
		if len(pieces) == 1 && !strings.Contains(text, ";") {
			tokens, retrieved = append(tokens, text), append(retrieved, text)
			continue
		}
		call.Identity = append(call.Identity, text) // whatever it is: the verdict says what is wrong with it
		for _, piece := range pieces {
			if header, err := identity.Parse(piece); err == nil {
				tokens = append(tokens, header.Token)
			}
		}
	}
	call.Orig, call.Dest = partiesOf(tokens)
	if v.Orig != "" {
		if call.Orig, err = parseParty("--orig", v.Orig); err != nil {
			return call, nil, err
		}
	}
	if v.Dest != "" {
		if call.Dest, err = parseParty("--dest", v.Dest); err != nil {
			return call, nil, err
		}
	}
	if len(retrieved) > 0 || len(texts) == 0 {
		call.Key = oob.Key{Profile: oob.Mesh, Dest: call.Dest, Orig: call.Orig} // any slot: given has what lay in it
	}
	return call, retrieved, nil
}

// writeVerdict is the table that shows a person why.
func writeVerdict(w io.Writer, v oob.Verdict) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range v.Checks {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", c.Outcome, c.Name, c.Case, c.Section, c.Took.Round(time.Microsecond), joined(c.Of, c.Detail))
	}
	_ = table.Flush()
	writeBeside(w, v)
	fmt.Fprintf(w, "%s", v.Verstat)
	if v.Verstat == oob.VerstatPassed {
		fmt.Fprintf(w, "  %s", strings.Join(grounds(v), ", "))
	} else if v.Code != 0 {
		fmt.Fprintf(w, "  %d %s (%s): %s %s", v.Code, v.ReasonText, v.Case, v.ReasonDesc, cause(v))
	} else if v.ReasonDesc != "" {
		fmt.Fprintf(w, "  %s", v.ReasonDesc)
	}
	fmt.Fprintln(w)
}

// joined puts what a check is of before what it compared.
func joined(of, detail string) string {
	if of == "" {
		return detail
	}
	return of + ": " + detail
}

// grounds are what a call has passed on.
func grounds(v oob.Verdict) []string {
	said := []string{"without attestation", "signed by a holder of the number", string(v.Source)}
	if v.Attest != "" {
		said[0] = "attest " + v.Attest
	}
	if v.SignerSPC != "" {
		said[1] = "signed by SPC " + v.SignerSPC
	}
	if v.OrigID != "" {
		said = append(said, "origid "+v.OrigID)
	}
	return said
}

// writeBeside shows what a verdict says beside who calls.
func writeBeside(w io.Writer, v oob.Verdict) {
	for _, d := range v.Diversions {
		by := "a holder of the number"
		if d.SignerSPC != "" {
			by = "SPC " + d.SignerSPC
		}
		fmt.Fprintf(w, "diverted from %s to %s, signed by %s\n", d.From, d.To, by)
	}
	if v.Priority != nil {
		fmt.Fprintf(w, "%s  %s\n", v.Priority.Verstat, strings.Join(append(v.Priority.Values, v.Priority.SPH), " "))
	}
	if r := v.Rich; r != nil {
		for _, line := range [][2]string{
			{"name", r.Name}, {"instead of the number", r.Alternate}, {"card", r.Card}, {"reason of the call", r.Reason}, {"third party", r.ThirdParty},
		} {
			if line[1] != "" {
				fmt.Fprintf(w, "%s: %s\n", line[0], line[1])
			}
		}
		if len(r.Icon) > 0 {
			fmt.Fprintf(w, "icon: %d bytes, as signed\n", len(r.Icon))
		}
		for _, why := range r.Unverified {
			fmt.Fprintf(w, "not shown: %s\n", why)
		}
	}
	if v.Doubt != "" {
		fmt.Fprintf(w, "doubt: %s\n", v.Doubt)
	}
}

// cause is what the check that decided has compared, in the words of that check.
func cause(v oob.Verdict) string {
	for _, c := range v.Checks {
		if c.Case == v.Case && c.Outcome == oob.CheckFailed {
			return "(" + joined(c.Of, c.Detail) + "; docs/troubleshooting.md, " + v.Case + ")"
		}
	}
	return "(docs/troubleshooting.md, " + v.Case + ")"
}

// withoutName takes the name of the header field off, as captures show it.
func withoutName(line string) string {
	name, value, found := strings.Cut(line, ":")
	if found && (strings.EqualFold(strings.TrimSpace(name), "identity") || strings.EqualFold(strings.TrimSpace(name), "y")) {
		return strings.TrimSpace(value)
	}
	return line
}
