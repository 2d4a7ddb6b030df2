//go:build cgo

package hsm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// modules are those that are loaded: a module may be initialised once in a process.
var modules = struct {
	sync.Mutex
	byPath map[string]*pkcs11.Ctx
}{byPath: map[string]*pkcs11.Ctx{}}

func load(path string) (*pkcs11.Ctx, error) {
	modules.Lock()
	defer modules.Unlock()
	if module := modules.byPath[path]; module != nil {
		return module, nil
	}
	module := pkcs11.New(path)
	if module == nil {
		return nil, fmt.Errorf("%w: %s is no shared library that can be loaded", ErrModule, path)
	}
	if err := module.Initialize(); err != nil && !errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return nil, fmt.Errorf("%w: %w", ErrModule, err)
	}
	modules.byPath[path] = module
	return module, nil
}

// open opens a session, logs in where the token wants it, and finds the key.
func (k *Key) open() (session, error) {
	k.opening.Lock()
	defer k.opening.Unlock()
	if k.refused != nil {
		return session{}, k.refused
	}
	slot, info, err := k.slot()
	if err != nil {
		return session{}, err
	}
	handle, err := k.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return session{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	s := session{handle: handle}
	if s.key, err = k.enter(handle, info); err != nil {
		k.end(s)
		return session{}, err
	}
	return s, nil
}

func (k *Key) enter(handle pkcs11.SessionHandle, info pkcs11.TokenInfo) (pkcs11.ObjectHandle, error) {
	if info.Flags&pkcs11.CKF_LOGIN_REQUIRED != 0 {
		if err := k.login(handle); err != nil {
			return 0, err
		}
	}
	return k.find(handle)
}

// slot finds the one token that the URI names.
func (k *Key) slot() (uint, pkcs11.TokenInfo, error) {
	slots, err := k.module.GetSlotList(true)
	if err != nil {
		return 0, pkcs11.TokenInfo{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	var found []uint
	var info pkcs11.TokenInfo
	for _, slot := range slots {
		if k.uri.slot != nil && *k.uri.slot != slot {
			continue
		}
		token, err := k.module.GetTokenInfo(slot)
		if err == nil && k.uri.names(token) { // a slot that fails is somebody else's trouble
			found, info = append(found, slot), token
		}
	}
	if len(found) != 1 {
		return 0, pkcs11.TokenInfo{}, fmt.Errorf("%w: %d tokens are the one that the URI names", ErrToken, len(found))
	}
	return found[0], info, nil
}

func (u *uri) names(token pkcs11.TokenInfo) bool {
	return token.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 &&
		(u.token == "" || u.token == token.Label) && (u.serial == "" || u.serial == token.SerialNumber) &&
		(u.manufacturer == "" || u.manufacturer == token.ManufacturerID) && (u.model == "" || u.model == token.Model)
}

// login holds for all sessions of the process with the token.
func (k *Key) login(handle pkcs11.SessionHandle) error {
	if k.uri.pinFile == "" {
		return fmt.Errorf("%w: it wants a PIN, and the URI has no pin-source", ErrToken)
	}
	pin, err := k.uri.readPIN()
	if err != nil {
		return err
	}
	err = k.module.Login(handle, pkcs11.CKU_USER, pin)
	code, _ := errors.AsType[pkcs11.Error](err)
	switch {
	case err == nil || code == pkcs11.CKR_USER_ALREADY_LOGGED_IN:
		return nil
	case code == pkcs11.CKR_PIN_INCORRECT || code == pkcs11.CKR_PIN_INVALID || code == pkcs11.CKR_PIN_LEN_RANGE ||
		code == pkcs11.CKR_PIN_LOCKED || code == pkcs11.CKR_PIN_EXPIRED:
		k.refused = fmt.Errorf("%w: %w", ErrPIN, err)
		return k.refused
	}
	return fmt.Errorf("%w: login: %w", ErrToken, err)
}

// find finds the private key, and its public key: that of the first time must be that of all times.
func (k *Key) find(handle pkcs11.SessionHandle) (pkcs11.ObjectHandle, error) {
	keys, err := k.objects(handle, pkcs11.CKO_PRIVATE_KEY, k.uri.id)
	if err != nil {
		return 0, err
	}
	if len(keys) != 1 {
		return 0, fmt.Errorf("%w: %d private EC keys are the one that the URI names", ErrKey, len(keys))
	}
	public, err := k.publicOf(handle, keys[0])
	if err != nil {
		return 0, err
	}
	if k.public == nil {
		k.public = public
	}
	if !k.public.Equal(public) {
		return 0, fmt.Errorf("%w: it is another key than before", ErrKey)
	}
	return keys[0], nil
}

// objectsMax bounds what a search gives: more than one is too many already.
const objectsMax = 8

func (k *Key) objects(handle pkcs11.SessionHandle, class uint, id []byte) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
	}
	if k.uri.object != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, k.uri.object))
	}
	if len(id) > 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	if err := k.module.FindObjectsInit(handle, template); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	found, _, err := k.module.FindObjects(handle, objectsMax)
	if err := errors.Join(err, k.module.FindObjectsFinal(handle)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	return found, nil
}

// publicOf reads the public key: from the object of the same id, else from the private key, where some tokens keep it.
func (k *Key) publicOf(handle pkcs11.SessionHandle, key pkcs11.ObjectHandle) (*ecdsa.PublicKey, error) {
	from := []pkcs11.ObjectHandle{}
	if id, err := k.module.GetAttributeValue(handle, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, nil)}); err == nil {
		if from, err = k.objects(handle, pkcs11.CKO_PUBLIC_KEY, id[0].Value); err != nil {
			return nil, err
		}
	}
	for _, object := range append(from, key) {
		values, err := k.module.GetAttributeValue(handle, object, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, nil), pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil),
		})
		if err != nil {
			continue
		}
		return pointOf(values[0].Value, values[1].Value)
	}
	return nil, fmt.Errorf("%w: its public key is not in the token", ErrKey)
}

// p256 is the DER of the object identifier of the curve (RFC 5480 §2.1.1.1).
var p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// pointOf reads a public key: an OCTET STRING around the point, which some tokens leave out.
func pointOf(params, text []byte) (*ecdsa.PublicKey, error) {
	if !bytes.Equal(params, p256) {
		return nil, fmt.Errorf("%w: the key is not on curve P-256", ErrKey)
	}
	input, point := cryptobyte.String(text), cryptobyte.String(nil)
	if len(text) == 1+2*coordinateBytes || !input.ReadASN1(&point, asn1.OCTET_STRING) || !input.Empty() {
		point = text
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("%w: its public key is no point of P-256", ErrKey)
	}
	return public, nil
}
