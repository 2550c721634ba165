// Package propose opens the pull request that asks for a promotion.
//
// It finds what a staging registry holds under given tags, adds it to the thin
// manifest of that registry with a minimal edit, commits that on a branch of a
// fork, and proposes it to the repository of the manifests.
//
//	c, err := propose.Open(ctx, forge, propose.Request{Repo: repo, Root: "registry.k8s.io", Fork: fork, Project: "app", Tags: []string{"v1.2.3"}})
//	defer c.Close()
//	registry := propose.NewRegistry(propose.RegistryOptions{})
//	found, err := propose.Find(ctx, registry, propose.Wanted{Staging: c.Manifest.Source().Name, Tags: []string{"v1.2.3"}, Known: c.Names()})
//	p, err := c.Edit(ctx, found.Images)
//	fmt.Print(p.Diff) // nothing has left this machine yet
//	err = p.Push(ctx)
//	pull, created, err := p.Create(ctx)
//
// Nothing in it knows of a particular project: where manifests are kept, how
// staging registries are called and who reviews are parameters.
package propose
