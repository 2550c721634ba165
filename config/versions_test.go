package config

import "testing"

func TestVersions(t *testing.T) {
	t.Parallel()
	p, err := Parse("seaworthy.yaml", []byte("version: 1\nrelease:\n  versions: {next_alpha: true}\n"))
	if err != nil || !p.Release.Versions.NextAlpha || p.Release.Versions.NextCandidate {
		t.Errorf("%+v, %v", p.Release.Versions, err)
	}
	if p, err := Parse("seaworthy.yaml", []byte("version: 1\n")); err != nil || p.Release.Versions.Bump != "minor" {
		t.Errorf("%+v, %v", p.Release.Versions, err)
	}
	if _, err := Parse("seaworthy.yaml", []byte("version: 1\nrelease:\n  versions: {bump: mayor}\n")); err == nil {
		t.Error("a number that there is not was taken")
	}
	if _, err := Parse("seaworthy.yaml", []byte("version: 1\nrelease:\n  versions: {next_beta: true}\n")); err == nil {
		t.Error("a rule that there is not was taken")
	}
}
