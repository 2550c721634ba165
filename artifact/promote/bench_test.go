package promote_test

import (
	"io"
	"testing"

	"seaworthy/artifact/promote"
)

// The real tree: 71 projects, 19,825 digests, 713,350 edges.

func BenchmarkRead(b *testing.B) {
	tree := realTree(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := promote.Read(tree, "promoter", ""); len(problems) != 15 {
			b.Fatal(problems)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	manifests, _ := promote.Read(realTree(b), "promoter", "")
	b.ReportAllocs()
	for b.Loop() {
		if plan := promote.Make(manifests, nil); plan.Counts.Edges != 713328 {
			b.Fatal(plan.Counts)
		}
	}
}

// BenchmarkPlanNothingToDo plans against registries that have everything.
func BenchmarkPlanNothingToDo(b *testing.B) {
	manifests, _ := promote.Read(realTree(b), "promoter", "")
	held := promote.NewInventory()
	for _, m := range manifests {
		for _, r := range m.Registries {
			for _, i := range m.Images {
				for _, e := range i.Entries {
					held.Add(r.Name+"/"+i.Name, e.Digest, e.Tags...)
				}
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if plan := promote.Make(manifests, held); plan.Counts.Edges != 0 {
			b.Fatal(plan.Counts)
		}
	}
}

// BenchmarkEdges walks over all edges.
func BenchmarkEdges(b *testing.B) {
	manifests, _ := promote.Read(realTree(b), "promoter", "")
	plan := promote.Make(manifests, nil)
	b.ReportAllocs()
	for b.Loop() {
		for e := range plan.Edges() {
			if _, err := io.WriteString(io.Discard, e.Tag); err != nil {
				b.Fatal(err)
			}
		}
	}
}
