package job

import (
	"fmt"
	"reflect"
	"regexp/syntax"
	"slices"
	"strings"

	"seaworthy/strict"
)

// Merge puts the jobs of files together, applies presets and checks what only
// shows over all of them: names and contexts used twice where both would run.
// The files themselves are left as they are.
func Merge(files ...File) (Config, []Problem) {
	c := Config{Presubmits: map[string][]*Job{}, Postsubmits: map[string][]*Job{}}
	var presets []Preset
	for _, f := range files {
		presets = append(presets, f.Presets...)
	}
	m := merger{presets: presets}
	for _, f := range files {
		for repo, jobs := range f.Presubmits {
			c.Presubmits[repo] = append(c.Presubmits[repo], m.apply(jobs)...)
		}
		for repo, jobs := range f.Postsubmits {
			c.Postsubmits[repo] = append(c.Postsubmits[repo], m.apply(jobs)...)
		}
		c.Periodics = append(c.Periodics, m.apply(f.Periodics)...)
	}
	for _, repo := range sortedKeys(c.Presubmits) {
		m.unique(c.Presubmits[repo], "name", func(j *Job) string { return j.Name })
		m.unique(c.Presubmits[repo], "context", func(j *Job) string { return j.Context })
	}
	for _, repo := range sortedKeys(c.Postsubmits) {
		m.unique(c.Postsubmits[repo], "name", func(j *Job) string { return j.Name })
	}
	m.unique(c.Periodics, "name", func(j *Job) string { return j.Name })
	return c, strict.Sort(m.problems)
}

type merger struct {
	presets  []Preset
	problems []Problem
}

func (m *merger) fail(j *Job, format string, args ...any) {
	m.problems = append(m.problems, Problem{File: j.File, Line: j.Line, Message: fmt.Sprintf(format, args...)})
}

// apply returns the jobs with presets; a job that takes over none is shared.
func (m *merger) apply(jobs []*Job) []*Job {
	out := make([]*Job, len(jobs))
	for i, j := range jobs {
		out[i] = j
		for _, p := range m.presets {
			if !p.matches(j) {
				continue
			}
			if out[i] == j {
				out[i] = j.withOwnPod()
			}
			m.preset(out[i], p)
		}
	}
	return out
}

func (p Preset) matches(j *Job) bool {
	for k, v := range p.Labels {
		if have, ok := j.Labels[k]; !ok || have != v {
			return false
		}
	}
	return j.Pod != nil
}

// withOwnPod copies what a preset adds to.
func (j *Job) withOwnPod() *Job {
	job, pod := *j, *j.Pod
	job.Pod = &pod
	pod.Volumes = slices.Clip(pod.Volumes)
	pod.Tolerations = slices.Clip(pod.Tolerations)
	pod.Containers = slices.Clone(pod.Containers)
	for i := range pod.Containers {
		pod.Containers[i].Env = slices.Clip(pod.Containers[i].Env)
		pod.Containers[i].VolumeMounts = slices.Clip(pod.Containers[i].VolumeMounts)
	}
	return &job
}

func (m *merger) preset(j *Job, p Preset) {
	from := fmt.Sprintf("the preset of %s:%d", p.File, p.Lines.Start)
	for i := range j.Pod.Containers {
		c := &j.Pod.Containers[i]
		for _, e := range p.Env {
			if slices.ContainsFunc(c.Env, func(have PodEnv) bool { return have.Name == e.Name }) {
				m.fail(j, "job %s sets %s, and so does %s: remove it from one of them", j.Name, e.Name, from)
				continue
			}
			c.Env = append(c.Env, e)
		}
		c.VolumeMounts = m.named(j, "volume mount", from, c.VolumeMounts, p.VolumeMounts)
	}
	j.Pod.Volumes = m.named(j, "volume", from, j.Pod.Volumes, p.Volumes)
	for _, t := range p.Tolerations {
		if slices.ContainsFunc(j.Pod.Tolerations, func(have any) bool { return reflect.DeepEqual(have, t) }) {
			m.fail(j, "job %s has a toleration that %s adds: remove it from one of them", j.Name, from)
			continue
		}
		j.Pod.Tolerations = append(j.Pod.Tolerations, t)
	}
}

func (m *merger) named(j *Job, kind, from string, have, add []any) []any {
	for _, a := range add {
		name := nameOf(a)
		if slices.ContainsFunc(have, func(h any) bool { return nameOf(h) == name }) {
			m.fail(j, "job %s has the %s %q, and so does %s: remove it from one of them", j.Name, kind, name, from)
			continue
		}
		have = append(have, a)
	}
	return have
}

func nameOf(v any) string {
	fields, _ := v.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// unique reports jobs that share a key on a branch that both run for.
func (m *merger) unique(jobs []*Job, what string, key func(*Job) string) {
	byKey := make(map[string][]*Job, len(jobs))
	for _, j := range jobs {
		k := key(j)
		for _, other := range byKey[k] {
			// The name is reported by itself.
			if what == "context" && other.Name == j.Name || !other.overlaps(j) {
				continue
			}
			m.fail(j, "%s %s %q is taken by %s: choose another, or keep their branches apart", j.Type, what, k, strings.TrimSpace(fmt.Sprintf("%s:%d", other.File, other.Line)))
		}
		byKey[k] = append(byKey[k], j)
	}
}

// overlaps reports whether two jobs may run for the same branch, by Prow's
// rule: patterns are compared as texts, and tried on the other's patterns when
// that one only skips.
func (j *Job) overlaps(o *Job) bool {
	if len(j.Branches) == 0 && len(j.SkipBranches) == 0 || len(o.Branches) == 0 && len(o.SkipBranches) == 0 {
		return true
	}
	switch {
	case len(j.Branches) == 0 && len(o.Branches) == 0:
		return true
	case len(j.Branches) == 0:
		return o.overlaps(j)
	case len(o.Branches) > 0:
		return slices.ContainsFunc(j.Branches, func(b string) bool { return slices.Contains(o.Branches, b) })
	}
	return slices.ContainsFunc(j.Branches, func(pattern string) bool { return o.RunsOn(exactly(pattern)) })
}

// exactly is the one branch that a pattern such as ^release-1\.2$ matches; any
// other pattern is taken for a name, as Prow does.
func exactly(pattern string) string {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) != 3 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[1].Op != syntax.OpLiteral || re.Sub[1].Flags&syntax.FoldCase != 0 || re.Sub[2].Op != syntax.OpEndText {
		return pattern
	}
	return string(re.Sub[1].Rune)
}
