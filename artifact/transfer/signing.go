package transfer

import (
	"context"
	"fmt"
	"slices"

	"seaworthy/artifact/promote"
)

// sign has the signers vouch for an image, at the first destination; from there
// what they wrote is copied to the others, so that an image has one signature
// however many mirrors it has.
func (p *Promotion) sign(ctx context.Context, from *repository, m *manifest, to []*arrival) error {
	to = alive(to)
	if len(p.o.Signers) == 0 || len(to) == 0 {
		return nil
	}
	first := to[0].to
	image := first.name.Digest(string(m.digest))
	for _, s := range p.o.Signers {
		if err := s.SignImage(ctx, image, from.name.Digest(string(m.digest))); err != nil {
			failAll(to, fmt.Errorf("signing %s: %w", image, err))
			return nil
		}
	}
	if len(to) > 1 {
		belonging, err := companions(ctx, &shopWindow{repo: first}, m, 0)
		if err != nil {
			failAll(to, err)
		}
		for _, c := range belonging {
			p.copier.accompany(ctx, first, c, alive(to[1:]))
		}
	}
	return p.each(to, func(*arrival) (*entry, error) { return &entry{Digest: m.digest, State: Signed}, nil })
}

// unsignedImage is an image that is where it should be and lacks a signature.
type unsignedImage struct {
	source string
	promote.Entry
	destinations []string
}

// unsigned finds them: copied by an earlier run that could not sign.
func (p *Promotion) unsigned() []unsignedImage {
	if len(p.o.Signers) == 0 {
		return nil
	}
	planned := map[place]bool{}
	for _, i := range p.Plan.Items {
		for _, d := range i.Destinations {
			planned[place{d.Repository(), i.Digest}] = true
		}
	}
	refused := map[staged]bool{}
	for _, r := range p.Plan.Refusals {
		refused[staged{r.Image, r.Digest}] = r.Reason != promote.NotStaged
	}
	var all []unsignedImage
	for _, m := range p.manifests {
		for _, image := range m.Images {
			source := m.Source().Name + "/" + image.Name
			for _, e := range image.Entries {
				u := unsignedImage{source: source, Entry: e}
				for _, d := range m.Destinations() {
					repository := d.Name + "/" + image.Name
					owed := p.o.Journal.unsigned(repository, e.Digest) || p.o.SignAll && !p.o.Journal.signed(repository, e.Digest)
					if owed && !planned[place{repository, e.Digest}] && p.survey.inventory.Has(repository, e.Digest) {
						u.destinations = append(u.destinations, repository)
					}
				}
				if len(u.destinations) > 0 && !refused[staged{source, e.Digest}] {
					slices.Sort(u.destinations)
					all = append(all, u)
				}
			}
		}
	}
	return all
}

// makeUp signs an image that was copied earlier. The source is not needed.
func (p *Promotion) makeUp(ctx context.Context, u unsignedImage) (Outcome, error) {
	begun := p.o.Now()
	o := Outcome{Source: u.source, Digest: u.Digest, Tags: u.Tags, Destinations: len(u.destinations), SignedOnly: true}
	to, journal := p.sealed(ctx, u)
	for n, a := range to {
		if err := a.failure(); err != nil {
			o.Failures = append(o.Failures, Failure{u.destinations[n], err.Error()})
		}
	}
	o.Took = p.o.Now().Sub(begun)
	return o, journal
}

func (p *Promotion) sealed(ctx context.Context, u unsignedImage) ([]*arrival, error) {
	to := make([]*arrival, len(u.destinations))
	for n, d := range u.destinations {
		to[n] = &arrival{name: d}
		repo, err := p.o.Registries.Repository(d)
		if err != nil {
			to[n].fail(err)
			continue
		}
		to[n].to = p.o.Registries.repository(repo)
	}
	from, err := p.o.Registries.Repository(u.source)
	living := alive(to)
	if err != nil || len(living) == 0 {
		failAll(to, err)
		return to, nil
	}
	m, err := living[0].to.manifest(ctx, string(u.Digest))
	if err != nil {
		failAll(to, err)
		return to, nil
	}
	return to, p.sign(ctx, p.o.Registries.repository(from), m, living)
}
