package local

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/store/hosted"
)

type wirePull struct {
	wireTalk
	DiffURL            string      `json:"diff_url"`
	PatchURL           string      `json:"patch_url"`
	IssueURL           string      `json:"issue_url"`
	CommitsURL         string      `json:"commits_url"`
	ReviewCommentsURL  string      `json:"review_comments_url"`
	ReviewCommentURL   string      `json:"review_comment_url"`
	StatusesURL        string      `json:"statuses_url"`
	MergedAt           *stamp      `json:"merged_at"`
	MergeCommitSHA     *string     `json:"merge_commit_sha"`
	RequestedReviewers []*wireUser `json:"requested_reviewers"`
	RequestedTeams     []struct{}  `json:"requested_teams"`
	Head               wireSide    `json:"head"`
	Base               wireSide    `json:"base"`
	Links              pullLinks   `json:"_links"`
	AutoMerge          *struct{}   `json:"auto_merge"`
	Draft              bool        `json:"draft"`
}

type wireSide struct {
	Label string    `json:"label"`
	Ref   string    `json:"ref"`
	SHA   string    `json:"sha"`
	User  *wireUser `json:"user"`
	Repo  *wireRepo `json:"repo"`
}

type pullLinks struct {
	Self           wireLink `json:"self"`
	HTML           wireLink `json:"html"`
	Issue          wireLink `json:"issue"`
	Comments       wireLink `json:"comments"`
	ReviewComments wireLink `json:"review_comments"`
	ReviewComment  wireLink `json:"review_comment"`
	Commits        wireLink `json:"commits"`
	Statuses       wireLink `json:"statuses"`
}

// wirePullFull adds what only one pull request asked for by number tells.
type wirePullFull struct {
	wirePull
	Merged              bool      `json:"merged"`
	Mergeable           *bool     `json:"mergeable"`
	Rebaseable          *bool     `json:"rebaseable"`
	MergeableState      string    `json:"mergeable_state"`
	MergedBy            *wireUser `json:"merged_by"`
	Comments            int       `json:"comments"`
	ReviewComments      int       `json:"review_comments"`
	MaintainerCanModify bool      `json:"maintainer_can_modify"`
	pullStats
}

// pullStats count what a pull request changes.
type pullStats struct {
	Commits      int      `json:"commits"`
	Additions    int      `json:"additions"`
	Deletions    int      `json:"deletions"`
	ChangedFiles int      `json:"changed_files"`
	ids          []string // of the commits
}

func (v *view) pull(ctx context.Context, r hosted.Repo, p hosted.Issue) (wirePull, error) {
	t, err := v.talk(ctx, r, p)
	if err != nil {
		return wirePull{}, err
	}
	f := v.f
	u, h := f.repoAPI(r, "/pulls/%d", p.Number), f.repoHTML(r, "/pull/%d", p.Number)
	t.URL, t.HTMLURL = u, h
	w := wirePull{wireTalk: t, DiffURL: h + ".diff", PatchURL: h + ".patch", IssueURL: f.repoAPI(r, "/issues/%d", p.Number),
		CommitsURL: u + "/commits", ReviewCommentsURL: u + "/comments", ReviewCommentURL: f.repoAPI(r, "/pulls/comments{/number}"),
		StatusesURL: f.repoAPI(r, "/statuses/%s", p.HeadSHA), MergedAt: maybe(p.MergedAt), MergeCommitSHA: text(p.TestSHA),
		RequestedTeams: []struct{}{}, Draft: p.Draft}
	if p.Merged {
		w.MergeCommitSHA = text(p.MergeSHA)
	}
	w.Links = pullLinks{wireLink{u}, wireLink{h}, wireLink{w.IssueURL}, wireLink{t.CommentsURL}, wireLink{w.ReviewCommentsURL},
		wireLink{w.ReviewCommentURL}, wireLink{w.CommitsURL}, wireLink{w.StatusesURL}}
	reviewers, err := v.q.People(ctx, p.ID, hosted.Reviewer)
	if err != nil {
		return w, err
	}
	if w.RequestedReviewers, err = v.usersOf(ctx, reviewers); err != nil {
		return w, err
	}
	if w.Base, err = v.side(ctx, r, p.Base, p.BaseSHA); err != nil {
		return w, err
	}
	from := r
	if p.HeadRepoID != r.ID {
		from, err = v.q.RepoByID(ctx, p.HeadRepoID)
		if errors.Is(err, hosted.ErrNotFound) { // the fork is gone; its commits are not
			w.Head = wireSide{Label: "unknown:" + p.Head, Ref: p.Head, SHA: p.HeadSHA, User: w.User}
			return w, nil
		}
		if err != nil {
			return w, err
		}
	}
	w.Head, err = v.side(ctx, from, p.Head, p.HeadSHA)
	return w, err
}

func (v *view) side(ctx context.Context, r hosted.Repo, branch, sha string) (wireSide, error) {
	user, err := v.user(ctx, r.Owner)
	if err != nil {
		return wireSide{}, err
	}
	repo, err := v.repo(ctx, r, canRead)
	return wireSide{r.Owner + ":" + branch, branch, sha, user, repo}, err
}

// pullFull renders a pull request as a request for it alone, and an event,
// show it.
func (v *view) pullFull(ctx context.Context, r hosted.Repo, p hosted.Issue, stats pullStats) (*wirePullFull, error) {
	simple, err := v.pull(ctx, r, p)
	if err != nil {
		return nil, err
	}
	w := &wirePullFull{wirePull: simple, Merged: p.Merged, pullStats: stats}
	if w.MergedBy, err = v.nullableUser(ctx, p.MergedBy); err != nil {
		return nil, err
	}
	if !p.Merged {
		w.MergedBy = nil
	}
	if _, w.Comments, err = v.q.Comments(ctx, r.ID, p.Number, time.Time{}, hosted.Page{Limit: 1}); err != nil {
		return nil, err
	}
	if _, w.ReviewComments, err = v.q.ReviewComments(ctx, r.ID, p.Number, 0, hosted.Page{Limit: 1}); err != nil {
		return nil, err
	}
	w.MergeableState = "unknown"
	if p.State == stateOpen && p.TestBase == p.BaseSHA && p.TestHead == p.HeadSHA {
		clean := p.TestSHA != ""
		w.Mergeable, w.Rebaseable = &clean, &clean
		w.MergeableState, err = v.mergeableState(ctx, r, p)
	}
	return w, err
}

// mergeableState sums up what keeps a pull request from merging.
func (v *view) mergeableState(ctx context.Context, r hosted.Repo, p hosted.Issue) (string, error) {
	if p.TestSHA == "" {
		return "dirty", nil
	}
	if p.Draft {
		return "draft", nil
	}
	missing, err := v.missingContexts(ctx, r, p)
	if err != nil {
		return "", err
	}
	if len(missing) > 0 {
		return "blocked", nil
	}
	statuses, _, err := v.q.CurrentStatuses(ctx, r.ID, p.HeadSHA, hosted.Page{})
	if err != nil {
		return "", err
	}
	for _, s := range statuses {
		if s.State != "success" {
			return "unstable", nil
		}
	}
	return "clean", nil
}

// emitPull stores a pull request's event.
func (v *view) emitPull(ctx context.Context, r hosted.Repo, p hosted.Issue, stats pullStats, sender, action string, more map[string]any) error {
	w, err := v.pullFull(ctx, r, p, stats)
	if err != nil {
		return err
	}
	payload := map[string]any{"number": p.Number, "pull_request": w}
	for k, x := range more {
		payload[k] = x
	}
	return v.emit(ctx, r, sender, forge.EventPullRequest, action, payload)
}

var shortStat = regexp.MustCompile(`(\d+) (file|insertion|deletion)`)

// pullStats counts what a pull request changes. Histories without a common
// commit are compared as they are.
func (f *Forge) pullStats(ctx context.Context, r hosted.Repo, p hosted.Issue) (pullStats, error) {
	g := f.gitRepo(r)
	base, err := pullBase(ctx, g, p)
	if err != nil {
		return pullStats{}, err
	}
	var s pullStats
	ids, err := g.Git(ctx, "rev-list", base+".."+p.HeadSHA)
	if err != nil {
		return s, err
	}
	s.ids = strings.Fields(ids)
	s.Commits = len(s.ids)
	out, err := g.Git(ctx, "diff", "--shortstat", base, p.HeadSHA)
	if err != nil {
		return s, err
	}
	for _, m := range shortStat.FindAllStringSubmatch(out, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			return s, fmt.Errorf("counting the changes of pull request %d: %w", p.Number, err)
		}
		switch m[2] {
		case "file":
			s.ChangedFiles = n
		case "insertion":
			s.Additions = n
		case "deletion":
			s.Deletions = n
		}
	}
	return s, nil
}

// pullBase returns what a pull request's changes are counted from: the common
// ancestor of its two sides. The base of a merged one is where it was before.
func pullBase(ctx context.Context, g *git.Repository, p hosted.Issue) (string, error) {
	mb, err := g.MergeBase(ctx, p.BaseSHA, p.HeadSHA)
	if errors.Is(err, git.ErrNotFound) {
		return p.BaseSHA, nil
	}
	return mb, err
}
