package cut

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"seaworthy/flow"
	"seaworthy/git"
)

// site is a plan and where its repository is cloned from.
type site struct {
	Plan     Plan   `json:"plan"`
	CloneURL string `json:"clone_url"`
}

// runDir is the folder of a run: repository, checkout, output.
func (s *Service) runDir(ctx context.Context) string {
	return filepath.Join(s.WorkDir, flow.Current(ctx).ID)
}

func (s *Service) repositoryDir(ctx context.Context) string {
	return filepath.Join(s.runDir(ctx), "repository.git")
}
func (s *Service) checkoutDir(ctx context.Context) string {
	return filepath.Join(s.runDir(ctx), "checkout")
}
func (s *Service) outputDir(ctx context.Context) string {
	return filepath.Join(s.runDir(ctx), "output")
}

// checkTools finds out early what would fail late.
func (s *Service) checkTools(ctx context.Context, p Plan) (flow.Nothing, error) {
	version, err := git.Version()
	if err != nil {
		return flow.Nothing{}, flow.Permanent(err)
	}
	flow.Logf(ctx, "git %s", version)
	tool := "go"
	if p.Project.Build.Command != nil && len(p.Project.Build.Command.Run) > 0 {
		tool = p.Project.Build.Command.Run[0]
	}
	// A program with a folder in its name lies in the repository.
	if filepath.Base(tool) == tool {
		found, err := exec.LookPath(tool)
		if err != nil {
			return flow.Nothing{}, flow.Permanent(fmt.Errorf("%s is built with %s, which is not on PATH: install it: %w", p.Project.Name, tool, err))
		}
		flow.Logf(ctx, "%s is %s", tool, found)
	}
	if err := os.MkdirAll(s.runDir(ctx), 0o755); err != nil {
		return flow.Nothing{}, fmt.Errorf("making the folder of the run: %w", err)
	}
	return flow.Nothing{}, s.checkSpace(ctx)
}

func (s *Service) checkSpace(ctx context.Context) error {
	if s.Space < 0 {
		return nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.WorkDir, &fs); err != nil {
		return fmt.Errorf("looking for space in %s: %w", s.WorkDir, err)
	}
	free := int64(fs.Bavail) * int64(fs.Bsize)
	if free < s.Space {
		return flow.Permanent(fmt.Errorf("%s has %d MiB free and staging wants %d MiB: make room", s.WorkDir, free>>20, s.Space>>20))
	}
	flow.Logf(ctx, "%d MiB free in %s", free>>20, s.WorkDir)
	return nil
}

// prepareWorkspace makes a repository of the run's own, so that tags made in it
// are nobody else's, and checks the commit out.
func (s *Service) prepareWorkspace(ctx context.Context, in site) (flow.Nothing, error) {
	repo, err := s.ownRepository(ctx, in.CloneURL)
	if err != nil {
		return flow.Nothing{}, err
	}
	if err := clearFolder(s.checkoutDir(ctx)); err != nil {
		return flow.Nothing{}, fmt.Errorf("clearing the workspace: %w", err)
	}
	if _, err := repo.Worktree(ctx, s.checkoutDir(ctx), in.Plan.Commit); err != nil {
		return flow.Nothing{}, fmt.Errorf("checking out %s: %w", in.Plan.Commit, err)
	}
	flow.Logf(ctx, "commit %s in %s", in.Plan.Commit, s.checkoutDir(ctx))
	return flow.Nothing{}, nil
}

// ownRepository clones the repository anew from the cache, with every branch
// and tag that is at the forge now.
func (s *Service) ownRepository(ctx context.Context, url string) (*git.Repository, error) {
	mirror, err := s.Git.Repository(ctx, s.Address(url), s.Auth)
	if err != nil {
		return nil, lasting(err)
	}
	dir := s.repositoryDir(ctx)
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clearing the run's repository: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("making the folder of the run: %w", err)
	}
	repo, err := git.Clone(ctx, mirror.Dir, dir, git.CloneOptions{Mirror: true})
	if err != nil {
		return nil, fmt.Errorf("copying the repository: %w", err)
	}
	return repo.WithAuth(s.Auth), nil
}

// workspace opens what prepareWorkspace made.
func (s *Service) workspace(ctx context.Context) (*git.Repository, error) {
	repo, err := git.Open(ctx, s.repositoryDir(ctx))
	if err != nil {
		return nil, flow.Permanent(fmt.Errorf("the workspace is gone: resume the run, which makes it again: %w", err))
	}
	return repo.WithAuth(s.Auth), nil
}

// Tag is an annotated tag, decided down to its bytes.
type Tag struct {
	Name    string    `json:"name"`
	Object  string    `json:"object"` // id of the tag object
	Commit  string    `json:"commit"`
	Message string    `json:"message"`
	Tagger  Identity  `json:"tagger"`
	Time    time.Time `json:"time"`
	// Signature ends the tag object; empty if the project signs no tags.
	Signature string `json:"signature,omitempty"`
}

// make writes the tag object and its ref into repo and returns the object's id.
func (t Tag) make(ctx context.Context, repo *git.Repository) (string, error) {
	return repo.CreateTag(ctx, t.object())
}

func (t Tag) object() git.NewTag {
	return git.NewTag{Name: t.Name, Commit: t.Commit, Message: t.Message, Signature: t.Signature,
		Tagger: git.Person{Name: t.Tagger.Name, Email: t.Tagger.Email, Time: t.Time}}
}

// makeTags makes the tags in the run's own repository, and signs them where the
// project wants that. Their time is that of the run, so that making them again
// gives the same objects; a signature, which would not be the same twice, is kept
// with the tag.
func (s *Service) makeTags(ctx context.Context, p Plan) ([]Tag, error) {
	repo, err := s.workspace(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.tagKey(ctx, p.Project)
	if err != nil {
		return nil, err
	}
	var tags []Tag
	for _, v := range p.Versions {
		t := Tag{Name: v.String(), Commit: p.Commit, Message: p.Project.Name + " " + v.String(),
			Tagger: p.Project.Tagger, Time: flow.Current(ctx).CreatedAt.UTC()}
		if key != nil {
			t.Signature, err = repo.SignTag(ctx, t.object(), key)
		}
		if err == nil {
			t.Object, err = t.make(ctx, repo)
		}
		if errors.Is(err, git.ErrRejected) {
			return nil, flow.Permanent(fmt.Errorf("version %s was tagged meanwhile: plan the release anew: %w", v, err))
		}
		if err != nil {
			return nil, fmt.Errorf("making the tag %s: %w", v, err)
		}
		flow.Logf(ctx, "tag %s is object %s, %s", t.Name, t.Object, map[bool]string{true: "signed", false: "not signed"}[key != nil])
		tags = append(tags, t)
	}
	return tags, nil
}

// clearFolder takes a folder away. Compilers that a killed process had started
// may write below it for a while: it is set aside first, so that neither are
// they in the way nor is what they do mixed with what is made now.
func clearFolder(dir string) error {
	aside, err := os.MkdirTemp(filepath.Dir(dir), ".abandoned-")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nor is there anything in it
	}
	if err != nil {
		return fmt.Errorf("clearing %s: %w", dir, err)
	}
	if err := os.Rename(dir, filepath.Join(aside, "folder")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clearing %s: %w", dir, err)
	}
	// What is written while it is removed goes with the folder of the run.
	_ = os.RemoveAll(aside)
	return nil
}
