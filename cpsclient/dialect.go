package cpsclient

import (
	"context"
	"net/http"
	"net/url"

	"github.com/viaduct-oob/viaduct/internal/wire"
	"github.com/viaduct-oob/viaduct/internal/wire/atis"
	"github.com/viaduct-oob/viaduct/internal/wire/rfc9888"
	"github.com/viaduct-oob/viaduct/oob"
)

// dialect is how one form is spoken. What all forms have in common is in operations.go.
type dialect struct {
	check    func(k oob.Key) *oob.Fault // refuses a key that a CPS would refuse
	proofs   map[oob.Action]proof       // what an operation is proven with; an action that is not in it cannot be done
	claims   func(a *oob.Access, own string, k oob.Key)
	publish  func(p oob.Publication) request
	retrieve func(k oob.Key) request
	found    func(ctx context.Context, c *Client, cps *peer, k oob.Key, answer response) ([]string, *failure)
	consume  func(k oob.Key, id string) request
	patient  bool // a CPS may be asked to wait until there is something
}

// newDialects are the forms. The zero dialect can do nothing.
func newDialects() map[oob.Profile]dialect {
	return map[oob.Profile]dialect{
		oob.Agreed: {
			check: checkPath, proofs: provenByToken, claims: claimAgreed,
			publish: publishArray, retrieve: retrieveArray, found: foundArray,
		},
		oob.Mesh: {
			check: checkPath, proofs: provenByToken, claims: claimMesh,
			publish: publishArray, retrieve: retrieveArray, found: foundArray,
		},
		oob.RFC9888: {
			check: checkCalled, proofs: provenByEither, claims: claimCalled,
			publish: publishItem, retrieve: retrieveCollection, found: foundCollection, patient: true,
		},
		oob.Company: {
			check: checkPath, proofs: provenByReaders, claims: claimCompany,
			publish: publishCompany, retrieve: retrieveArray, found: foundArray, consume: consumeCompany, patient: true,
		},
	}
}

// checkPath reads the key as a CPS will read it from the path.
func checkPath(k oob.Key) *oob.Fault {
	read, err := atis.ReadKey(k.Profile, func(name string) string {
		return map[string]string{"spc": k.SPC, "dest": k.Dest.String(), "orig": k.Orig.String()}[name]
	})
	if err != nil {
		return oob.FaultOf(err)
	}
	if read != k {
		return oob.Faultf(oob.Malformed, "the key has an SPC that its profile does not know")
	}
	return nil
}

// checkCalled wants a number that is called; that nobody is named who calls means all of them.
func checkCalled(k oob.Key) *oob.Fault {
	if _, ok := k.Dest.Number(); !ok {
		return oob.Faultf(oob.Malformed, "who is called is no number")
	}
	if k.SPC != "" {
		return oob.Faultf(oob.Malformed, "the key has an SPC that its profile does not know")
	}
	return nil
}

func publishArray(p oob.Publication) request {
	return request{
		method: http.MethodPost, path: atis.Path(p.Key), media: jsonMedia, body: atis.WritePublish(p.Passports), bytesMax: answerBytesMax,
	}
}

func publishItem(p oob.Publication) request { return publishLines(collectionPath(p.Key), p.Passports) }

func publishCompany(p oob.Publication) request {
	return publishLines(atis.CompanyPath(p.Key.SPC), p.Passports)
}

func publishLines(path string, passports []string) request {
	return request{method: http.MethodPost, path: path, media: wire.PassportMedia, body: wire.WriteLines(passports), bytesMax: answerBytesMax}
}

func collectionPath(k oob.Key) string {
	dest, _ := k.Dest.Number() // the check has seen that it is one
	return rfc9888.CollectionPath(dest)
}

func retrieveArray(k oob.Key) request {
	return request{method: http.MethodGet, path: atis.Path(k), bytesMax: oob.RetrievedBytesMax}
}

func retrieveCollection(k oob.Key) request {
	dest, _ := k.Dest.Number()
	return request{
		method: http.MethodGet, path: rfc9888.NarrowedPath(dest, k.Orig), bytesMax: oob.RetrievedBytesMax,
		prefer: rfc9888.Preferences{Representation: true},
	}
}

func foundArray(_ context.Context, _ *Client, _ *peer, _ oob.Key, answer response) ([]string, *failure) {
	return answer.passports(atis.ReadRetrieved)
}

func consumeCompany(k oob.Key, id string) request {
	return request{method: http.MethodDelete, path: atis.ConsumePath(k, id), bytesMax: answerBytesMax}
}

// foundCollection takes the PASSporTs where the CPS sent them, and fetches them where it sent a list. The body tells which:
// what has been applied is told in a header field that may be lost on the way.
func foundCollection(ctx context.Context, c *Client, cps *peer, k oob.Key, answer response) ([]string, *failure) {
	if failed := answer.complete(); failed != nil {
		return nil, failed
	}
	if !answer.isArray() {
		return answer.passports(atis.ReadRetrieved)
	}
	home, err := url.Parse(cps.base + collectionPath(k))
	if err != nil {
		return nil, &failure{ours: true, fault: oob.Faultf(oob.Internal, "").Because(blotted(err))}
	}
	items, err := rfc9888.ReadList(home, answer.body)
	if err != nil {
		return nil, unreadable(err)
	}
	return c.fetchItems(ctx, cps, k, items)
}
