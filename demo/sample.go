package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/tools/txtar"
)

//go:embed story/*.txtar
var files embed.FS

// change is what somebody proposes in the story: files that replace the
// project's, and the words of the pull request.
type change struct {
	author string
	branch string
	title  string
	body   string
	files  []txtar.File
}

// project returns the sample project as it stands before the story begins.
func project() ([]txtar.File, error) {
	data, err := files.ReadFile("story/00-halyard.txtar")
	if err != nil {
		return nil, fmt.Errorf("reading the sample project: %w", err)
	}
	return txtar.Parse(data).Files, nil
}

// changes returns what people propose, in the order they do.
func changes() ([]change, error) {
	names, err := fs.Glob(files, "story/[1-9]*.txtar")
	if err != nil {
		return nil, fmt.Errorf("listing the changes of the story: %w", err)
	}
	var all []change
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		c, err := parseChange(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// parseChange reads "key: value" lines, then "body:" and the body, then files.
func parseChange(data []byte) (change, error) {
	archive := txtar.Parse(data)
	head, body, ok := strings.Cut(string(archive.Comment), "body:\n")
	if !ok {
		return change{}, fmt.Errorf("no line %q", "body:")
	}
	c := change{body: strings.TrimSpace(body), files: archive.Files}
	fields := map[string]*string{"author": &c.author, "branch": &c.branch, "title": &c.title}
	for line := range strings.Lines(head) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || fields[key] == nil {
			return change{}, fmt.Errorf("line %q is not author, branch or title", line)
		}
		*fields[key] = value
	}
	if c.author == "" || c.branch == "" || c.title == "" || len(c.files) == 0 {
		return change{}, fmt.Errorf("author, branch, title and a file are needed")
	}
	return c, nil
}
