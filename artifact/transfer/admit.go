package transfer

import (
	"context"

	"golang.org/x/sync/errgroup"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// admit takes the images out of the plan that must not be promoted as they
// are, or that nobody could be asked about.
func (p *Promotion) admit(ctx context.Context) error {
	if p.o.Admit == nil {
		return nil
	}
	type image struct {
		source promote.Location
		digest artifact.Digest
	}
	var asked []image
	seen := map[image]bool{}
	for _, i := range p.Plan.Items {
		if one := (image{i.Source, i.Digest}); !seen[one] {
			seen[one] = true
			asked = append(asked, one)
		}
	}
	type verdict struct {
		reason promote.Reason
		why    string
	}
	verdicts := make([]verdict, len(asked))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(p.o.Parallel)
	for n, one := range asked {
		g.Go(func() error {
			repo, err := p.o.Registries.Repository(one.source.Repository())
			why := ""
			if err == nil {
				why, err = p.o.Admit(ctx, repo.Digest(string(one.digest)))
			}
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				verdicts[n] = verdict{promote.Unreadable, err.Error()}
			case why != "":
				verdicts[n] = verdict{promote.Unverified, why}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for n, v := range verdicts {
		if v.why != "" {
			p.Plan.Refuse(asked[n].source, asked[n].digest, v.reason, v.why)
		}
	}
	return nil
}
