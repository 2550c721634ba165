package triage

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Owner returns the group that a test's name says it belongs to, as in
// "[sig-storage] Volumes expand": storage. It is "" if the name says none.
func Owner(test string) string {
	_, rest, ok := strings.Cut(test, "[sig-")
	if !ok {
		return ""
	}
	name, _, ok := strings.Cut(rest, "]")
	if !ok {
		return ""
	}
	return name
}

// owners finds who is to look at a cluster.
type owners struct {
	builds    []Build
	yesterday int64 // seconds since 1970
	prefixes  map[string][]string
	names     []string
	known     map[string]string
}

func ownersOf(builds []Build, yesterday int64, prefixes map[string][]string) *owners {
	return &owners{builds: builds, yesterday: yesterday, prefixes: prefixes, names: slices.Sorted(maps.Keys(prefixes)), known: map[string]string{}}
}

// of returns the owner of most failures in the last day, then of most before
// that, then the first by name. Failures of continuous jobs count before those
// of pull requests, which break for reasons of their own; triage does not count
// the latter at all and leaves clusters found in pull requests alone without
// owner. A cluster nobody is named for belongs to "testing".
func (o *owners) of(members []Member) string {
	type hits struct{ day, before, pullDay, pullBefore int }
	counts := map[string]hits{}
	for i, m := range members {
		if i > 0 && members[i-1] == m {
			continue
		}
		name := o.test(m.Test)
		if name == "" {
			continue
		}
		h, b := counts[name], o.builds[m.Build]
		recent, pull := b.Started > o.yesterday, strings.Contains(b.Job, ":")
		switch {
		case recent && !pull:
			h.day++
		case !pull:
			h.before++
		case recent:
			h.pullDay++
		default:
			h.pullBefore++
		}
		counts[name] = h
	}
	if len(counts) == 0 {
		return "testing"
	}
	return slices.MinFunc(slices.Collect(maps.Keys(counts)), func(a, b string) int {
		x, y := counts[a], counts[b]
		return cmp.Or(cmp.Compare(y.day, x.day), cmp.Compare(y.before, x.before),
			cmp.Compare(y.pullDay, x.pullDay), cmp.Compare(y.pullBefore, x.pullBefore), strings.Compare(a, b))
	})
}

// test returns the owner of a test: named in it, or whose longest prefix begins
// its name.
func (o *owners) test(name string) string {
	if owner, ok := o.known[name]; ok {
		return owner
	}
	owner := Owner(name)
	if owner == "" && len(o.names) > 0 {
		plain, longest := plainName(name), -1
		for _, candidate := range o.names {
			for _, prefix := range o.prefixes[candidate] {
				if p := plainName(prefix); p != "" && strings.HasPrefix(plain, p) && len(p) > longest {
					owner, longest = candidate, len(p)
				}
			}
		}
	}
	o.known[name] = owner
	return owner
}

// plainName drops [labels] and {labels} of a test's name, and doubled blanks.
func plainName(name string) string {
	var out strings.Builder
	for len(name) > 0 {
		i := strings.IndexAny(name, "[{")
		if i < 0 {
			break
		}
		end := strings.IndexByte(name[i:], name[i]+2) // ] is two behind [, } two behind {
		if end < 0 {
			break
		}
		out.WriteString(name[:i])
		name = name[i+end+1:]
	}
	out.WriteString(name)
	return strings.Join(strings.Fields(out.String()), " ")
}
