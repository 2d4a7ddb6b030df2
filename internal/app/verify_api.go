package app

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/viaduct-oob/viaduct/internal/wire/sti"
	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/tn"
)

// Answer are the flags that let a person speak the API of switches without a server.
type Answer struct {
	Request string `placeholder:"FILE" help:"Body of a verification request of ATIS-1000082 or TS 24.229 Ms, instead of token, --orig and --dest; - for standard input."`
	Format  string `default:"text" enum:"text,atis,ms" help:"What to print: every check, or the body that a server of that API would answer: ${enum} (${default})."`
	Verstat string `default:"plain" enum:"plain,abc,bc" help:"Spelling of verstat in such a body: ${enum}. abc appends the attestation, bc only where it is not A (${default})."`
}

func (a *Answer) dialect() sti.Dialect {
	if a.Format == "ms" {
		return sti.Ms
	}
	return sti.ATIS
}

func (a *Answer) style() sti.AnswerStyle {
	return sti.AnswerStyle{Verstat: map[string]oob.VerstatStyle{
		"plain": oob.VerstatPlain, "abc": oob.VerstatAttested, "bc": oob.VerstatAttestedBC,
	}[a.Verstat]}
}

// readCall reads the request. What is wrong with it is an *sti.Exception.
func (a *Answer) readCall(in io.Reader) (stivs.Call, error) {
	if a.Request != "-" {
		file, err := os.Open(a.Request)
		if err != nil {
			return stivs.Call{}, plain(err)
		}
		defer file.Close()
		in = file
	}
	body, err := io.ReadAll(io.LimitReader(in, sti.BodyBytesMax+1))
	if err != nil {
		return stivs.Call{}, plain(err)
	}
	request, err := sti.ReadVerification(body, tn.NANP, a.dialect())
	if err != nil {
		return stivs.Call{}, err
	}
	return stivs.Call{Orig: request.From, Dest: request.Called(), Identity: request.Identity, Time: request.Time}, nil
}

// refuse answers a request that is wrong in the form that was asked for; any other error is passed on.
func (a *Answer) refuse(out io.Writer, err error) error {
	var e *sti.Exception
	if a.Format == "text" || !errors.As(err, &e) {
		return err
	}
	e.Dialect = a.dialect()
	fmt.Fprintf(out, "%s\n", sti.WriteException(e))
	return ErrNegative
}

func (a *Answer) write(out io.Writer, verdict oob.Verdict) {
	if a.Format == "text" {
		writeVerdict(out, verdict)
		return
	}
	fmt.Fprintf(out, "%s\n", sti.WriteVerification(a.dialect(), verdict, a.style()))
}
