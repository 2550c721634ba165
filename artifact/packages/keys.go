package packages

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"seaworthy/artifact"
)

// maxKey bounds what is read as a key.
const maxKey = 1 << 20

// Key is an OpenPGP key that signs packages and repositories.
type Key struct{ entity *openpgp.Entity }

// ReadKey reads a private key, armored or not, and unlocks it. The error of a
// wrong passphrase does not tell the passphrase.
func ReadKey(data, passphrase []byte) (*Key, error) {
	list, err := readKeys(data)
	if err != nil {
		return nil, err
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("there are %d OpenPGP keys where one is expected: export the one to sign with", len(list))
	}
	e := list[0]
	if e.PrivateKey == nil {
		return nil, errors.New("this is a public OpenPGP key: export the private one, with gpg --export-secret-keys --armor")
	}
	if locked(e) {
		if len(passphrase) == 0 {
			return nil, errors.New("the OpenPGP key is locked: give its passphrase")
		}
		if err := e.DecryptPrivateKeys(passphrase); err != nil {
			return nil, errors.New("the passphrase does not unlock the OpenPGP key")
		}
	}
	return &Key{entity: e}, nil
}

func locked(e *openpgp.Entity) bool {
	if e.PrivateKey.Encrypted {
		return true
	}
	for _, s := range e.Subkeys {
		if s.PrivateKey != nil && s.PrivateKey.Encrypted {
			return true
		}
	}
	return false
}

func readKeys(data []byte) (openpgp.EntityList, error) {
	if len(data) > maxKey {
		return nil, fmt.Errorf("an OpenPGP key has at most %d bytes", maxKey)
	}
	read := openpgp.ReadKeyRing
	if bytes.Contains(data, []byte("-----BEGIN PGP")) {
		read = openpgp.ReadArmoredKeyRing
	}
	list, err := read(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("reading an OpenPGP key: %w", err)
	}
	return list, nil
}

// ReadTrusted reads public keys, armored or not, whose signatures on a
// repository are believed besides those of the key that signs.
func ReadTrusted(data []byte) (openpgp.EntityList, error) { return readKeys(data) }

// GenerateKey makes a private key, armored, locked if there is a passphrase.
// It is RSA of 3072 bits, which is what every rpm and apt in use can check.
func GenerateKey(name, mail string, passphrase []byte, now time.Time) ([]byte, error) {
	config := &packet.Config{
		Algorithm: packet.PubKeyAlgoRSA, RSABits: 3072, DefaultHash: crypto.SHA512,
		Time: func() time.Time { return now },
	}
	e, err := openpgp.NewEntity(name, "", mail, config)
	if err != nil {
		return nil, fmt.Errorf("making an OpenPGP key for %s: %w", name, err)
	}
	// It signs and does nothing else.
	e.Subkeys = nil
	if len(passphrase) > 0 {
		if err := e.EncryptPrivateKeys(passphrase, config); err != nil {
			return nil, fmt.Errorf("locking the OpenPGP key: %w", err)
		}
	}
	return armored(openpgp.PrivateKeyType, func(w io.Writer) error { return e.SerializePrivateWithoutSigning(w, config) })
}

func armored(kind string, write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	// GnuPG 2.2 stumbles over an armor without a checksum.
	w, err := armor.EncodeWithChecksumOption(&b, kind, nil, true)
	if err == nil {
		err = errors.Join(write(w), w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("writing an OpenPGP key: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// Public returns the public half, armored (key.asc) and bare (key.gpg).
func (k *Key) Public() (asc, bare []byte, err error) {
	asc, err = armored(openpgp.PublicKeyType, k.entity.Serialize)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if err := k.entity.Serialize(&b); err != nil {
		return nil, nil, fmt.Errorf("writing an OpenPGP key: %w", err)
	}
	return asc, b.Bytes(), nil
}

// Fingerprint returns the key's fingerprint in upper-case hex.
func (k *Key) Fingerprint() string {
	return strings.ToUpper(hex.EncodeToString(k.entity.PrimaryKey.Fingerprint))
}

// config makes a signature the same bytes every time. A signature made before
// its key was is refused by everyone, so the key's time is the earliest.
func (k *Key) config(when time.Time) (*packet.Config, error) {
	if made := k.entity.PrimaryKey.CreationTime; when.Before(made) {
		when = made
	}
	key, ok := k.entity.SigningKey(when)
	if ok && key.PublicKey.CreationTime.After(when) {
		when = key.PublicKey.CreationTime
	}
	if !ok {
		return nil, fmt.Errorf("the OpenPGP key %s cannot sign: it is expired, revoked, or not for signing", k.Fingerprint())
	}
	return &packet.Config{
		DefaultHash: crypto.SHA512, Time: func() time.Time { return when }, SigningKeyId: key.PublicKey.KeyId,
		NonDeterministicSignaturesViaNotation: packet.BoolPointer(false),
	}, nil
}

func (k *Key) sign(data io.Reader, when time.Time) ([]byte, error) {
	config, err := k.config(when)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := openpgp.DetachSign(&b, k.entity, data, config); err != nil {
		return nil, fmt.Errorf("signing with the OpenPGP key %s: %w", k.Fingerprint(), err)
	}
	return b.Bytes(), nil
}

func (k *Key) signArmored(data io.Reader, when time.Time) ([]byte, error) {
	bare, err := k.sign(data, when)
	if err != nil {
		return nil, err
	}
	return armored(openpgp.SignatureType, func(w io.Writer) error {
		_, err := w.Write(bare)
		return err
	})
}

// signClear wraps a text in its signature, as InRelease is.
func (k *Key) signClear(text []byte, when time.Time) ([]byte, error) {
	config, err := k.config(when)
	if err != nil {
		return nil, err
	}
	key, ok := k.entity.SigningKey(config.Now())
	if !ok {
		return nil, fmt.Errorf("the OpenPGP key %s cannot sign", k.Fingerprint())
	}
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, key.PrivateKey, config)
	if err == nil {
		_, err = w.Write(text)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("signing with the OpenPGP key %s: %w", k.Fingerprint(), err)
	}
	return checksummed(b.Bytes())
}

// checksummed armors the signature of a signed text anew, with a checksum.
func checksummed(text []byte) ([]byte, error) {
	at := bytes.LastIndex(text, []byte("-----BEGIN PGP SIGNATURE-----"))
	block, err := armor.Decode(bytes.NewReader(text[max(at, 0):]))
	if err != nil {
		return nil, fmt.Errorf("signing a text: %w", err)
	}
	signature, err := armored(openpgp.SignatureType, func(w io.Writer) error {
		_, err := io.Copy(w, block.Body)
		return err
	})
	return append(text[:at:at], signature...), err
}

// keyring is everyone whose signature is believed.
func (s Signers) keyring(trusted openpgp.EntityList) openpgp.EntityList {
	list := append(openpgp.EntityList{}, trusted...)
	if s.OpenPGP != nil {
		list = append(list, s.OpenPGP.entity)
	}
	return list
}

// APKKey is an RSA key that signs Alpine's packages and indexes.
type APKKey struct {
	key  *rsa.PrivateKey
	name string // NAME.rsa.pub, as it lies in /etc/apk/keys
}

// ReadAPKKey reads an RSA private key in PEM, as openssl and abuild-keygen
// write it. People keep the public half in /etc/apk/keys under its name, which
// is made of the given one and the key's digest.
func ReadAPKKey(data []byte, name string) (*APKKey, error) {
	if err := artifact.CheckName(name); err != nil {
		return nil, fmt.Errorf("naming an apk key: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil || len(data) > maxKey {
		return nil, errors.New("the apk key is no PEM: write an RSA private key, as openssl genrsa does")
	}
	var key *rsa.PrivateKey
	switch block.Type {
	case "RSA PRIVATE KEY":
		if block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the apk key is locked: unlock it with openssl rsa")
		}
		k, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the apk key: %w", err)
		}
		key = k
	case "PRIVATE KEY":
		k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("reading the apk key: %w", err)
		}
		var ok bool
		if key, ok = k.(*rsa.PrivateKey); !ok {
			return nil, fmt.Errorf("the apk key is a %T: apk knows RSA alone", k)
		}
	default:
		return nil, fmt.Errorf("the apk key is a PEM of %q: write an unlocked RSA private key", block.Type)
	}
	k := &APKKey{key: key}
	public, err := k.Public()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(public)
	k.name = fmt.Sprintf("%s-%x.rsa.pub", name, sum[:4])
	return k, nil
}

// GenerateAPKKey makes an RSA private key of 4096 bits in PEM.
func GenerateAPKKey() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	if err != nil {
		return nil, fmt.Errorf("making an apk key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), nil
}

// Name returns the file name the public half must have in /etc/apk/keys.
func (k *APKKey) Name() string { return k.name }

// Public returns the public half in PEM.
func (k *APKKey) Public() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("writing the apk key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// signDigest signs a SHA-1 digest, which is what apk's format has: version 2
// of apk does not install packages signed otherwise.
func (k *APKKey) signDigest(digest []byte) ([]byte, error) {
	signature, err := rsa.SignPKCS1v15(nil, k.key, crypto.SHA1, digest)
	if err != nil {
		return nil, fmt.Errorf("signing with the apk key %s: %w", k.name, err)
	}
	return signature, nil
}

// readAPKPublic reads what Public wrote.
func readAPKPublic(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("it is no PEM")
	}
	any, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T: apk knows RSA alone", any)
	}
	return key, nil
}

var mailForm = regexp.MustCompile(`^[^<>@\s]+@[^<>@\s]+$`)

// CheckIdentity refuses what cannot be the name and mail address on a key.
func CheckIdentity(name, mail string) error {
	if name == "" || strings.ContainsAny(name, "<>()\n\r\x00") {
		return fmt.Errorf("%q cannot be the name on a key: write one line without brackets", name)
	}
	if !mailForm.MatchString(mail) {
		return fmt.Errorf("%q cannot be the address on a key: write one like releases@example.org", mail)
	}
	return nil
}
