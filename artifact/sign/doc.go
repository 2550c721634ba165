// Package sign makes and verifies signatures and attestations of files and
// images, in the formats of sigstore and cosign.
//
// A Signer is a key wherever it is kept, or an identity that a certificate
// authority vouches for. What it makes is a Bundle: the signature with all that
// is needed to verify it later, offline.
//
//	key, err := sign.Keys{Getenv: os.Getenv}.Load(ctx, "cosign.key")
//	signer, err := sign.NewKeySigner(key, sign.Services{})
//	bundle, err := sign.Blob(ctx, signer, file)
//	written, err := sign.Image(ctx, signer, digest, sign.ImageOptions{})
//	written, err = sign.Attach(ctx, signer, digest, statement, sign.ImageOptions{})
//
// A Policy says whose signatures count, how many are needed, and what must be
// attested. A Verifier holds files and images against it, and returns evidence
// or a Refusal with every reason. It asks no service: logs and authorities are
// trusted by a file that is given with the policy.
//
//	verifier, err := sign.NewVerifier(policy, sign.Trust{}, time.Now)
//	verdict, err := verifier.Blob(ctx, "halyard.tar.gz", file, bundle)
//
// Formats: sigstore bundle v0.3 (v0.1 and v0.2 are read), DSSE v1, cosign's
// detached signatures, its tags sha256-<hex>.sig and .att, and OCI 1.1 referrers
// with the fallback tag for registries without that interface.
package sign
