package promote_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"seaworthy/artifact"
	"seaworthy/artifact/promote"
)

// chance makes small worlds, in which everything meets everything.
type chance struct{ *rand.Rand }

func pick[T any](c chance, from ...T) T { return from[c.IntN(len(from))] }

func (c chance) digest() artifact.Digest { return d(pick(c, "1", "2", "3", "4")) }

func (c chance) manifest(n int) promote.Manifest {
	m := promote.Manifest{File: fmt.Sprintf("m%d", n), ImagesFile: fmt.Sprintf("i%d", n)}
	m.Registries = append(m.Registries, promote.Registry{Name: pick(c, "stage/a", "stage/b"), Source: true})
	for _, name := range []string{"us/prod", "eu/prod", "us"} {
		if c.IntN(3) > 0 {
			m.Registries = append(m.Registries, promote.Registry{Name: name})
		}
	}
	for _, name := range []string{"x", "y", "prod/x"} {
		if c.IntN(2) > 0 {
			continue
		}
		image := promote.Image{Name: name}
		for _, digit := range []string{"1", "2", "3"} {
			if c.IntN(2) > 0 {
				continue
			}
			e := promote.Entry{Digest: d(digit)}
			for _, tag := range []string{"v1", "v2", "v3", "latest"} {
				if c.IntN(4) == 0 {
					e.Tags = append(e.Tags, tag)
				}
			}
			image.Entries = append(image.Entries, e)
		}
		m.Images = append(m.Images, image)
	}
	return m
}

// world is what registries hold: by repository, digests and where tags point.
type world map[string]struct {
	digests map[artifact.Digest]bool
	tags    map[string]artifact.Digest
}

func (c chance) world() (world, *promote.Inventory) {
	w, v := world{}, promote.NewInventory()
	for _, registry := range []string{"stage/a", "stage/b", "us/prod", "eu/prod", "us", "us/prod/prod", "eu"} {
		for _, name := range []string{"x", "y", "prod/x"} {
			repository := registry + "/" + name
			held, twice := w[repository] // us/prod + prod/x is us/prod/prod + x
			if !twice {
				held.digests, held.tags = map[artifact.Digest]bool{}, map[string]artifact.Digest{}
			}
			for range c.IntN(4) {
				digest := c.digest()
				held.digests[digest] = true
				v.Add(repository, digest)
				if tag := pick(c, "", "v1", "v2", "v3", "latest"); tag != "" {
					held.tags[tag] = digest
					v.Add(repository, digest, tag)
				}
			}
			w[repository] = held
		}
	}
	return w, v
}

// modelled says by the rules, one edge at a time, what is to be done and which
// images are refused.
func modelled(manifests []promote.Manifest, w world) (edges, refused []string) {
	type claim struct{ repository, tag string }
	claims := map[claim]map[artifact.Digest]bool{}
	each := func(do func(m promote.Manifest, i promote.Image, e promote.Entry, repository, tag string)) {
		for _, m := range manifests {
			for _, i := range m.Images {
				for _, e := range i.Entries {
					for _, r := range m.Destinations() {
						for _, tag := range append([]string{}, append(e.Tags, "")...) {
							if (tag == "") == (len(e.Tags) == 0) {
								do(m, i, e, r.Name+"/"+i.Name, tag)
							}
						}
					}
				}
			}
		}
	}
	each(func(_ promote.Manifest, _ promote.Image, e promote.Entry, repository, tag string) {
		c := claim{repository, tag}
		if claims[c] == nil {
			claims[c] = map[artifact.Digest]bool{}
		}
		claims[c][e.Digest] = true
	})
	wrong := map[string]bool{}
	name := func(m promote.Manifest, i promote.Image, e promote.Entry) string {
		return fmt.Sprintf("%s %s/%s@%s", m.ImagesFile, m.Source().Name, i.Name, e.Digest)
	}
	each(func(m promote.Manifest, i promote.Image, e promote.Entry, repository, tag string) {
		have, tagged := w[repository].tags[tag]
		done := tag != "" && tagged && have == e.Digest || tag == "" && w[repository].digests[e.Digest]
		if tag != "" && len(claims[claim{repository, tag}]) > 1 || !done && (tagged || !w[m.Source().Name+"/"+i.Name].digests[e.Digest]) {
			wrong[name(m, i, e)] = true
		}
	})
	each(func(m promote.Manifest, i promote.Image, e promote.Entry, repository, tag string) {
		have := w[repository]
		if wrong[name(m, i, e)] || tag != "" && have.tags[tag] == e.Digest || tag == "" && have.digests[e.Digest] {
			return
		}
		edges = append(edges, fmt.Sprintf("%s -> %s:%s", e.Digest, repository, tag))
	})
	for n := range wrong {
		refused = append(refused, n)
	}
	slices.Sort(edges)
	slices.Sort(refused)
	return slices.Compact(edges), refused
}

// TestPlansFollowTheRules sets plans of thousands of small worlds against the
// rules taken one edge at a time.
func TestPlansFollowTheRules(t *testing.T) {
	t.Parallel()
	planned, refusals := 0, 0
	for seed := range uint64(2000) {
		c := chance{rand.New(rand.NewPCG(seed, 1))}
		var manifests []promote.Manifest
		for n := range 1 + c.IntN(3) {
			manifests = append(manifests, c.manifest(n))
		}
		w, held := c.world()
		plan := promote.Make(manifests, held)
		var edges, refused []string
		for e := range plan.Edges() {
			edges = append(edges, fmt.Sprintf("%s -> %s:%s", e.Digest, e.Destination, e.Tag))
		}
		for _, r := range plan.Refusals {
			refused = append(refused, fmt.Sprintf("%s %s@%s", r.Manifest, r.Image, r.Digest))
		}
		slices.Sort(edges)
		slices.Sort(refused)
		wantEdges, wantRefused := modelled(manifests, w)
		if diff := cmp.Diff(wantEdges, edges); diff != "" {
			t.Fatalf("seed %d: edges: want -, have +:\n%s\n%+v", seed, diff, plan.Refusals)
		}
		if diff := cmp.Diff(wantRefused, slices.Compact(refused)); diff != "" {
			t.Fatalf("seed %d: refusals: want -, have +:\n%s", seed, diff)
		}
		planned, refusals = planned+len(edges), refusals+len(refused)

		// What was planned, done: then nothing is left but refusals, of which
		// some are moot if another manifest brought the image.
		for e := range plan.Edges() {
			if e.Tag == "" {
				held.Add(e.Destination, e.Digest)
			} else {
				held.Add(e.Destination, e.Digest, e.Tag)
			}
		}
		if again := promote.Make(manifests, held); again.Counts.Edges != 0 || len(again.Refusals) > len(plan.Refusals) {
			t.Fatalf("seed %d: once done, %d edges are planned and %d of %d images refused", seed, again.Counts.Edges, len(again.Refusals), len(plan.Refusals))
		}
		// What is added since nothing is everything; since itself, nothing.
		if all := promote.MakeSince([]promote.Manifest{}, manifests, nil); all.Counts.Wanted != promote.Make(manifests, nil).Counts.Wanted {
			t.Fatalf("seed %d: since nothing, %+v", seed, all.Counts)
		}
		if none := promote.MakeSince(manifests, manifests, nil); none.Counts.Edges+len(none.Refusals) != 0 {
			t.Fatalf("seed %d: since now, %+v", seed, none.Counts)
		}
	}
	t.Logf("%d edges, %d refusals", planned, refusals)
	if planned < 500 || refusals < 1000 {
		t.Errorf("the worlds are too poor: %d edges, %d refusals", planned, refusals)
	}
}
