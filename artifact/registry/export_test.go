package registry

// OnStep has fn called before and after each change of the bucket.
func (g *Registry) OnStep(fn func(what string)) { g.store.step = fn }
