package cloudbuild

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// Build is cloudbuild.yaml as it was written.
type Build struct {
	Steps         []Step            `json:"steps"`
	Timeout       string            `json:"timeout"`
	Options       Options           `json:"options"`
	Substitutions map[string]string `json:"substitutions"`
	Tags          []string          `json:"tags"`
	Images        []string          `json:"images"`
	Artifacts     Artifacts         `json:"artifacts"`

	// What tunes the cloud, and is passed over here.
	QueueTTL         string     `json:"queueTtl"`
	LogsBucket       string     `json:"logsBucket"`
	ServiceAccount   string     `json:"serviceAccount"`
	Secrets          *yaml.Node `json:"secrets"`
	AvailableSecrets *yaml.Node `json:"availableSecrets"`
	Source           *yaml.Node `json:"source"`
	GitConfig        *yaml.Node `json:"gitConfig"`
	Dependencies     *yaml.Node `json:"dependencies"`

	File  string       `json:"-"`
	Lines strict.Lines `json:"-"`
}

// Step is one step as it was written.
type Step struct {
	Name                 string     `json:"name"` // the builder's image
	Args                 []string   `json:"args"`
	Entrypoint           string     `json:"entrypoint"`
	Script               string     `json:"script"`
	Env                  []string   `json:"env"`
	Dir                  string     `json:"dir"`
	ID                   string     `json:"id"`
	WaitFor              []string   `json:"waitFor"`
	Timeout              string     `json:"timeout"`
	SecretEnv            []string   `json:"secretEnv"`
	AllowFailure         bool       `json:"allowFailure"`
	AllowExitCodes       []int      `json:"allowExitCodes"`
	AutomapSubstitutions *bool      `json:"automapSubstitutions"`
	Volumes              *yaml.Node `json:"volumes"`
	Results              *yaml.Node `json:"results"`

	Lines strict.Lines `json:"-"`
}

// Options of a build. Those that tune the cloud's machines are passed over.
type Options struct {
	Env                       []string   `json:"env"`
	SecretEnv                 []string   `json:"secretEnv"`
	Volumes                   *yaml.Node `json:"volumes"`
	SubstitutionOption        string     `json:"substitutionOption"`
	DynamicSubstitutions      bool       `json:"dynamicSubstitutions"`
	AutomapSubstitutions      bool       `json:"automapSubstitutions"`
	MachineType               string     `json:"machineType"`
	DiskSizeGB                *yaml.Node `json:"diskSizeGb"`
	LogStreamingOption        string     `json:"logStreamingOption"`
	Logging                   string     `json:"logging"`
	DefaultLogsBucketBehavior string     `json:"defaultLogsBucketBehavior"`
	WorkerPool                string     `json:"workerPool"`
	Pool                      *yaml.Node `json:"pool"`
	PubsubTopic               string     `json:"pubsubTopic"`
	RequestedVerifyOption     string     `json:"requestedVerifyOption"`
	SourceProvenanceHash      []string   `json:"sourceProvenanceHash"`
	EnableStructuredLogging   bool       `json:"enableStructuredLogging"`

	Lines strict.Lines `json:"-"`
}

// Artifacts are what a build leaves behind.
type Artifacts struct {
	Images            []string   `json:"images"`
	Objects           Objects    `json:"objects"`
	MavenArtifacts    *yaml.Node `json:"mavenArtifacts"`
	PythonPackages    *yaml.Node `json:"pythonPackages"`
	NPMPackages       *yaml.Node `json:"npmPackages"`
	GoModules         *yaml.Node `json:"goModules"`
	GenericArtifacts  *yaml.Node `json:"genericArtifacts"`
	OCI               *yaml.Node `json:"oci"`
	DefaultRegistries *yaml.Node `json:"defaultRegistries"`

	Lines strict.Lines `json:"-"`
}

// Objects are files that a build leaves behind.
type Objects struct {
	Location string   `json:"location"` // gs://BUCKET/FOLDER
	Paths    []string `json:"paths"`    // patterns below the workspace

	Lines strict.Lines `json:"-"`
}

// Limits of what is read.
const (
	maxFile  = 1 << 20
	maxSteps = 300 // as many as Cloud Build takes
)

// Parse reads a build file. name is what problems call it. What could be read
// is returned even where there are problems.
func Parse(name string, data []byte) (Build, []strict.Problem) {
	b := Build{File: name}
	if len(data) > maxFile {
		return b, []strict.Problem{{File: name, Message: fmt.Sprintf("the file has %d bytes, at most %d are read", len(data), maxFile)}}
	}
	docs, problems := strict.Documents(name, data)
	if len(docs) > 1 {
		problems = append(problems, strict.Problem{File: name, Line: docs[1].Line, Message: "a second document: put everything into one, without a line of ---"})
	}
	if len(docs) == 0 {
		if len(problems) == 0 {
			problems = append(problems, strict.Problem{File: name, Message: "the file is empty: write steps"})
		}
		return b, problems
	}
	camel(docs[0], 0)
	problems = append(problems, strict.Decode(name, docs[0], &b)...)
	c := checker{build: b}
	c.check()
	return b, strict.Sort(append(problems, c.problems...))
}

// camel writes the names of fields as the documentation has them: Google's
// tools take both substitution_option and substitutionOption. Names that the
// file gives itself, those of substitutions, stay. Single values stand for
// lists of one.
func camel(n *yaml.Node, depth int) {
	if depth > 8 {
		return // no field lies deeper; strict refuses what does
	}
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && snake.MatchString(key.Value) {
			words := strings.Split(key.Value, "_")
			for j, w := range words[1:] {
				words[j+1] = strings.ToUpper(w[:1]) + w[1:]
			}
			key.Value = strings.Join(words, "")
		}
		if slices.Contains(listFields(), key.Value) && value.Kind == yaml.ScalarNode && value.ShortTag() != "!!null" {
			one := *value
			*value = yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Line: one.Line, Column: one.Column, Content: []*yaml.Node{&one}}
		}
		if key.Value != "substitutions" {
			camel(value, depth+1)
		}
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			camel(item, depth+1)
		}
	}
}

var snake = regexp.MustCompile(`^[a-z]+(_[a-z]+)+$`)

// listFields may be written as a single value, as many a file has waitFor: '-'.
func listFields() []string { return []string{"waitFor", "images", "tags", "sourceProvenanceHash"} }

type checker struct {
	build    Build
	problems []strict.Problem
}

func (c *checker) fail(line int, format string, args ...any) {
	c.problems = append(c.problems, strict.Problem{File: c.build.File, Line: line, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(line int, format string, args ...any) {
	c.problems = append(c.problems, strict.Problem{File: c.build.File, Line: line, Message: fmt.Sprintf(format, args...), Warning: true})
}

var userKey = regexp.MustCompile(`^_[A-Z0-9_]{1,99}$`)

// check finds what is wrong whatever is substituted.
func (c *checker) check() {
	b := c.build
	switch {
	case len(b.Steps) == 0 && b.Lines.Start > 0:
		c.fail(b.Lines.Of("steps"), "no steps: write at least one")
	case len(b.Steps) > maxSteps:
		c.fail(b.Lines.Of("steps"), "%d steps: a build has at most %d", len(b.Steps), maxSteps)
	}
	for name := range b.Substitutions {
		if !userKey.MatchString(name) {
			c.fail(b.Lines.Of("substitutions"), "substitution %q: a name of one's own begins with _, and is of A-Z, 0-9 and _", name)
		}
	}
	switch b.Options.SubstitutionOption {
	case "", mustMatch, allowLoose:
	default:
		c.fail(b.Options.Lines.Of("substitutionOption"), "substitutionOption is %q: write %s or %s", b.Options.SubstitutionOption, mustMatch, allowLoose)
	}
	c.duration(b.Lines.Of("timeout"), b.Timeout)
	c.env(b.Options.Lines.Of("env"), b.Options.Env)
	for _, s := range b.Steps {
		c.step(s)
	}
	c.impossible()
	c.passedOver()
}

func (c *checker) step(s Step) {
	if s.Name == "" {
		c.fail(s.Lines.Start, "a step without a name: write the builder's image, which tells people where it is meant to run")
	}
	if s.Script != "" && (s.Entrypoint != "" || len(s.Args) > 0) {
		c.fail(s.Lines.Of("script"), "a step has a script, or entrypoint and args: remove one of them")
	}
	c.duration(s.Lines.Of("timeout"), s.Timeout)
	c.env(s.Lines.Of("env"), s.Env)
	if len(s.SecretEnv) > 0 {
		c.fail(s.Lines.Of("secretEnv"), "secretEnv %s: the secrets of a cloud cannot be had here; give the step what it needs in env, or leave the step to the cloud", strings.Join(s.SecretEnv, ", "))
	}
	if s.Volumes != nil {
		c.fail(s.Lines.Of("volumes"), "volumes are mounted by a container runtime, which there is none of here: keep what steps share below /workspace")
	}
	for _, code := range s.AllowExitCodes {
		if code < 0 || code > 255 {
			c.fail(s.Lines.Of("allowExitCodes"), "exit code %d: write one from 0 to 255", code)
		}
	}
}

func (c *checker) env(line int, env []string) {
	for _, e := range env {
		name, _, ok := strings.Cut(e, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\n\x00") {
			c.fail(line, "env %q: write NAME=value", e)
		}
	}
}

func (c *checker) duration(line int, s string) {
	if s == "" {
		return
	}
	if _, err := parseDuration(s); err != nil {
		c.fail(line, "%v", err)
	}
}

// impossible fails for what a build would need the cloud for.
func (c *checker) impossible() {
	b := c.build
	if len(b.Options.SecretEnv) > 0 {
		c.fail(b.Options.Lines.Of("secretEnv"), "options.secretEnv: the secrets of a cloud cannot be had here; give steps what they need in env")
	}
	if b.Options.Volumes != nil {
		c.fail(b.Options.Lines.Of("volumes"), "options.volumes are mounted by a container runtime, which there is none of here")
	}
	a := b.Artifacts
	for name, node := range map[string]*yaml.Node{"mavenArtifacts": a.MavenArtifacts, "pythonPackages": a.PythonPackages,
		"npmPackages": a.NPMPackages, "goModules": a.GoModules, "genericArtifacts": a.GenericArtifacts, "oci": a.OCI} {
		if node != nil {
			c.fail(a.Lines.Of(name), "artifacts.%s are put into a registry of the cloud: publish them with a step of their own", name)
		}
	}
	if b.Source != nil || b.Dependencies != nil {
		c.fail(b.Lines.Start, "source and dependencies are fetched by the cloud: a build here begins with the folder it is called in")
	}
}

// passedOver warns of what makes no difference here.
func (c *checker) passedOver() {
	b, o := c.build, c.build.Options
	for _, f := range []struct {
		lines strict.Lines
		names []string
		where string
	}{
		{b.Lines, []string{"queueTtl", "logsBucket", "serviceAccount", "secrets", "availableSecrets", "gitConfig"}, ""},
		{o.Lines, []string{"machineType", "diskSizeGb", "logStreamingOption", "logging", "defaultLogsBucketBehavior", "workerPool", "pool",
			"pubsubTopic", "requestedVerifyOption", "sourceProvenanceHash", "enableStructuredLogging"}, "options."},
	} {
		for _, name := range f.names {
			if f.lines.Has(name) {
				c.warn(f.lines.Of(name), "%s%s makes no difference on this machine", f.where, name)
			}
		}
	}
}
