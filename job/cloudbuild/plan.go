package cloudbuild

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"seaworthy/strict"
)

// Workspace is where a build's files lie, in the words of the file.
const Workspace = "/workspace"

// DefaultTimeout is how long a build may take that does not say.
const DefaultTimeout = time.Hour

// Given are the values a build is called with.
type Given struct {
	// BuiltIn are those that Cloud Build itself would give: PROJECT_ID, COMMIT_SHA, …
	BuiltIn map[string]string
	// User are those of the command line and of the variant; they go before
	// what the file says.
	User map[string]string
	// Offered are those that every build is given, whether it uses them or not.
	// They go before what the file says, too.
	Offered map[string]string
}

// Plan is what a build runs.
type Plan struct {
	Steps   []Planned
	Timeout time.Duration
	Tags    []string
	Images  []string // that must be there in the end
	// Objects are the files to keep, as patterns below the workspace, and
	// Location where the cloud would have put them.
	Objects  []string
	Location string
}

// Planned is one step, every substitution made.
type Planned struct {
	Index int
	ID    string // as the file has it; may be empty
	Label string // what people read: "unit", or the builder's name
	Image string
	// Command is the program and its arguments. A step with a Script has none.
	Command []string
	// Script is run as a program; one without #! by /bin/sh.
	Script string
	// Dir is below the workspace, "." for itself.
	Dir     string
	Env     []string
	After   []int         // steps that must be over first
	Timeout time.Duration // 0 is as long as the build may take
	// AllowFailure lets the build go on, and succeed, without this step;
	// AllowExitCodes where it ends with one of these.
	AllowFailure   bool
	AllowExitCodes []int
	Line           int
}

// Plan works out what the build runs. The problems are all there are; the plan
// is only good without failures among them.
func (b Build) Plan(g Given) (Plan, []strict.Problem) {
	values := maps.Clone(b.Substitutions)
	if values == nil {
		values = map[string]string{}
	}
	maps.Copy(values, g.BuiltIn)
	maps.Copy(values, g.Offered)
	maps.Copy(values, g.User)
	p := planner{checker: checker{build: b}, sub: newSubstituter(values, b.Options)}
	out := Plan{Timeout: DefaultTimeout}
	if d, err := parseDuration(b.Timeout); err == nil && b.Timeout != "" {
		out.Timeout = d
	}
	common := p.texts(b.Options.Lines.Of("env"), b.Options.Env)
	for i, s := range b.Steps {
		out.Steps = append(out.Steps, p.step(i, s, common))
	}
	p.order(out.Steps)
	out.Tags = p.texts(b.Lines.Of("tags"), b.Tags)
	out.Images = append(p.texts(b.Lines.Of("images"), b.Images), p.texts(b.Artifacts.Lines.Of("images"), b.Artifacts.Images)...)
	objects := b.Artifacts.Objects
	out.Location = p.text(objects.Lines.Of("location"), objects.Location)
	for _, o := range p.texts(objects.Lines.Of("paths"), objects.Paths) {
		if dir, ok := p.below(objects.Lines.Of("paths"), o); ok {
			out.Objects = append(out.Objects, dir)
		}
	}
	p.unused(g)
	return out, strict.Sort(p.problems)
}

type planner struct {
	checker
	sub *substituter
}

// text substitutes; what is wrong is said once a line.
func (p *planner) text(line int, text string) string {
	out, err := p.sub.expand(text)
	if err != nil {
		p.fail(line, "%v", err)
	}
	return out
}

func (p *planner) texts(line int, all []string) []string {
	var out []string
	for _, t := range all {
		out = append(out, p.text(line, t))
	}
	return out
}

func (p *planner) step(i int, s Step, common []string) Planned {
	out := Planned{Index: i, ID: s.ID, Image: p.text(s.Lines.Of("name"), s.Name), Script: s.Script, AllowFailure: s.AllowFailure,
		AllowExitCodes: s.AllowExitCodes, Line: s.Lines.Start}
	out.Label = s.ID
	if out.Label == "" {
		out.Label = path.Base(repository(out.Image))
	}
	if d, err := parseDuration(s.Timeout); err == nil {
		out.Timeout = d
	}
	out.Dir, _ = p.below(s.Lines.Of("dir"), p.text(s.Lines.Of("dir"), s.Dir))
	automap := p.build.Options.AutomapSubstitutions
	if s.AutomapSubstitutions != nil {
		automap = *s.AutomapSubstitutions
	}
	if automap {
		all, err := p.sub.all()
		if err != nil {
			p.joined(s.Lines.Start, err)
		}
		out.Env = append(out.Env, all...)
	}
	out.Env = append(append(out.Env, common...), p.texts(s.Lines.Of("env"), s.Env)...)
	if s.Script != "" {
		return out // scripts see variables, not substitutions
	}
	args := p.texts(s.Lines.Of("args"), s.Args)
	if s.Entrypoint != "" {
		out.Command = append([]string{p.text(s.Lines.Of("entrypoint"), s.Entrypoint)}, args...)
		return out
	}
	command, err := builderCommand(out.Image, args)
	if err != nil {
		p.fail(s.Lines.Start, "%v", err)
	}
	out.Command = command
	return out
}

// joined fails once for each of several errors.
func (p *planner) joined(line int, err error) {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		p.fail(line, "%v", err)
		return
	}
	for _, one := range several.Unwrap() {
		p.fail(line, "%v", one)
	}
}

// below makes a path of the file one below the workspace.
func (p *planner) below(line int, dir string) (string, bool) {
	rest := dir
	if path.IsAbs(dir) {
		clean := path.Clean(dir)
		if clean != Workspace && !strings.HasPrefix(clean, Workspace+"/") {
			p.fail(line, "%s is a path inside the builder's image, which is not used here: write one below %s", dir, Workspace)
			return ".", false
		}
		rest = strings.TrimPrefix(strings.TrimPrefix(clean, Workspace), "/")
	}
	rest = path.Clean(rest)
	if rest == ".." || strings.HasPrefix(rest, "../") || strings.ContainsRune(rest, 0) {
		p.fail(line, "%q leads out of %s: write a path below it", dir, Workspace)
		return ".", false
	}
	return rest, true
}

// order fills in which steps each waits for: those it names, none if it names
// "-", and all before it if it names nothing.
func (p *planner) order(steps []Planned) {
	byID := map[string]int{}
	for i, s := range steps {
		if s.ID == "" {
			continue
		}
		if s.ID == "-" {
			p.fail(s.Line, "the id - means no step in waitFor: choose another")
		}
		if first, twice := byID[s.ID]; twice {
			p.fail(s.Line, "two steps have the id %q, this and the one on line %d: rename one", s.ID, steps[first].Line)
			continue
		}
		byID[s.ID] = i
	}
	for i := range steps {
		wait := p.build.Steps[i].WaitFor
		line := p.build.Steps[i].Lines.Of("waitFor")
		if len(wait) == 0 {
			for j := range i {
				steps[i].After = append(steps[i].After, j)
			}
			continue
		}
		for _, id := range wait {
			j, known := byID[id]
			switch {
			case id == "-":
			case !known:
				near := strict.Nearest(id, slices.Sorted(maps.Keys(byID)))
				if near != "" {
					near = ": write " + near
				}
				p.fail(line, "waitFor names %q, which no step has as its id%s", id, near)
			case j == i:
				p.fail(line, "step %q waits for itself: remove it from waitFor", id)
			case !slices.Contains(steps[i].After, j):
				steps[i].After = append(steps[i].After, j)
			}
		}
		slices.Sort(steps[i].After)
	}
	if i, ok := circular(steps); ok {
		p.fail(steps[i].Line, "step %q waits for a step that waits for it: break the circle in waitFor", steps[i].Label)
	}
}

// circular finds a step that can never begin.
func circular(steps []Planned) (int, bool) {
	done := make([]bool, len(steps))
	for {
		progress, left := false, -1
		for i, s := range steps {
			if done[i] {
				continue
			}
			if slices.ContainsFunc(s.After, func(j int) bool { return !done[j] }) {
				if left < 0 {
					left = i
				}
				continue
			}
			done[i], progress = true, true
		}
		if left < 0 {
			return 0, false
		}
		if !progress {
			return left, true
		}
	}
}

// unused fails for names that are given and not used, unless that is allowed.
func (p *planner) unused(g Given) {
	if p.sub.loose {
		return
	}
	for _, name := range p.sub.unused() {
		_, own := p.build.Substitutions[name]
		_, asked := g.User[name]
		if _, offered := g.Offered[name]; offered && !own && !asked {
			continue
		}
		p.fail(p.build.Lines.Of("substitutions"), "%s is given and not used: remove it, or set options.substitutionOption to %s", name, allowLoose)
	}
}

// parseDuration reads a length of time as the format has it, in seconds
// ("1200s"); hours and minutes are understood, too.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no length of time: write seconds, such as 1200s", s)
	}
	const most = 24 * time.Hour
	if d > most {
		return 0, fmt.Errorf("%s is longer than a build may take, %s", s, strconv.Itoa(int(most.Seconds()))+"s")
	}
	return d, nil
}
