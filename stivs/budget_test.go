package stivs_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/viaduct-oob/viaduct/oob"
	"github.com/viaduct-oob/viaduct/stivs"
	"github.com/viaduct-oob/viaduct/trust"
)

// bubbleService is a service in a synctest bubble: its clock is the bubble's, and it can fetch nothing.
func bubbleService(t *testing.T, r oob.Retriever, budget time.Duration) *stivs.Service {
	t.Helper()
	verifier, err := trust.New(trust.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(verifier.Close)
	s, err := stivs.New(stivs.Config{Verifier: verifier, Retriever: r, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestVerifyNeverTakesLongerThanItsBudget(t *testing.T) {
	call := plainCall()
	call.Key = key
	for _, c := range []struct {
		name      string
		budget    time.Duration // of the service
		patience  time.Duration // of the caller
		want      time.Duration
		retriever func(stop chan struct{}) oob.Retriever
	}{
		{"CPS client that waits as long as it may", 0, time.Hour, stivs.BudgetDefault * 3 / 4, func(chan struct{}) oob.Retriever {
			return retriever(func(ctx context.Context, _ oob.Key) ([]string, error) {
				<-ctx.Done()
				return nil, oob.Faultf(oob.PeerTimeout, "").Because(ctx.Err())
			})
		}},
		{"CPS client that does not look at its context", time.Second, time.Hour, 750 * time.Millisecond, func(stop chan struct{}) oob.Retriever {
			return retriever(func(context.Context, oob.Key) ([]string, error) {
				<-stop
				return nil, nil
			})
		}},
		{"caller with less patience", time.Second, 400 * time.Millisecond, 300 * time.Millisecond, func(stop chan struct{}) oob.Retriever {
			return retriever(func(context.Context, oob.Key) ([]string, error) {
				<-stop
				return nil, nil
			})
		}},
		{"caller that has gone", time.Second, 0, 0, func(stop chan struct{}) oob.Retriever {
			return retriever(func(context.Context, oob.Key) ([]string, error) {
				<-stop
				return nil, nil
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stop := make(chan struct{})
				defer close(stop)
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				began := time.Now()
				verdict := bubbleService(t, c.retriever(stop), c.budget).Verify(ctx, call)
				if took := time.Since(began); took != c.want || verdict.Took != took {
					t.Errorf("took %v, verdict says %v, want %v", took, verdict.Took, c.want)
				}
				if verdict.Verstat != oob.VerstatNoValidation || verdict.Code != 0 {
					t.Errorf("%+v", verdict)
				}
				check := checkNamed(t, verdict, "retrieval")
				if check.Outcome != oob.CheckFailed || check.Took != c.want || !check.At.Equal(began) {
					t.Errorf("%+v", check)
				}
			})
		})
	}
}

func TestRepositoryThatHangsDoesNotHideAGoodPassport(t *testing.T) {
	l := newLaboratory(t)
	good := l.signed()
	l.verify(plainCall(good.Identity.String())) // now the certificate is cached
	hanging := l.forge(members{"x5u": l.base + "/hang.pem"}, nil)
	brief := func(outOfBand ...string) *stivs.Service {
		return l.service(func(cfg *stivs.Config) {
			cfg.Budget = time.Second
			cfg.Retriever = retriever(func(context.Context, oob.Key) ([]string, error) { return outOfBand, nil })
		})
	}
	call := plainCall(fieldWith(hanging, l.base+"/hang.pem"))
	t.Run("in band", func(t *testing.T) {
		call := call
		call.Identity = append(call.Identity, good.Identity.String())
		wantPassed(t, brief().Verify(t.Context(), call), oob.SourceInBand)
	})
	t.Run("out of band", func(t *testing.T) {
		call := call
		call.Key = key
		wantPassed(t, brief(hanging, good.Passport).Verify(t.Context(), call), oob.SourceOutOfBand)
	})
	t.Run("alone", func(t *testing.T) {
		wantCase(t, brief().Verify(t.Context(), call), stivs.E8)
	})
}

func TestVerifierThatPanicsDoesNotStopTheCall(t *testing.T) {
	l := newLaboratory(t)
	calls := 0
	s := l.service(func(cfg *stivs.Config) {
		cfg.Now = func() time.Time {
			if calls++; calls == 5 {
				panic("broken clock")
			}
			return l.now
		}
	})
	verdict := s.Verify(t.Context(), plainCall(l.signed().Identity.String()))
	if verdict.Verstat != oob.VerstatNoValidation || verdict.ReasonDesc != "The verification service failed." {
		t.Errorf("%+v", verdict)
	}
	if check := checkNamed(t, verdict, "verification"); check.Outcome != oob.CheckFailed {
		t.Errorf("%+v", check)
	}
}
