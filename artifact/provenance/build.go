package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Predicate types of build provenance. Both are read, the second is written.
const (
	BuildPredicateV02 = "https://slsa.dev/provenance/v0.2"
	BuildPredicate    = "https://slsa.dev/provenance/v1"
)

// BuildType says what the parameters of builds made by Seaworthy mean;
// docs/verify.md describes them.
const BuildType = "urn:seaworthy:build:v1"

// Build says how the subjects were built: SLSA's provenance v1. Times are UTC,
// to the second.
type Build struct {
	Definition Definition `json:"buildDefinition"`
	Run        RunDetails `json:"runDetails"`
}

// Definition is what went into a build and would make it again.
type Definition struct {
	BuildType    string         `json:"buildType"`
	External     map[string]any `json:"externalParameters"` // what the outside asked for
	Internal     map[string]any `json:"internalParameters,omitempty"`
	Dependencies []Resource     `json:"resolvedDependencies,omitempty"`
}

// RunDetails is who built it, and when.
type RunDetails struct {
	Builder    Builder    `json:"builder"`
	Metadata   Metadata   `json:"metadata,omitzero"`
	Byproducts []Resource `json:"byproducts,omitempty"`
}

// Builder is the machinery that is trusted to have made the build and to tell
// the truth about it. ID is a URI.
type Builder struct {
	ID           string            `json:"id"`
	Version      map[string]string `json:"version,omitempty"`
	Dependencies []Resource        `json:"builderDependencies,omitempty"`
}

// Metadata is about the one run.
type Metadata struct {
	InvocationID string    `json:"invocationId,omitempty"`
	Started      time.Time `json:"startedOn,omitzero"`
	Finished     time.Time `json:"finishedOn,omitzero"`
}

// Source is the dependency that a commit of a repository is. The repository's
// address may be that of a clone (https://…, ssh://…, git@…:…); ref may be empty.
func Source(repository, ref, commit string) Resource {
	uri := "git+" + plainRepository(repository)
	if ref != "" {
		uri += "@" + ref
	}
	return Resource{URI: uri, Digest: map[string]string{"gitCommit": commit}}
}

// plainRepository writes the address of a repository as SLSA does, so that two
// spellings of it compare equal: https, no .git, no user, no ref.
func plainRepository(address string) string {
	address = strings.TrimPrefix(address, "git+")
	if rest, ok := strings.CutPrefix(address, "git@"); ok && !strings.Contains(address, "://") {
		address = "ssh://git@" + strings.Replace(rest, ":", "/", 1)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return strings.TrimSuffix(address, ".git")
	}
	if u.Scheme == "ssh" || u.Scheme == "git" {
		u.Scheme = "https"
	}
	path, _, _ := strings.Cut(u.Path, "@")
	return u.Scheme + "://" + strings.ToLower(u.Host) + strings.TrimSuffix(strings.TrimSuffix(path, "/"), ".git")
}

// Validate reports what SLSA requires and the build lacks.
func (b Build) Validate() error {
	var wrong []error
	need := func(ok bool, field, what string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s is missing: %s", field, what))
		}
	}
	need(b.Definition.BuildType != "", "buildDefinition.buildType", "say what the parameters mean")
	need(b.Definition.External != nil, "buildDefinition.externalParameters", "say what was asked for")
	need(b.Run.Builder.ID != "", "runDetails.builder.id", "say who built it")
	m := b.Run.Metadata
	if !m.Started.IsZero() && !m.Finished.IsZero() && m.Finished.Before(m.Started) {
		wrong = append(wrong, errors.New("it ended before it began"))
	}
	for i, r := range b.Definition.Dependencies {
		if r.URI == "" && len(r.Digest) == 0 && len(r.Content) == 0 {
			wrong = append(wrong, fmt.Errorf("resolvedDependencies[%d] has neither an address nor a digest", i))
		}
	}
	return errors.Join(wrong...)
}

// Statement makes the statement about what was built.
func (b Build) Statement(subjects []Resource) (Statement, error) {
	if err := b.Validate(); err != nil {
		return Statement{}, fmt.Errorf("provenance: %w", err)
	}
	b.Definition.Dependencies = slices.Clone(b.Definition.Dependencies)
	sortResources(b.Definition.Dependencies)
	for _, t := range []*time.Time{&b.Run.Metadata.Started, &b.Run.Metadata.Finished} {
		*t = t.UTC().Truncate(time.Second)
	}
	return New(subjects, BuildPredicate, b)
}

// Build returns what the statement says of the build, v0.2 written as v1. A
// statement about something else is an error, an empty predicate is not: Check
// tells of it.
func (s Statement) Build() (Build, error) {
	var b Build
	switch {
	case s.PredicateType != BuildPredicate && s.PredicateType != BuildPredicateV02:
		return b, fmt.Errorf("a statement of type %s tells nothing of a build: %s and %s do", s.PredicateType, BuildPredicate, BuildPredicateV02)
	case s.Empty():
		return b, nil
	case s.PredicateType == BuildPredicateV02:
		return readV02(s.Predicate)
	}
	if err := json.Unmarshal(s.Predicate, &b); err != nil {
		return Build{}, fmt.Errorf("provenance: %w", err)
	}
	return b, nil
}

// buildV02 is SLSA's provenance v0.2.
type buildV02 struct {
	Builder struct {
		ID string `json:"id"`
	} `json:"builder"`
	BuildType  string `json:"buildType"`
	Invocation struct {
		ConfigSource *struct {
			URI        string            `json:"uri"`
			Digest     map[string]string `json:"digest"`
			EntryPoint string            `json:"entryPoint"`
		} `json:"configSource"`
		Parameters  any `json:"parameters"`
		Environment any `json:"environment"`
	} `json:"invocation"`
	BuildConfig any `json:"buildConfig"`
	Metadata    *struct {
		InvocationID string     `json:"buildInvocationID"`
		OldID        string     `json:"buildInvocationId"` // v0.1's spelling, still written by some
		Started      *time.Time `json:"buildStartedOn"`
		Finished     *time.Time `json:"buildFinishedOn"`
		Reproducible bool       `json:"reproducible"`
	} `json:"metadata"`
	Materials []Resource `json:"materials"`
}

func readV02(raw json.RawMessage) (Build, error) {
	var old buildV02
	if err := json.Unmarshal(raw, &old); err != nil {
		return Build{}, fmt.Errorf("provenance v0.2: %w", err)
	}
	b := Build{
		Definition: Definition{BuildType: old.BuildType, External: map[string]any{}, Dependencies: old.Materials},
		Run:        RunDetails{Builder: Builder{ID: old.Builder.ID}},
	}
	if c := old.Invocation.ConfigSource; c != nil {
		b.Definition.External["configSource"] = map[string]any{"uri": c.URI, "digest": c.Digest, "entryPoint": c.EntryPoint}
		if c.URI != "" && !slices.ContainsFunc(old.Materials, func(r Resource) bool { return r.URI == c.URI }) {
			b.Definition.Dependencies = append(slices.Clone(old.Materials), Resource{URI: c.URI, Digest: c.Digest})
		}
	}
	for name, value := range map[string]any{"parameters": old.Invocation.Parameters, "buildConfig": old.BuildConfig} {
		if value != nil {
			b.Definition.External[name] = value
		}
	}
	if old.Invocation.Environment != nil {
		b.Definition.Internal = map[string]any{"environment": old.Invocation.Environment}
	}
	if m := old.Metadata; m != nil {
		b.Run.Metadata.InvocationID = m.InvocationID
		if m.InvocationID == "" {
			b.Run.Metadata.InvocationID = m.OldID
		}
		if m.Started != nil {
			b.Run.Metadata.Started = *m.Started
		}
		if m.Finished != nil {
			b.Run.Metadata.Finished = *m.Finished
		}
	}
	return b, nil
}

// sources returns the commits of repositories among the dependencies.
func (b Build) sources() []Resource {
	var found []Resource
	for _, r := range b.Definition.Dependencies {
		if strings.HasPrefix(r.URI, "git+") || r.Digest["gitCommit"] != "" {
			found = append(found, r)
		}
	}
	return found
}

// commit is the commit id a source names: gitCommit, or sha1 as before v1.
func (r Resource) commit() string {
	if c := r.Digest["gitCommit"]; c != "" {
		return c
	}
	return r.Digest["sha1"]
}
