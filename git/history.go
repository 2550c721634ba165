package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Person is an author, committer or tagger.
type Person struct {
	Name  string
	Email string
	Time  time.Time
}

// Commit is one commit of a log.
type Commit struct {
	SHA       string
	Tree      string
	Parents   []string
	Author    Person
	Committer Person
	Message   string
}

// Subject returns the first line of the message.
func (c Commit) Subject() string {
	s, _, _ := strings.Cut(c.Message, "\n")
	return s
}

// LogOptions narrow a log.
type LogOptions struct {
	FirstParent bool
	Reverse     bool // oldest first
	Max         int
	Skip        int
	Paths       []string
}

const logFormat = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B%x00%x01"

// Log lists the commits of a range ("A..B" or a revision), newest first.
func (r *Repository) Log(ctx context.Context, revRange string, o LogOptions) ([]Commit, error) {
	args := []string{"log", "--format=" + logFormat}
	if o.FirstParent {
		args = append(args, "--first-parent")
	}
	if o.Reverse {
		args = append(args, "--reverse")
	}
	if o.Max > 0 {
		args = append(args, "--max-count="+strconv.Itoa(o.Max))
	}
	if o.Skip > 0 {
		args = append(args, "--skip="+strconv.Itoa(o.Skip))
	}
	args = append(args, "--end-of-options", revRange, "--")
	out, err := r.Git(ctx, append(args, o.Paths...)...)
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for rec := range strings.SplitSeq(out, "\x00\x01") {
		rec = strings.TrimPrefix(rec, "\n")
		if rec == "" {
			continue
		}
		p := strings.SplitN(rec, "\x00", 10)
		if len(p) != 10 {
			return nil, fmt.Errorf("git log %s: unexpected record %q", revRange, rec)
		}
		at, err := unix(p[5])
		if err != nil {
			return nil, fmt.Errorf("git log %s: %w", revRange, err)
		}
		ct, err := unix(p[8])
		if err != nil {
			return nil, fmt.Errorf("git log %s: %w", revRange, err)
		}
		commits = append(commits, Commit{
			SHA: p[0], Tree: p[1], Parents: strings.Fields(p[2]),
			Author:    Person{Name: p[3], Email: p[4], Time: at},
			Committer: Person{Name: p[6], Email: p[7], Time: ct},
			Message:   strings.TrimRight(p[9], "\n"),
		})
	}
	return commits, nil
}

func unix(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q: %w", s, err)
	}
	return time.Unix(n, 0).UTC(), nil
}

// CountCommits counts the commits of a range.
func (r *Repository) CountCommits(ctx context.Context, revRange string) (int, error) {
	out, err := r.Git(ctx, "rev-list", "--count", "--end-of-options", revRange)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(out))
}

// Change is one file that differs between two trees.
type Change struct {
	Path         string
	PreviousPath string // set for a rename
	Status       byte   // A, M, D, R, C, T
	Additions    int    // -1 for binary files
	Deletions    int
}

// Diff lists what changed from a to b.
func (r *Repository) Diff(ctx context.Context, a, b string) ([]Change, error) {
	out, err := r.Git(ctx, "diff-tree", "-r", "-z", "-M", "--raw", "--numstat", a, b)
	if err != nil {
		return nil, err
	}
	f := strings.Split(out, "\x00")
	byPath := map[string]int{}
	var changes []Change
	i := 0
	for i < len(f) && strings.HasPrefix(f[i], ":") {
		meta := strings.Fields(f[i])
		if len(meta) != 5 || i+1 >= len(f) {
			return nil, fmt.Errorf("git diff %s %s: unexpected record %q", a, b, f[i])
		}
		c := Change{Status: meta[4][0], Path: f[i+1]}
		i += 2
		if c.Status == 'R' || c.Status == 'C' {
			c.PreviousPath, c.Path = c.Path, f[i]
			i++
		}
		byPath[c.Path] = len(changes)
		changes = append(changes, c)
	}
	for i < len(f) && f[i] != "" {
		p := strings.SplitN(f[i], "\t", 3)
		if len(p) != 3 {
			return nil, fmt.Errorf("git diff %s %s: unexpected count %q", a, b, f[i])
		}
		i++
		path := p[2]
		if path == "" { // a rename: the two paths follow
			path = f[i+1]
			i += 2
		}
		n, ok := byPath[path]
		if !ok {
			return nil, fmt.Errorf("git diff %s %s: count for unknown file %q", a, b, path)
		}
		changes[n].Additions, changes[n].Deletions = count(p[0]), count(p[1])
	}
	return changes, nil
}

func count(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1
	}
	return n
}
