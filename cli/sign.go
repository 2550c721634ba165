package cli

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/image"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
)

// signerFlags say who signs, and who witnesses it.
type signerFlags struct {
	key, passwordFile      string
	keyless                bool
	fulcio, token          string
	logs, timestamps       []string
	logVersion             uint32
	recursive, tags, plain bool
	nomock                 bool
	annotations            map[string]string
	reference, trustedRoot string
	output                 outputFlag
}

// The public services of sigstore.
const (
	publicAuthority = "https://fulcio.sigstore.dev"
	publicLog       = "https://rekor.sigstore.dev"
)

func (f *signerFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.key, "key", "", "private `key`: a file, env://NAME, or an address of awskms://, gcpkms://, azurekms://, hashivault://")
	c.Flags().StringVar(&f.passwordFile, "password-file", "", "`file` with the key's password (SEAWORTHY_KEY_PASSWORD or COSIGN_PASSWORD if empty)")
	c.Flags().BoolVar(&f.keyless, "keyless", false, "sign with an identity instead of a key")
	c.Flags().StringVar(&f.token, "identity-token", "", "`file` or env://NAME with the identity token (SIGSTORE_ID_TOKEN, or GitHub Actions' own, if empty)")
	c.Flags().StringVar(&f.fulcio, "fulcio-url", publicAuthority, "`URL` of the authority that gives certificates to identities")
	c.Flags().StringSliceVar(&f.logs, "rekor-url", nil, "`URL` of a transparency log to record signatures in ("+publicLog+" for identities, none for keys, if empty)")
	c.Flags().Uint32Var(&f.logVersion, "rekor-version", 1, "`version` of the log's interface: 1 or 2")
	c.Flags().StringSliceVar(&f.timestamps, "timestamp-url", nil, "full `URL` of a time stamp authority")
}

func (f *signerFlags) addImage(c *cobra.Command) {
	c.Flags().BoolVar(&f.tags, "tags", false, "write cosign's older tags (sha256-….sig, .att) of images, too")
	c.Flags().BoolVar(&f.plain, "plain-http", false, "speak HTTP without TLS to the registry")
	c.Flags().BoolVar(&f.nomock, "nomock", false, "sign images; without this nothing is changed in a registry (files are signed in any case)")
	c.Flags().StringVar(&f.trustedRoot, "trusted-root", "", "`file` of authorities by which an identity's signatures that are there already are recognized")
	f.output.add(c)
}

// signer makes the signer.
func (f *signerFlags) signer(ctx context.Context) (sign.Signer, error) {
	services := sign.Services{Logs: f.logs, LogVersion: f.logVersion, Timestamps: f.timestamps}
	switch {
	case f.key != "" && f.keyless:
		return nil, usagef("sign with --key or --keyless, not with both")
	case f.logVersion != 1 && f.logVersion != 2:
		return nil, usagef("--rekor-version is 1 or 2")
	case f.keyless:
		tokens, err := sign.Tokens{Getenv: os.Getenv}.Source(f.token)
		if err != nil {
			return nil, usageError{err}
		}
		if len(services.Logs) == 0 {
			services.Logs = []string{publicLog}
		}
		s, err := sign.NewKeyless(f.fulcio, tokens, services, time.Now)
		if err != nil {
			return nil, usageError{err}
		}
		return s, nil
	case f.key == "":
		return nil, usagef("say who signs: --key FILE, or --keyless")
	}
	keys := app.Keys()
	if f.passwordFile != "" {
		keys.Password = passwordIn(f.passwordFile)
	}
	key, err := keys.Load(ctx, f.key)
	if err != nil {
		return nil, usageError{err}
	}
	s, err := sign.NewKeySigner(key, services)
	if err != nil {
		return nil, usageError{err}
	}
	return s, nil
}

// passwordIn reads a password from a file, without the line's end.
func passwordIn(file string) func() ([]byte, error) {
	return func() ([]byte, error) {
		text, err := os.ReadFile(file)
		return bytes.TrimRight(text, "\r\n"), err
	}
}

// imageOptions are those of the registry's client and of what is written.
func (f *signerFlags) imageOptions(ctx context.Context) (sign.ImageOptions, error) {
	o := sign.ImageOptions{Remote: registryOptions(ctx), Recursive: f.recursive, Tags: f.tags, Annotations: f.annotations,
		Reference: f.reference, Created: time.Now(), Mock: !f.nomock}
	if f.trustedRoot != "" {
		trust, err := sign.LoadTrust(f.trustedRoot)
		if err != nil {
			return o, usageError{err}
		}
		o.Trust = trust
	}
	return o, nil
}

// registryOptions are credentials as docker and podman keep them.
func registryOptions(ctx context.Context) []remote.Option {
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(image.Bounded{Inner: remote.DefaultTransport}), remote.WithAuthFromKeychain(image.Logins()), remote.WithUserAgent("seaworthy/" + version)}
}

// target is a file or an image.
type target struct {
	file  string
	image name.Reference
}

// parseTarget takes an argument for a file if there is one, and else for an
// image's name, which holds a slash.
func parseTarget(arg string, plain bool) (target, error) {
	info, err := os.Stat(arg)
	switch {
	case strings.HasPrefix(arg, "oci:"), strings.HasPrefix(arg, "oci-archive:"), strings.HasPrefix(arg, "docker-archive:"):
		return target{}, usagef("%s is not in a registry, and an image's signatures are kept in one: push it ('seaworthy image push --nomock') and name it there", arg)
	case err == nil && info.IsDir():
		return target{}, usagef("%s is a folder: name files, or their list of checksums", arg)
	case err == nil:
		return target{file: arg}, nil
	case !errors.Is(err, fs.ErrNotExist) || !strings.Contains(arg, "/") || strings.HasPrefix(arg, ".") || strings.HasPrefix(arg, "/"):
		return target{}, usageError{err}
	}
	var options []name.Option
	if plain {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(arg, options...)
	if err != nil {
		return target{}, usagef("%s is neither a file that is there nor the name of an image: %w", arg, err)
	}
	return target{image: ref}, nil
}

// signed is one line of what was signed.
type signed struct {
	Subject string `json:"subject"`
	Where   string `json:"where"`
	Present bool   `json:"present"`
	// Mock says that nothing was done.
	Mock bool `json:"mock"`
}

func newSign(s Streams) *cobra.Command {
	var f signerFlags
	var detached bool
	var out string
	c := &cobra.Command{
		Use:   "sign FILE|IMAGE…",
		Short: "Sign files and images with a key or an identity",
		Long: `Signs files and images. A file's signature is written beside it as FILE.sigstore.json, which holds all that is needed
to verify it offline, and with --detached as FILE.sig (and FILE.cert), as cosign sign-blob writes them. An image's
signature is attached to it in its registry, with --nomock; without it, what would be attached is said. An image that
the same signer has signed already is left alone.

With --keyless the signer is whom an identity token names, and signatures are recorded in a public log for good.`,
		Example: `  seaworthy sign key
  seaworthy sign --key seaworthy.key dist/SHA256SUMS dist/*.tar.gz
  seaworthy sign --key awskms:///alias/release --recursive --nomock registry.example.org/halyard@sha256:…
  seaworthy sign --keyless --fulcio-url https://fulcio.example.org --rekor-url https://rekor.example.org dist/SHA256SUMS`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the files or images to sign")
			}
			if out != "" && len(args) > 1 {
				return usagef("--bundle names one file: sign one at a time")
			}
			return f.sign(cmd.Context(), s, args, out, detached)
		},
	}
	f.add(c)
	f.addImage(c)
	c.Flags().BoolVar(&f.recursive, "recursive", false, "sign every image of an index, too")
	c.Flags().StringToStringVar(&f.annotations, "annotation", nil, "`NAME=VALUE` to sign with an image")
	c.Flags().StringVar(&f.reference, "reference", "", "`name` an image is published under, for the signature in its tag")
	c.Flags().BoolVar(&detached, "detached", false, "write FILE.sig and FILE.cert, too")
	c.Flags().StringVar(&out, "bundle", "", "`file` for the signature (FILE.sigstore.json if empty)")
	c.AddCommand(newSignKey(s), newSignAttest(s))
	return c
}

func (f *signerFlags) sign(ctx context.Context, s Streams, args []string, out string, detached bool) error {
	var targets []target
	for _, arg := range args {
		t, err := parseTarget(arg, f.plain)
		if err != nil {
			return err
		}
		targets = append(targets, t)
	}
	signer, err := f.signer(ctx)
	if err != nil {
		return err
	}
	done := []signed{}
	for _, t := range targets {
		var more []signed
		if t.image != nil {
			more, err = f.signImage(ctx, signer, t.image)
		} else {
			more, err = signFile(ctx, signer, t.file, out, detached)
		}
		done = append(done, more...)
		if err != nil && len(done) > 0 {
			return errors.Join(err, f.list(s, done)) // what was done is said
		} else if err != nil {
			return err
		}
	}
	return f.list(s, done)
}

func (f *signerFlags) list(s Streams, done []signed) error {
	return f.output.print(s.Out, done, func(w io.Writer) error {
		var rows [][]string
		mock := false
		for _, d := range done {
			what := "signed"
			switch {
			case d.Present:
				what = "was signed already"
			case d.Mock:
				what, mock = "would be signed", true
			}
			rows = append(rows, []string{d.Subject, what, d.Where})
		}
		if err := table(w, "Nothing was signed.", []string{"subject", "what", "where"}, rows); err != nil || !mock {
			return err
		}
		return said(w, "This was a mock run for images: none was signed. Add --nomock to do it.\n")
	})
}

func (f *signerFlags) signImage(ctx context.Context, signer sign.Signer, ref name.Reference) ([]signed, error) {
	o, err := f.imageOptions(ctx)
	if err != nil {
		return nil, err
	}
	d, err := imageDigest(ref, o.Remote)
	if err != nil {
		return nil, err
	}
	written, err := sign.Image(ctx, signer, d, o)
	return signedImages(written, o.Mock), err
}

func signedImages(written []sign.Written, mock bool) []signed {
	var done []signed
	for _, w := range written {
		done = append(done, signed{w.Image, w.Where, w.Present, mock})
	}
	return done
}

// imageDigest returns what a tag points at now. What is there is read for that: a
// registry's word is not signed.
func imageDigest(ref name.Reference, options []remote.Option) (name.Digest, error) {
	if d, ok := ref.(name.Digest); ok {
		return d, nil
	}
	d, err := remote.Get(ref, options...)
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return name.Digest{}, fmt.Errorf("looking for %s: there is no such image", ref)
	} else if err != nil {
		return name.Digest{}, fmt.Errorf("looking for %s: %w", ref, err)
	}
	return ref.Context().Digest(d.Digest.String()), nil
}

func signFile(ctx context.Context, signer sign.Signer, file, out string, detached bool) ([]signed, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	b, err := sign.Blob(ctx, signer, f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if out == "" {
		out = file + ".sigstore.json"
	}
	if err := writeBundle(out, b); err != nil {
		return nil, err
	}
	done := []signed{{Subject: file, Where: out}}
	if !detached {
		return done, nil
	}
	sig, cert, err := b.Detached()
	if err != nil {
		return done, err
	}
	if err := writeWhole(file+".sig", sig, 0o644); err != nil {
		return done, err
	}
	done = append(done, signed{Subject: file, Where: file + ".sig"})
	if cert == nil {
		return done, nil
	}
	return append(done, signed{Subject: file, Where: file + ".cert"}), writeWhole(file+".cert", cert, 0o644)
}

func writeBundle(file string, b sign.Bundle) error {
	text, err := b.Encode()
	if err != nil {
		return err
	}
	return writeWhole(file, append(text, '\n'), 0o644)
}

// writeWhole writes a file so that it is there whole or not at all.
func writeWhole(file string, data []byte, mode fs.FileMode) error {
	t, err := os.CreateTemp(filepath.Dir(file), ".seaworthy-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	_, err = t.Write(data)
	if err := errors.Join(err, t.Chmod(mode), t.Sync(), t.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, errors.Join(err, os.Remove(t.Name())))
	}
	if err := os.Rename(t.Name(), file); err != nil {
		return fmt.Errorf("writing %s: %w", file, errors.Join(err, os.Remove(t.Name())))
	}
	return nil
}

func newSignKey(s Streams) *cobra.Command {
	kind, prefix, show, passwordFile := sign.KeyTypes()[0], "seaworthy", "", ""
	plain := false
	c := &cobra.Command{
		Use:   "key",
		Short: "Make a pair of keys to sign and to verify with",
		Long: `Makes PREFIX.key, which signs and which only you may read, and PREFIX.pub, to be given to everybody. The private key is
encrypted with the password in --password-file, SEAWORTHY_KEY_PASSWORD or COSIGN_PASSWORD, as cosign does, so
either program can use it. With --show the fingerprint of a key is printed instead, as policies name it.`,
		Example: `  SEAWORTHY_KEY_PASSWORD=… seaworthy sign key --prefix release
  seaworthy sign key --show release.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if show != "" {
				return showKey(cmd.Context(), s, show)
			}
			return makeKeyPair(s, kind, prefix, passwordFile, plain)
		},
	}
	c.Flags().StringVar(&kind, "type", kind, "`type` of key: "+strings.Join(sign.KeyTypes(), ", "))
	c.Flags().StringVar(&prefix, "prefix", prefix, "`path` of the files, without .key and .pub")
	c.Flags().StringVar(&passwordFile, "password-file", "", "`file` with the password")
	c.Flags().BoolVar(&plain, "no-password", false, "leave the private key unencrypted")
	c.Flags().StringVar(&show, "show", "", "public `key` to print the fingerprint of: a file, or an address of a key service")
	return c
}

func showKey(ctx context.Context, s Streams, reference string) error {
	key, err := app.Keys().LoadPublic(ctx, reference)
	if err != nil {
		return usageError{err}
	}
	text, err := sign.EncodePublicKey(key)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s\n%s", sign.Fingerprint(key), text)
	return err
}

func makeKeyPair(s Streams, kind, prefix, passwordFile string, plain bool) error {
	var password []byte
	if !plain {
		keys := app.Keys()
		if passwordFile != "" {
			keys.Password = passwordIn(passwordFile)
		}
		var err error
		if password, err = keys.AskPassword(); err != nil {
			return usagef("a password is needed for the private key: %w, or write --no-password", err)
		}
		if len(password) == 0 {
			return usagef("the password is empty: write --no-password if that is what you want")
		}
	}
	for _, file := range []string{prefix + ".key", prefix + ".pub"} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return usagef("%s is there already, and keys are not overwritten", file)
		}
	}
	key, err := sign.GenerateKey(kind)
	if err != nil {
		return usageError{err}
	}
	return errors.Join(keepKeyPair(key, prefix, password), said(s.Err, "wrote %s.key, which only you may read, and %s.pub (%s)\n", prefix, prefix, sign.Fingerprint(key.Public())))
}

func keepKeyPair(key crypto.Signer, prefix string, password []byte) error {
	private, err := sign.EncodePrivateKey(key, password)
	if err != nil {
		return err
	}
	public, err := sign.EncodePublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writeWhole(prefix+".key", private, 0o600); err != nil {
		return err
	}
	return writeWhole(prefix+".pub", public, 0o644)
}

func said(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format, args...)
	return err
}

func newSignAttest(s Streams) *cobra.Command {
	var f signerFlags
	var predicate, kind, whole, out string
	c := &cobra.Command{
		Use:   "attest FILE…|IMAGE",
		Short: "Sign a statement about files or an image: provenance, a bill of materials",
		Long: `Signs a statement (in-toto) about files or an image. --predicate holds what is said and --type says what kind it is:
an address, or slsaprovenance1, spdxjson, cyclonedx, openvex. --statement holds a whole statement instead, which must
be about what is named. A statement about files is written to --bundle (FILE.att.sigstore.json beside the first if
empty); one about an image is attached to it in its registry, with --nomock; without it, where is said.`,
		Example: `  seaworthy sign attest --key seaworthy.key --statement dist/provenance.json dist/*.tar.gz
  seaworthy sign attest --key release.key --type spdxjson --predicate bill.spdx.json --nomock \
    registry.example.org/halyard:v1.2.0`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("name the files or the image that the statement is about")
			case (predicate == "") == (whole == ""):
				return usagef("give --predicate and --type, or --statement")
			case predicate != "" && kind == "":
				return usagef("--type is needed: it says what the predicate is")
			}
			return f.attest(cmd.Context(), s, args, attestation{predicate, kind, whole, out})
		},
	}
	f.add(c)
	f.addImage(c)
	c.Flags().StringVar(&predicate, "predicate", "", "JSON `file` with what is said")
	c.Flags().StringVar(&kind, "type", "", "`type` of the predicate")
	c.Flags().StringVar(&whole, "statement", "", "JSON `file` with the whole statement")
	c.Flags().StringVar(&out, "bundle", "", "`file` for the signed statement about files")
	return c
}

// attestation is what sign attest was asked for.
type attestation struct{ predicate, kind, statement, out string }

// about makes or reads the statement.
func (a attestation) about(subjects []provenance.Resource) (provenance.Statement, error) {
	if a.statement != "" {
		text, err := os.ReadFile(a.statement)
		if err != nil {
			return provenance.Statement{}, usageError{err}
		}
		st, err := provenance.Read(text)
		if err != nil {
			return st, usagef("%s: %w", a.statement, err)
		}
		for _, r := range subjects {
			if !st.Covers(artifact.Digest("sha256:" + r.Digest["sha256"])) {
				return st, verdictError{fmt.Sprintf("The statement in %s is not about %s: it has no subject with the digest sha256:%s.", a.statement, r.Name, r.Digest["sha256"])}
			}
		}
		return st, nil
	}
	kind, err := sign.PredicateType(a.kind)
	if err != nil {
		return provenance.Statement{}, usageError{err}
	}
	text, err := os.ReadFile(a.predicate)
	if err != nil {
		return provenance.Statement{}, usageError{err}
	}
	st, err := provenance.New(subjects, kind, json.RawMessage(text))
	if err != nil {
		return st, usagef("%s: %w", a.predicate, err)
	}
	return st, nil
}

func (f *signerFlags) attest(ctx context.Context, s Streams, args []string, a attestation) error {
	first, err := parseTarget(args[0], f.plain)
	if err != nil {
		return err
	}
	if first.image != nil {
		if len(args) > 1 {
			return usagef("a statement is attached to one image: name one at a time")
		}
		return f.attestImage(ctx, s, first.image, a)
	}
	var files []artifact.Artifact
	for _, file := range args {
		one, err := measure(file)
		if err != nil {
			return err
		}
		files = append(files, one)
	}
	st, err := a.about(provenance.Subjects(files...))
	if err != nil {
		return err
	}
	signer, err := f.signer(ctx)
	if err != nil {
		return err
	}
	b, err := sign.Attest(ctx, signer, st)
	if err != nil {
		return err
	}
	if a.out == "" {
		a.out = args[0] + ".att.sigstore.json"
	}
	if err := writeBundle(a.out, b); err != nil {
		return err
	}
	return f.list(s, []signed{{Subject: strings.Join(args, " "), Where: a.out}})
}

func (f *signerFlags) attestImage(ctx context.Context, s Streams, ref name.Reference, a attestation) error {
	o, err := f.imageOptions(ctx)
	if err != nil {
		return err
	}
	d, err := imageDigest(ref, o.Remote)
	if err != nil {
		return err
	}
	st, err := a.about([]provenance.Resource{provenance.Image(ref.Context().Name(), artifact.Digest(d.DigestStr()))})
	if err != nil {
		return err
	}
	signer, err := f.signer(ctx)
	if err != nil {
		return err
	}
	written, err := sign.Attach(ctx, signer, d, st, o)
	return errors.Join(err, f.list(s, signedImages(written, o.Mock)))
}
