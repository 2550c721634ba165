package cut_test

import (
	"strings"
	"testing"

	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// repository opens the repository at the forge.
func (p *place) repository(t *testing.T) *git.Repository {
	t.Helper()
	repo, err := git.Open(t.Context(), p.forge.origin)
	must(t, err)
	return repo
}

// commit puts somebody else's commit on top of a revision.
func commitUpon(t *testing.T, repo *git.Repository, rev string) string {
	t.Helper()
	sha, err := repo.CommitTree(t.Context(), git.NewCommit{Tree: rev + "^{tree}", Parents: []string{rev}, Message: "Ben was here\n",
		Author: git.Person{Name: "Ben", Email: "ben@harbour.example", Time: began}})
	must(t, err)
	return sha
}

// What somebody else does between stage and cut either does not matter, as the
// commit is pinned, or stops the cut before the first thing is public.
func TestSomebodyElseInBetween(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does func(t *testing.T, p *place, repo *git.Repository, tip string)
		want string // in the error; empty: it is released
	}{
		"main moves on": {func(t *testing.T, _ *place, repo *git.Repository, tip string) {
			must(t, repo.UpdateRef(t.Context(), "refs/heads/main", commitUpon(t, repo, tip), tip))
		}, ""},
		"main is rewritten": {func(t *testing.T, _ *place, repo *git.Repository, tip string) {
			before, err := repo.Resolve(t.Context(), tip+"~1")
			must(t, err)
			must(t, repo.UpdateRef(t.Context(), "refs/heads/main", commitUpon(t, repo, before), tip))
		}, "it was rewritten to"},
		"the second tag is taken": {func(t *testing.T, _ *place, repo *git.Repository, tip string) {
			must(t, repo.UpdateRef(t.Context(), "refs/tags/v0.2.0-alpha.0", tip, git.ZeroSHA))
		}, "a tag is never moved"},
		"the branch begins elsewhere": {func(t *testing.T, _ *place, repo *git.Repository, tip string) {
			before, err := repo.Resolve(t.Context(), tip+"~1")
			must(t, err)
			must(t, repo.UpdateRef(t.Context(), "refs/heads/release-0.1", commitUpon(t, repo, before), git.ZeroSHA))
		}, "release-0.1"},
		"a page of that version is public": {func(t *testing.T, p *place, _ *git.Repository, _ string) {
			r, err := p.forge.CreateRelease(t.Context(), halyard, forge.NewRelease{Tag: "v0.1.0-rc.0"})
			must(t, err)
			if r.Draft {
				t.Fatal("a draft")
			}
			p.forge.log = nil
		}, "has a public page already"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			s := newService(t, p.options(&flow.Memory{}))
			build := staged(t, s, stageRC())
			repo := p.repository(t)
			tip, err := repo.Resolve(t.Context(), "refs/heads/main")
			must(t, err)
			c.does(t, p, repo, tip)
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
			must(t, err)
			state, err := s.Drive(t.Context(), run.ID, flow.DriveOptions{})
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				nothingPublic(t, p)
				return
			}
			if err != nil || state != flow.Succeeded {
				t.Fatalf("the cut is %s: %v", state, err)
			}
			if released, err := repo.Resolve(t.Context(), "refs/tags/v0.1.0-rc.0"); err != nil || released != tip {
				t.Errorf("released is %s, %v, and staged was %s", released, err, tip)
			}
		})
	}
}

// Somebody moves or rewrites the branch at every step of a cut from a release
// branch: it is released as it was staged, or stops; nothing is ever forced.
func TestBranchMovesWhileItIsCut(t *testing.T) {
	t.Parallel()
	first := newService(t, newPlace(t).options(&flow.Memory{}))
	for i, step := range first.Definitions()[1].Steps() {
		if step.Approval || testing.Short() && i%5 != 2 {
			continue
		}
		t.Run(step.Name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			o := p.options(&flow.Memory{})
			s := newService(t, o)
			build := staged(t, s, cut.StageRequest{Repo: halyard, Branch: "main", Kind: release.Alpha, Actor: "ada"})
			repo, theirs := p.repository(t), ""
			staged, err := repo.Resolve(t.Context(), "refs/heads/main")
			must(t, err)
			o.Engine.Boundary = func(point string) {
				if point == "before attempt "+step.Name && theirs == "" {
					tip, err := repo.Resolve(t.Context(), "refs/heads/main")
					must(t, err)
					theirs = commitUpon(t, repo, tip)
					must(t, repo.UpdateRef(t.Context(), "refs/heads/main", theirs, tip))
				}
			}
			run, err := s.Cut(t.Context(), cut.CutRequest{Repo: halyard, BuildVersion: build, Actor: "ada"})
			must(t, err)
			drive(t, s, run.ID, flow.Succeeded)
			if released, err := repo.Resolve(t.Context(), "refs/tags/v0.1.0-alpha.1"); err != nil || released != staged {
				t.Errorf("released is %s, %v, and staged was %s", released, err, staged)
			}
			tip, err := repo.Resolve(t.Context(), "refs/heads/main")
			must(t, err)
			if in, err := repo.IsAncestor(t.Context(), theirs, tip); err != nil || !in {
				t.Errorf("what somebody pushed is lost: %v", err)
			}
		})
	}
}
