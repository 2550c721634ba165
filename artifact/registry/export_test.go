package registry

import "context"

// OnStep has fn called before and after each change of the bucket.
func (g *Registry) OnStep(fn func(what string)) { g.store.step = fn }

// ShareWith makes a registry work on what another one has, under its locks.
func (g *Registry) ShareWith(other *Registry) {
	g.store, g.content, g.repos = other.store, other.content, other.repos
}

// CollectBlobs removes content that no repository has, however young.
func (g *Registry) CollectBlobs(ctx context.Context) error {
	var done Collected
	return g.collectBlobs(ctx, g.now(), &done)
}
