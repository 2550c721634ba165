package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"seaworthy/app"
	"seaworthy/artifact/provenance"
	"seaworthy/artifact/sign"
)

// verifyFlags are a policy, or what makes one.
type verifyFlags struct {
	policy                                         string
	keys                                           []string
	identity, identityRegexp, issuer, issuerRegexp string
	trustedRoot, log                               string
	types, builders                                []string
	repository, commit                             string
	bundles                                        []string
	signature, certificate                         string
	recursive, plain                               bool
	output                                         outputFlag
}

func newVerify(s Streams) *cobra.Command {
	var f verifyFlags
	c := &cobra.Command{
		Use:   "verify FILE|IMAGE|BUNDLE…",
		Short: "Verify signatures and attestations of files and images",
		Long: `Verifies files and images by a key, an identity, or a policy file that says who must have signed and what must be
attested. A file's signatures are looked for beside it: FILE.sigstore.json, FILE.att.sigstore.json, FILE.sig with
FILE.cert. An image's are in its registry. A bundle that holds a signed statement verifies by itself.

Nothing is asked of any service: logs and authorities are trusted by the file --trusted-root (trusted_root.json).
Patterns must match the whole. The exit code is 3 if anything does not verify.`,
		Example: `  seaworthy verify --key release.pub dist/SHA256SUMS
  seaworthy verify --policy policy.yaml registry.example.org/halyard:v1.2.0 -o json
  seaworthy verify --key release.pub --type slsaprovenance1 --repository https://example.org/halyard halyard.tar.gz
  seaworthy verify --trusted-root trusted_root.json --certificate-identity ada@example.org \
      --certificate-oidc-issuer https://accounts.example.org halyard.tar.gz`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the files or images to verify")
			}
			if len(args) > 1 && len(f.bundles)+len(f.signature) > 0 {
				return usagef("--bundle and --signature are of one file: verify one at a time")
			}
			return f.verify(cmd.Context(), s, args)
		},
	}
	f.add(c)
	return c
}

func (f *verifyFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.policy, "policy", "", "`file` that says whose signatures count and what must be attested")
	c.Flags().StringSliceVar(&f.keys, "key", nil, "public `key`: a file, env://NAME, or an address of a key service; any of several will do")
	c.Flags().StringVar(&f.identity, "certificate-identity", "", "`address` or URI that must have signed")
	c.Flags().StringVar(&f.identityRegexp, "certificate-identity-regexp", "", "`pattern` of it instead")
	c.Flags().StringVar(&f.issuer, "certificate-oidc-issuer", "", "`URL` of who vouches for the identity")
	c.Flags().StringVar(&f.issuerRegexp, "certificate-oidc-issuer-regexp", "", "`pattern` of it instead")
	c.Flags().StringVar(&f.trustedRoot, "trusted-root", "", "`file` with the authorities and logs that are trusted")
	c.Flags().StringVar(&f.log, "transparency-log", "", "whether signatures must be in a log: `required`, optional or ignored (required of identities, optional for keys, if empty)")
	c.Flags().StringSliceVar(&f.types, "type", nil, "`type` of a statement that must be there, such as slsaprovenance1 or spdxjson; no other signature is needed then")
	c.Flags().StringSliceVar(&f.builders, "builder", nil, "`id` of a builder whose provenance counts")
	c.Flags().StringVar(&f.repository, "repository", "", "`URL` of the source that provenance must name")
	c.Flags().StringVar(&f.commit, "commit", "", "`id` of the commit that provenance must name")
	c.Flags().StringSliceVar(&f.bundles, "bundle", nil, "`file` with the signature, if it is not beside what is signed")
	c.Flags().StringVar(&f.signature, "signature", "", "`file` with a detached signature")
	c.Flags().StringVar(&f.certificate, "certificate", "", "`file` with the certificate that belongs to it")
	c.Flags().BoolVar(&f.recursive, "recursive", false, "every image of an index must verify by itself")
	c.Flags().BoolVar(&f.plain, "plain-http", false, "speak HTTP without TLS to the registry")
	f.output.add(c)
}

// verifier makes the policy, and what verifies by it.
func (f *verifyFlags) verifier(ctx context.Context) (*sign.Verifier, error) {
	byHand := len(f.keys) > 0 || f.identity+f.identityRegexp+f.issuer+f.issuerRegexp+f.log != "" || len(f.types) > 0 || len(f.builders) > 0 || f.repository+f.commit != ""
	var p sign.Policy
	var err error
	switch {
	case f.policy != "" && byHand:
		return nil, usagef("a --policy says everything: leave out who signs and what must be attested")
	case f.policy != "":
		p, err = sign.LoadPolicy(ctx, f.policy, app.Keys())
	default:
		p, err = f.handmade(ctx)
	}
	if err != nil {
		return nil, usageError{err}
	}
	if f.trustedRoot != "" {
		trust, err := sign.LoadTrust(f.trustedRoot)
		if err != nil {
			return nil, usageError{err}
		}
		p = p.WithTrust(trust)
	}
	v, err := sign.NewVerifier(p, time.Now)
	if err != nil {
		return nil, usageError{err}
	}
	return v, nil
}

// handmade is the policy that the flags make.
func (f *verifyFlags) handmade(ctx context.Context) (sign.Policy, error) {
	p := sign.Policy{TransparencyLog: f.log}
	for _, k := range f.keys {
		public, err := app.Keys().LoadPublic(ctx, k)
		if err != nil {
			return p, err
		}
		p.Signers = append(p.Signers, sign.KeyRule(k, public))
	}
	if f.identity+f.identityRegexp+f.issuer+f.issuerRegexp != "" {
		p.Signers = append(p.Signers, sign.SignerRule{Identity: f.identity, IdentityPattern: f.identityRegexp, Issuer: f.issuer, IssuerPattern: f.issuerRegexp})
	}
	if len(p.Signers) == 0 {
		return p, errors.New("say whose signature counts: --key, --certificate-identity with --certificate-oidc-issuer, or --policy")
	}
	types := f.types
	if len(types) == 0 && (len(f.builders) > 0 || f.repository+f.commit != "") {
		types = []string{"slsaprovenance1"}
	}
	for _, t := range types {
		rule := sign.AttestationRule{Type: t}
		if strings.Contains(t, "provenance") {
			rule.Builders, rule.Repository, rule.Commit = f.builders, f.repository, f.commit
		}
		p.Attestations = append(p.Attestations, rule)
	}
	if len(types) > 0 {
		none := 0
		p.Threshold = &none
	}
	return p, p.Check()
}

// verified is what -o json prints for each thing that was named.
type verified struct {
	sign.Verdict
	Verified bool     `json:"verified"`
	Reasons  []string `json:"reasons,omitempty"`
	// Subjects are those of a statement that was verified by itself.
	Subjects []provenance.Resource `json:"subjects,omitempty"`
}

func (f *verifyFlags) verify(ctx context.Context, s Streams, args []string) error {
	v, err := f.verifier(ctx)
	if err != nil {
		return err
	}
	all := []verified{}
	bad := 0
	for _, arg := range args {
		t, err := parseTarget(arg, f.plain)
		if err != nil {
			return err
		}
		var results []verified
		if t.image != nil {
			results, err = f.verifyImage(ctx, v, t.image)
		} else {
			results, err = f.verifyFile(ctx, v, t.file)
		}
		if err != nil {
			return err
		}
		for _, r := range results {
			if !r.Verified {
				bad++
			}
		}
		all = append(all, results...)
	}
	if err := f.output.print(s.Out, all, func(w io.Writer) error { return evidence(w, all) }); err != nil {
		return err
	}
	if bad > 0 {
		var why []string
		for _, r := range all {
			if !r.Verified {
				why = append(why, r.Subject+" does not verify: "+strings.Join(r.Reasons, "; "))
			}
		}
		return verdictError{strings.Join(why, "\n")}
	}
	return nil
}

// evidence prints what verified, for people. What does not is told of on stderr.
func evidence(w io.Writer, all []verified) error {
	var rows [][]string
	for _, v := range all {
		if !v.Verified {
			continue
		}
		for _, e := range append(v.Signatures, v.Attestations...) {
			what, when, index := "signature", "-", "-"
			if e.Predicate != "" {
				what = e.Predicate
			}
			if !e.Time.IsZero() {
				when = e.Time.Format(time.RFC3339)
			}
			if e.LogIndex != nil {
				index = strconv.FormatInt(*e.LogIndex, 10)
			}
			who := e.Signer
			if e.Name != "" {
				who = e.Identity.String()
			}
			rows = append(rows, []string{v.Subject, what, who, when, index})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return table(w, "", []string{"verified", "what", "signed by", "at", "log index"}, rows)
}

// verifiedOf makes one of a verdict, and passes on what is no answer.
func verifiedOf(v sign.Verdict, err error) (verified, error) {
	var refusal *sign.Refusal
	switch {
	case err == nil:
		return verified{Verdict: v, Verified: true}, nil
	case errors.As(err, &refusal):
		return verified{Verdict: v, Reasons: refusal.Reasons}, nil
	}
	return verified{}, err
}

func (f *verifyFlags) verifyImage(ctx context.Context, v *sign.Verifier, ref name.Reference) ([]verified, error) {
	if len(f.bundles) > 0 || f.signature != "" {
		return nil, usagef("an image's signatures are in its registry: leave out --bundle and --signature")
	}
	verdicts, err := v.Image(ctx, ref, sign.ImageOptions{Remote: registryOptions(ctx), Recursive: f.recursive})
	refusals := map[string]*sign.Refusal{}
	for _, e := range unjoin(err) {
		var refusal *sign.Refusal
		if !errors.As(e, &refusal) {
			return nil, e
		}
		refusals[refusal.Subject] = refusal
	}
	var all []verified
	for _, verdict := range verdicts {
		var why error
		if r := refusals[verdict.Subject]; r != nil {
			why = r
		}
		one, err := verifiedOf(verdict, why)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// unjoin returns the errors that were joined.
func unjoin(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

func (f *verifyFlags) verifyFile(ctx context.Context, v *sign.Verifier, file string) ([]verified, error) {
	bundles, err := f.signaturesOf(file)
	if err != nil {
		return nil, err
	}
	if len(bundles) == 0 {
		if own, ok := bundleIn(file); ok {
			return verifyBundle(ctx, v, file, own)
		}
	}
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	verdict, err := v.Blob(ctx, file, r, bundles...)
	one, err := verifiedOf(verdict, errors.Join(err, r.Close()))
	return []verified{one}, err
}

// bundleIn reads a file that is a bundle itself.
func bundleIn(file string) ([]sign.Bundle, bool) {
	if info, err := os.Stat(file); err != nil || info.Size() > sign.MaxBundle {
		return nil, false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	bundles, err := sign.ParseBundles(text)
	return bundles, err == nil && len(bundles) > 0
}

// verifyBundle verifies signed statements by themselves, or the file that a
// bundle is named after.
func verifyBundle(ctx context.Context, v *sign.Verifier, file string, bundles []sign.Bundle) ([]verified, error) {
	if _, isStatement, _ := bundles[0].Statement(); !isStatement {
		signed, ok := strings.CutSuffix(file, ".sigstore.json")
		if !ok {
			return nil, usagef("%s is the signature of a file: name the file, and this with --bundle", file)
		}
		r, err := os.Open(signed)
		if err != nil {
			return nil, usagef("%s is the signature of a file that is not beside it: %w", file, err)
		}
		verdict, err := v.Blob(ctx, signed, r, bundles...)
		one, err := verifiedOf(verdict, errors.Join(err, r.Close()))
		return []verified{one}, err
	}
	var all []verified
	for _, b := range bundles {
		st, e, err := v.Statement(ctx, file, b)
		one, err := verifiedOf(sign.Verdict{Subject: file, Signatures: []sign.Evidence{}, Attestations: []sign.Evidence{e}}, err)
		if err != nil {
			return nil, err
		}
		if one.Subjects = st.Subjects; !one.Verified {
			one.Attestations, one.Subjects = nil, nil
		}
		all = append(all, one)
	}
	return all, nil
}

// signaturesOf reads what the flags name, or what lies beside the file.
func (f *verifyFlags) signaturesOf(file string) ([]sign.Bundle, error) {
	var all []sign.Bundle
	names, named := f.bundles, len(f.bundles)+len(f.signature) > 0
	if !named {
		names = []string{file + ".sigstore.json", file + ".att.sigstore.json"}
	}
	for _, n := range names {
		text, err := os.ReadFile(n)
		if !named && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, usageError{err}
		}
		bundles, err := sign.ParseBundles(text)
		if err != nil {
			return nil, verdictError{fmt.Sprintf("%s does not verify: %s: %v", file, n, err)}
		}
		all = append(all, bundles...)
	}
	sig, cert := f.signature, f.certificate
	if !named && len(all) == 0 {
		sig, cert = file+".sig", file+".cert"
	}
	if sig == "" {
		return all, nil
	}
	text, err := os.ReadFile(sig)
	if !named && errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, usageError{err}
	}
	var certificate []byte
	if cert != "" {
		certificate, err = os.ReadFile(cert)
		if err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
			return nil, usageError{err}
		}
	}
	b, err := sign.FromDetached(text, certificate)
	if err != nil {
		return nil, verdictError{fmt.Sprintf("%s does not verify: %s: %v", file, sig, err)}
	}
	return append(all, b), nil
}
