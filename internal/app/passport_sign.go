package app

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/viaduct-oob/viaduct/identity"
	"github.com/viaduct-oob/viaduct/internal/uuid"
	"github.com/viaduct-oob/viaduct/passport"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
	"github.com/viaduct-oob/viaduct/trust"
)

// PassportSign is `viaduct passport sign`. Each flag that belongs to some types names them in its help; rows of
// signFlags say the same to the program.
type PassportSign struct {
	Signer
	Type   string    `default:"shaken" enum:"shaken,base,div,div-o,rph,rcd,msg,rsp" help:"Type: shaken, base, div, div-o, rph, rcd, msg, rsp (${default})."`
	Orig   string    `placeholder:"NUMBER" help:"Calling number; that of --opt if left out."`
	Dest   []string  `required:"" placeholder:"NUMBER" help:"Called number; may be repeated."`
	IAT    time.Time `name:"iat" placeholder:"TIME" help:"When it is issued, such as 2026-11-22T10:00:00Z; that of --opt if left out, else now."`
	Header bool      `help:"Print the value of an Identity header instead of the bare token."`

	Attest string `group:"With --type shaken" placeholder:"LEVEL" help:"Attestation level A, B or C; A if left out."`
	OrigID string `group:"With --type shaken" name:"origid" placeholder:"UUID" help:"Origination identifier; a new one if left out."`

	Div string `group:"With --type div or div-o" placeholder:"NUMBER" help:"Called number before the retargeting; that of --opt if left out."`
	HI  string `group:"With --type div or div-o" name:"hi" placeholder:"INDEX" help:"Its index in History-Info, such as 1.1."`
	Opt string `group:"With --type div or div-o" placeholder:"TOKEN" help:"With div-o: PASSporT before the retargeting; read from standard input if left out."`

	RPH []string `group:"With --type rph" name:"rph" placeholder:"VALUE" help:"Authorised Resource-Priority, such as ets.0 or esnet.1; may be repeated."`
	SPH bool     `group:"With --type rph" name:"sph" help:"The call is a callback of an emergency service (psap-callback)."`

	Nam     string `group:"With --type rcd, shaken or base" placeholder:"TEXT" help:"Name to show."`
	ICN     string `group:"With --type rcd, shaken or base" name:"icn" placeholder:"URL" help:"Icon to show; with --icn-file."`
	ICNFile string `group:"With --type rcd, shaken or base" name:"icn-file" type:"existingfile" placeholder:"FILE" help:"What the URL of the icon serves: its digest is signed."`
	JCL     string `group:"With --type rcd, shaken or base" name:"jcl" placeholder:"URL" help:"jCard; with --jcl-file."`
	JCLFile string `group:"With --type rcd, shaken or base" name:"jcl-file" type:"existingfile" placeholder:"FILE" help:"What the URL of the jCard serves: its digest is signed."`
	JCD     string `group:"With --type rcd, shaken or base" name:"jcd" type:"existingfile" placeholder:"FILE" help:"jCard to carry inside the PASSporT, JSON."`
	CRN     string `group:"With --type rcd, shaken or base" name:"crn" placeholder:"TEXT" help:"Why the call is made."`

	Message string `group:"With --type msg" type:"existingfile" placeholder:"FILE" help:"Body of the message: its digest is signed."`
}

// Help shows a call, and a key that is in no file.
func (s *PassportSign) Help() string {
	return `With the key in a file:

  viaduct passport sign --key key.pem --x5u https://cr.example.net/sp.pem --orig 12155550121 --dest 12155550131

With the key in a PKCS #11 token, whose PIN stands in a file:

  viaduct passport sign --x5u https://cr.example.net/sp.pem --orig 12155550121 --dest 12155550131 \
    --key 'pkcs11:token=sti;object=signing?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/viaduct/pin'`
}

// signFlags says to which types a flag belongs; a flag that is not here belongs to all.
func (s *PassportSign) signFlags() []signFlag {
	div, rich := []passport.Type{passport.Div, passport.DivO}, []passport.Type{passport.RCD, passport.Shaken, passport.Base}
	return []signFlag{
		{"--attest", s.Attest != "", []passport.Type{passport.Shaken}},
		{"--origid", s.OrigID != "", []passport.Type{passport.Shaken}},
		{"--div", s.Div != "", div},
		{"--hi", s.HI != "", div},
		{"--opt", s.Opt != "", []passport.Type{passport.DivO}},
		{"--rph", len(s.RPH) > 0, []passport.Type{passport.RPH}},
		{"--sph", s.SPH, []passport.Type{passport.RPH}},
		{"--nam", s.Nam != "", rich},
		{"--icn", s.ICN != "", rich},
		{"--icn-file", s.ICNFile != "", rich},
		{"--jcl", s.JCL != "", rich},
		{"--jcl-file", s.JCLFile != "", rich},
		{"--jcd", s.JCD != "", rich},
		{"--crn", s.CRN != "", rich},
		{"--message", s.Message != "", []passport.Type{passport.Msg}},
	}
}

type signFlag struct {
	name  string
	given bool
	types []passport.Type
}

func (s *PassportSign) ppt() passport.Type {
	if s.Type == "base" {
		return passport.Base
	}
	return passport.Type(s.Type)
}

// Run prints the token.
func (s *PassportSign) Run(std *Streams) error {
	if err := s.check(); err != nil {
		return err
	}
	claims, err := s.claims(std.In)
	if err != nil {
		return err
	}
	key, err := s.load()
	if err != nil {
		return err
	}
	if err := trust.CheckX5U(s.X5U, s.laboratory()); err != nil {
		fmt.Fprintf(std.Err, "viaduct: warning: verifiers will not fetch the certificate: %v\n", err)
	}
	token, err := passport.Sign(key, s.ppt(), s.X5U, claims)
	if err != nil {
		return err
	}
	if s.Header {
		token = identity.Header{Token: token, Info: s.X5U, Alg: "ES256", PPT: string(s.ppt())}.String()
	}
	_, err = fmt.Fprintln(std.Out, token)
	return err
}

// check refuses flags that make no sense together.
func (s *PassportSign) check() error {
	for _, flag := range s.signFlags() {
		if flag.given && !slices.Contains(flag.types, s.ppt()) {
			return fmt.Errorf("%s does not go with --type %s: it belongs to %s", flag.name, s.Type, typeNames(flag.types))
		}
	}
	for _, value := range s.RPH {
		if namespace, priority, _ := strings.Cut(value, "."); namespace == "" || priority == "" {
			return fmt.Errorf("--rph: %q is not namespace.value, such as ets.0", value)
		}
	}
	switch {
	case !s.IAT.IsZero() && s.IAT.Unix() <= 0:
		return errors.New("--iat is after 1970-01-01T00:00:00Z: PASSporTs count the seconds since then")
	case !stivs.Showable(s.Nam):
		return errors.New("--nam is too long, or holds control characters or such as turn the direction of the text: nobody would show it")
	case !stivs.Showable(s.CRN):
		return errors.New("--crn is too long, or holds control characters or such as turn the direction of the text: nobody would show it")
	case s.Attest != "" && !passport.Attestation(s.Attest).Valid():
		return errors.New("--attest is A, B or C")
	case s.OrigID != "" && !uuid.Is(s.OrigID):
		return errors.New("--origid is a UUID, such as 123e4567-e89b-12d3-a456-426655440000")
	case s.ppt() == passport.Div && s.Div == "":
		return errors.New("--div is needed: which number was called before?")
	case s.ppt() == passport.RPH && len(s.RPH) == 0:
		return errors.New("--rph is needed: what is the caller authorised to, such as ets.0?")
	case s.ppt() == passport.RCD && s.rich()+s.CRN == "":
		return errors.New("a PASSporT of type rcd says something of the caller: give one of --nam, --icn, --jcl, --jcd, --crn")
	case s.ppt() == passport.Msg && s.Message == "":
		return errors.New("--message is needed: which body does it protect?")
	case (s.ICN == "") != (s.ICNFile == ""):
		return errors.New("--icn and --icn-file go together: whoever shows the icon compares it with the digest that is signed")
	case (s.JCL == "") != (s.JCLFile == ""):
		return errors.New("--jcl and --jcl-file go together: whoever shows the jCard compares it with the digest that is signed")
	case s.JCL != "" && s.JCD != "":
		return errors.New("--jcl and --jcd exclude each other")
	case s.Header && s.ppt() == passport.DivO:
		return errors.New("--header: no SIP message carries a div-o; it goes out of band, or take --type div")
	}
	return nil
}

func typeNames(types []passport.Type) string {
	names := make([]string, 0, len(types))
	for _, ppt := range types {
		if ppt == passport.Base {
			ppt = "base"
		}
		names = append(names, string(ppt))
	}
	return strings.Join(names, ", ")
}

// claims gathers what is to be signed.
func (s *PassportSign) claims(in io.Reader) (claims passport.Claims, err error) {
	claims = passport.Claims{
		IAT: s.IAT, Attest: passport.Attestation(s.Attest), OrigID: s.OrigID, DivHI: s.HI, RPH: s.RPH,
	}
	if s.SPH {
		claims.SPH = "psap-callback"
	}
	if s.ppt() == passport.Shaken {
		if claims.Attest == "" {
			claims.Attest = passport.AttestFull
		}
		if claims.OrigID == "" {
			claims.OrigID = uuid.New()
		}
	}
	if s.ppt() == passport.DivO {
		if err := s.before(in, &claims); err != nil {
			return passport.Claims{}, err
		}
	}
	if claims.IAT.IsZero() {
		claims.IAT = time.Now()
	}
	if s.Message != "" {
		body, err := readFile(s.Message, messageBytesMax)
		if err != nil {
			return passport.Claims{}, fmt.Errorf("--message: %w", err)
		}
		claims.MSGI = digestOf(body)
	}
	if claims.Rich, err = s.richCallData(); err != nil {
		return passport.Claims{}, err
	}
	return claims, s.parties(&claims)
}

// before reads the PASSporT before the retargeting, which answers what no flag says.
func (s *PassportSign) before(in io.Reader, claims *passport.Claims) error {
	texts, err := readTokens(s.Opt, in)
	if err != nil {
		return err
	}
	if len(texts) != 1 {
		return fmt.Errorf("--opt is one PASSporT, not %d: give it as a value or on standard input", len(texts))
	}
	tokens, err := bareTokens(texts)
	if err != nil {
		return fmt.Errorf("--opt: %w", err)
	}
	token, err := passport.Parse(tokens[0])
	if err != nil {
		return fmt.Errorf("--opt: %w", err)
	}
	claims.Opt, claims.Orig = tokens[0], token.Claims.Orig
	if claims.IAT.IsZero() {
		claims.IAT = token.Claims.IAT
	}
	if s.Div == "" {
		if len(token.Claims.Dest) != 1 {
			return errors.New("--div is needed: the PASSporT of --opt names several called numbers")
		}
		claims.Div = token.Claims.Dest[0]
	}
	return nil
}

// parties reads the numbers.
func (s *PassportSign) parties(claims *passport.Claims) (err error) {
	if s.Orig != "" || claims.Orig.IsZero() {
		if claims.Orig, err = parseParty("--orig", s.Orig); err != nil {
			return err
		}
	}
	if s.Div != "" {
		if claims.Div, err = parseParty("--div", s.Div); err != nil {
			return err
		}
	}
	if len(s.Dest) == 0 { // --dest ''
		return errors.New("--dest is needed")
	}
	for _, text := range s.Dest {
		var dest tn.Identity
		if dest, err = parseParty("--dest", text); err != nil {
			return err
		}
		claims.Dest = append(claims.Dest, dest)
	}
	if claims.Names(claims.Div) {
		return errors.New("--dest is the number that --div says was called before: such a call was not retargeted")
	}
	return nil
}

// rich is what rcd would say, as one text; empty for nothing.
func (s *PassportSign) rich() string { return s.Nam + s.ICN + s.JCL + s.JCD }

// richCallData gathers rcd, rcdi and crn; nil for none.
func (s *PassportSign) richCallData() (*passport.RichCallData, error) {
	if s.rich() == "" && s.CRN == "" {
		return nil, nil
	}
	rich := &passport.RichCallData{HasRCD: s.rich() != "", Nam: s.Nam, ICN: s.ICN, JCL: s.JCL, CRN: s.CRN}
	for _, linked := range []struct{ pointer, flag, name string }{{"/icn", "--icn-file", s.ICNFile}, {"/jcl", "--jcl-file", s.JCLFile}} {
		if linked.name == "" {
			continue
		}
		content, err := readFile(linked.name, stivs.RichContentBytesMax) // verifiers fetch no more
		if err == nil && len(content) == 0 {
			err = fmt.Errorf("%s: is empty", linked.name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", linked.flag, err)
		}
		rich.Digests = append(rich.Digests, passport.RichDigest{Pointer: linked.pointer, Value: digestOf(content)})
	}
	if s.JCD != "" {
		card, err := readFile(s.JCD, passport.TokenBytesMax)
		if err != nil {
			return nil, fmt.Errorf("--jcd: %w", err)
		}
		if !json.Valid(card) {
			return nil, fmt.Errorf("--jcd: %s: is no jCard: that is JSON, an array", s.JCD)
		}
		rich.JCD = string(card)
	}
	return rich, nil
}

// messageBytesMax bounds the body of a message.
const messageBytesMax = 1 << 20

// digestOf is the digest of content as rcdi and msgi write it (RFC 9795 §6.1, RFC 9475 §3.2).
func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256-" + base64.RawStdEncoding.EncodeToString(sum[:])
}
