package job

import (
	"path"
	"strconv"
	"strings"
)

// The paths of this file are relative to the root of the bucket. They are
// Prow's, in the form it writes for every repository but the one an
// installation may declare its default: pull requests lie below ORG_REPO.

// ResultPath returns the folder of an execution's results.
func ResultPath(e Execution) string {
	return path.Join(JobPath(e), e.BuildID)
}

// JobPath returns the folder that holds the results of an execution and of
// those like it: of the same job, and of the same pull request for a presubmit.
func JobPath(e Execution) string {
	switch e.Type {
	case Presubmit:
		return path.Join("pr-logs", "pull", repoSegment(e.Refs), pullNumber(e.Refs), e.Job)
	case Batch:
		return path.Join("pr-logs", "pull", "batch", e.Job)
	}
	return path.Join("logs", e.Job)
}

// AliasPath returns the file that leads from a job's name to the results of a
// presubmit, "" for the other types, which need none.
func AliasPath(e Execution) string {
	if e.Type != Presubmit {
		return ""
	}
	return path.Join(IndexPath(e.Type, e.Job), e.BuildID+".txt")
}

// IndexPath returns the folder in which all builds of a job are found: as
// folders for periodics and postsubmits, as aliases for presubmits.
func IndexPath(t Type, name string) string {
	if t == Presubmit || t == Batch {
		return path.Join("pr-logs", "directory", name)
	}
	return path.Join("logs", name)
}

// LatestPaths returns the files that hold the newest build's id.
func LatestPaths(e Execution) []string {
	paths := []string{path.Join(IndexPath(e.Type, e.Job), "latest-build.txt")}
	if e.Type == Presubmit {
		paths = append(paths, path.Join(JobPath(e), "latest-build.txt"))
	}
	return paths
}

func repoSegment(r Refs) string {
	org := strings.TrimPrefix(strings.TrimPrefix(r.Org, "https://"), "http://")
	return org + "_" + strings.ReplaceAll(r.Repo, "/", "_")
}

func pullNumber(r Refs) string {
	if len(r.Pulls) == 0 {
		return "0"
	}
	return strconv.Itoa(r.Pulls[0].Number)
}
