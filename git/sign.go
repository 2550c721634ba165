package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// SignatureFormat is how a tag is signed, by git's own names (gpg.format).
type SignatureFormat string

// Signature formats.
const (
	SSH     SignatureFormat = "ssh"
	OpenPGP SignatureFormat = "openpgp"
)

// Beginnings of a signature in a tag and of a private key in its file.
const (
	sshSignature = "-----BEGIN SSH SIGNATURE-----"
	pgpSignature = "-----BEGIN PGP SIGNATURE-----"
	sshKey       = "-----BEGIN OPENSSH PRIVATE KEY-----"
	pgpKey       = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
)

var (
	// ErrKey: a private key that tags cannot be signed with.
	ErrKey = errors.New("tags cannot be signed with this key")
	// ErrUnsigned: the tag carries no signature.
	ErrUnsigned = errors.New("not signed")
	// ErrBadSignature: the signature is not by a key that counts, or not of
	// this tag.
	ErrBadSignature = errors.New("the signature does not hold")
)

// KeyFormat tells from a private key's text how it signs: an OpenSSH key, or an
// armoured OpenPGP one. The error wraps ErrKey.
func KeyFormat(key []byte) (SignatureFormat, error) {
	switch {
	case bytes.Contains(key, []byte(sshKey)):
		return SSH, nil
	case bytes.Contains(key, []byte(pgpKey)):
		return OpenPGP, nil
	}
	return "", fmt.Errorf("%w: it is neither an OpenSSH private key (ssh-keygen) nor an armoured OpenPGP one (gpg --export-secret-keys --armor)", ErrKey)
}

// content is the tag object without a signature.
func (t NewTag) content() string {
	return fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger %s <%s> %d +0000\n\n%s\n",
		t.Commit, t.Name, t.Tagger.Name, t.Tagger.Email, t.Tagger.Time.Unix(), strings.TrimRight(t.Message, "\n"))
}

// SignTag makes the tag with git's own tag --sign and returns the signature: with
// it in NewTag.Signature, CreateTag makes the same object in any repository. A
// tag that is there already and says the same keeps its signature; one that says
// something else is ErrRejected. The key is a private key without a passphrase,
// an OpenSSH one or an armoured OpenPGP one; it is on disk, for its owner alone,
// while git runs.
func (r *Repository) SignTag(ctx context.Context, t NewTag, key []byte) (signature string, err error) {
	format, err := KeyFormat(key)
	if err != nil {
		return "", err
	}
	if have, err := r.Git(ctx, "cat-file", "tag", "refs/tags/"+t.Name); err == nil {
		text, signature := splitSignature(have)
		if text != t.content() || signature == "" {
			return "", fmt.Errorf("tag %s exists and is another: %w", t.Name, ErrRejected)
		}
		return signature, nil
	}
	ring, err := openRing(ctx, format, key)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ring.close(ctx)) }()
	args := append(ring.config(), "tag", "--sign", "--cleanup=verbatim", "--file=-", t.Name, t.Commit)
	_, err = call{dir: r.Dir, env: append(ring.env, identity("COMMITTER", t.Tagger)...), args: args,
		stdin: strings.NewReader(strings.TrimRight(t.Message, "\n") + "\n")}.run(ctx)
	var ge *Error
	if errors.As(err, &ge) && strings.Contains(ge.Stderr, "already exists") {
		return "", fmt.Errorf("tag %s exists and is another: %w", t.Name, ErrRejected)
	}
	if err != nil {
		return "", fmt.Errorf("signing the tag %s: %w", t.Name, err)
	}
	made, err := r.Git(ctx, "cat-file", "tag", "refs/tags/"+t.Name)
	if err != nil {
		return "", fmt.Errorf("reading the tag %s: %w", t.Name, err)
	}
	text, signature := splitSignature(made)
	if text != t.content() || signature == "" {
		// It is ours, made just now, and good for nothing.
		return "", errors.Join(fmt.Errorf("signing the tag %s: %w: git made a tag that is not signed, or not as asked for", t.Name, ErrKey),
			r.UpdateRef(ctx, "refs/tags/"+t.Name, "", ""))
	}
	return signature, nil
}

// splitSignature parts a tag object from its signature, which is its end.
func splitSignature(text string) (content, signature string) {
	for _, begin := range []string{sshSignature, pgpSignature} {
		if i := strings.LastIndex(text, "\n"+begin); i >= 0 {
			return text[:i+1], text[i+1:]
		}
	}
	return text, ""
}

// TagSignature returns the format of an annotated tag's signature. The error is
// ErrUnsigned if it has none, and if the tag is a plain one.
func (r *Repository) TagSignature(ctx context.Context, tag string) (SignatureFormat, error) {
	object, err := r.ResolveObject(ctx, "refs/tags/"+tag)
	if err != nil {
		return "", err
	}
	kind, err := r.Git(ctx, "cat-file", "-t", object)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(kind) != "tag" {
		return "", fmt.Errorf("%s is a plain tag: %w", tag, ErrUnsigned)
	}
	text, err := r.Git(ctx, "cat-file", "tag", object)
	if err != nil {
		return "", err
	}
	switch _, signature := splitSignature(text); {
	case strings.HasPrefix(signature, sshSignature):
		return SSH, nil
	case strings.HasPrefix(signature, pgpSignature):
		return OpenPGP, nil
	}
	return "", fmt.Errorf("tag %s is %w", tag, ErrUnsigned)
}

// VerifyTag checks the signature of a tag with git's own verify-tag. signers is,
// for SSH, an allowed-signers file (ssh-keygen(1)) and, for OpenPGP, armoured
// public keys. It returns what the verifying program says of the signer. The
// error is ErrUnsigned or wraps ErrBadSignature if the tag is not theirs.
func (r *Repository) VerifyTag(ctx context.Context, tag string, signers []byte) (says string, err error) {
	format, err := r.TagSignature(ctx, tag)
	if err != nil {
		return "", err
	}
	ring, err := openRing(ctx, format, signers)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ring.close(ctx)) }()
	args := append(ring.config(), "verify-tag", "--", tag)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = r.Dir, Environ(Auth{}, ring.env...)
	out, err := cmd.CombinedOutput()
	said := signerLine(string(out))
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.As(err, &exit):
		return "", fmt.Errorf("tag %s: %w: %s", tag, ErrBadSignature, said)
	case err != nil:
		return "", fmt.Errorf("verifying the tag %s: %w", tag, err)
	}
	return said, nil
}

// signerLine is the line that names the signer, or else the first one.
func signerLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	for _, l := range lines {
		if l = strings.TrimPrefix(strings.TrimSpace(l), "gpg: "); strings.HasPrefix(l, "Good ") || strings.HasPrefix(l, "BAD ") {
			return l
		}
	}
	return strings.TrimSpace(lines[0])
}

// PublicKey returns, for a private key, what VerifyTag takes: for SSH a line of an
// allowed-signers file that allows the address to sign, for OpenPGP the armoured
// public key.
func PublicKey(ctx context.Context, key []byte, email string) (_ []byte, err error) {
	format, err := KeyFormat(key)
	if err != nil {
		return nil, err
	}
	ring, err := openRing(ctx, format, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ring.close(ctx)) }()
	if format == OpenPGP {
		return ring.run(ctx, "gpg", "--batch", "--armor", "--export")
	}
	public, err := ring.run(ctx, "ssh-keygen", "-y", "-P", "", "-f", ring.file)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(public))
	if len(fields) < 2 || strings.ContainsAny(email, " \t\r\n\"") {
		return nil, fmt.Errorf("%w: its public half cannot be read", ErrKey)
	}
	return fmt.Appendf(nil, "%s namespaces=\"git\" %s %s\n", email, fields[0], fields[1]), nil
}

// ring is a folder with the keys that git signs or verifies with, for the time
// that takes.
type ring struct {
	dir, file string // file holds an SSH key, or the allowed signers
	format    SignatureFormat
	id        string // fingerprint of the OpenPGP key
	env       []string
}

func openRing(ctx context.Context, format SignatureFormat, keys []byte) (_ *ring, err error) {
	// Short, because a socket that gpg makes in it may have 107 characters.
	dir, err := os.MkdirTemp("", "sw-keys-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for keys: %w", err)
	}
	k := &ring{dir: dir, file: filepath.Join(dir, "key"), format: format,
		env: []string{"GNUPGHOME=" + dir, "SSH_ASKPASS_REQUIRE=never"}}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close(ctx))
		}
	}()
	if format == SSH {
		// ssh-keygen refuses a key whose last line does not end.
		if err := os.WriteFile(k.file, append(bytes.TrimRight(keys, "\r\n"), '\n'), 0o600); err != nil {
			return nil, fmt.Errorf("writing the key for git: %w", err)
		}
		return k, nil
	}
	if _, err := k.feed(ctx, keys, "gpg", "--batch", "--quiet", "--import"); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	list, err := k.run(ctx, "gpg", "--batch", "--with-colons", "--list-keys")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Split(line, ":"); f[0] == "fpr" && len(f) > 9 {
			k.id = f[9]
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: it holds no key", ErrKey)
}

// config is what git is told on its command line.
func (k *ring) config() []string {
	if k.format == SSH {
		return []string{"-c", "gpg.format=ssh", "-c", "user.signingKey=" + k.file, "-c", "gpg.ssh.allowedSignersFile=" + k.file}
	}
	return []string{"-c", "gpg.format=openpgp", "-c", "user.signingKey=" + k.id}
}

func (k *ring) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	return k.feed(ctx, nil, program, args...)
}

func (k *ring) feed(ctx context.Context, in []byte, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Stdin = Environ(Auth{}, k.env...), bytes.NewReader(in)
	var errb bytes.Buffer
	cmd.Stderr = &errb
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("signed tags need %s, which is not on PATH: install it", program)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(errb.String()))
	}
	return out, nil
}

// close ends gpg's agent, which serves this folder alone, and removes the keys.
func (k *ring) close(ctx context.Context) error {
	var err error
	if k.format == OpenPGP {
		_, err = k.run(context.WithoutCancel(ctx), "gpgconf", "--kill", "all")
	}
	if removed := os.RemoveAll(k.dir); removed != nil {
		err = errors.Join(err, fmt.Errorf("removing the folder of keys: %w", removed))
	}
	return err
}
