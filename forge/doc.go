// Package forge is the vocabulary of a code forge: repositories, changes,
// reviews, statuses, releases and the events a forge sends when they change.
//
// Everything the product knows of a forge is said in these types. They carry
// no JSON tags and no client: a wire format belongs to the adapter that speaks
// it (forge/github, forge/gitea), and the embedded forge (forge/local) is one
// more server behind the same wire. The package imports the standard library
// only, so that every other package may import it.
//
// There is no interface here that names every call. A consumer declares the
// few methods it needs, with these signatures, and takes whatever has them:
//
//	type Commenter interface {
//		CreateComment(ctx context.Context, repo forge.RepoName, number int, body string) (forge.Comment, error)
//	}
//
// The full set of calls an adapter offers, and what each promises, is
// exercised by the conformance suite in forge/forgetest.
package forge
