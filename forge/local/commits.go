package local

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

func (f *Forge) commitRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/branches", canRead, (*call).listBranches},
		{"GET /repos/{owner}/{repo}/commits", canRead, (*call).listCommits},
		{"GET /repos/{owner}/{repo}/commits/{ref...}", canRead, (*call).commitTail},
		{"GET /repos/{owner}/{repo}/compare/{basehead...}", canRead, (*call).compare},
	}
}

type wireBranch struct {
	Name          string        `json:"name"`
	Commit        any           `json:"commit"`
	Links         *branchLinks  `json:"_links,omitempty"`
	Protected     bool          `json:"protected"`
	Protection    wireProtected `json:"protection"`
	ProtectionURL string        `json:"protection_url"`
}

type branchLinks struct {
	Self string `json:"self"`
	HTML string `json:"html"`
}

// wireProtected is what a branch itself says of its protection.
type wireProtected struct {
	Enabled bool `json:"enabled"`
	Checks  struct {
		EnforcementLevel string      `json:"enforcement_level"`
		Contexts         []string    `json:"contexts"`
		Checks           []wireCheck `json:"checks"`
	} `json:"required_status_checks"`
}

func (c *call) wireBranch(name string, commit any, p *hosted.Protection) wireBranch {
	u := c.f.repoAPI(c.repo, "/branches/%s", escapePath(name))
	w := wireBranch{Name: name, Commit: commit, ProtectionURL: u + "/protection"}
	w.Protection.Checks.EnforcementLevel = "off"
	w.Protection.Checks.Contexts, w.Protection.Checks.Checks = []string{}, []wireCheck{}
	if p != nil {
		w.Protected, w.Protection.Enabled = true, true
		if p.RequireChecks {
			w.Protection.Checks.EnforcementLevel = "non_admins"
			if p.EnforceAdmins {
				w.Protection.Checks.EnforcementLevel = "everyone"
			}
			w.Protection.Checks.Contexts, w.Protection.Checks.Checks = orEmpty(p.Contexts), wireChecks(p.Contexts)
		}
	}
	return w
}

func (c *call) listBranches() error {
	refs, err := c.git().Refs(c.ctx(), "refs/heads")
	if err != nil {
		return err
	}
	rows, err := c.q.Protections(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	protected := map[string]*hosted.Protection{}
	for i, p := range rows {
		protected[p.Branch] = &rows[i]
	}
	var out []wireBranch
	for _, r := range refs {
		name := strings.TrimPrefix(r.Name, "refs/heads/")
		if want := c.query("protected"); want != "" && want != strconv.FormatBool(protected[name] != nil) {
			continue
		}
		out = append(out, c.wireBranch(name, wireSHA{r.SHA, c.f.repoAPI(c.repo, "/commits/%s", r.SHA)}, protected[name]))
	}
	return c.json(http.StatusOK, orEmpty(slice(c, out)))
}

func (c *call) getBranch(name string) error {
	commit, err := oneCommit(c.ctx(), c.git(), "refs/heads/"+name)
	if errors.Is(err, git.ErrNotFound) {
		return fail(http.StatusNotFound, "Branch not found")
	}
	if err != nil {
		return err
	}
	wc, err := c.view().commit(c.ctx(), c.repo, commit)
	if err != nil {
		return err
	}
	var protection *hosted.Protection
	if p, err := c.q.Protection(c.ctx(), c.repo.ID, name); err == nil {
		protection = &p
	} else if !errors.Is(err, hosted.ErrNotFound) {
		return err
	}
	w := c.wireBranch(name, wc, protection)
	w.Links = &branchLinks{c.f.repoAPI(c.repo, "/branches/%s", escapePath(name)), c.f.repoHTML(c.repo, "/tree/%s", escapePath(name))}
	return c.json(http.StatusOK, w)
}

// logArgs reads the filters of a commit list.
func (c *call) logArgs() ([]string, error) {
	var args []string
	for _, name := range []string{"since", "until"} {
		if v := c.query(name); v != "" {
			t, err := time.Parse(time.RFC3339, v)
			if err != nil {
				return nil, invalid("Commit", name, "invalid", "write a time like 2026-01-31T12:00:00Z")
			}
			args = append(args, "--"+name+"="+t.Format(time.RFC3339))
		}
	}
	if v := c.query("author"); v != "" {
		if a, err := c.q.Account(c.ctx(), v); err == nil && a.Email != "" {
			v = a.Email
		} else if err != nil && !errors.Is(err, hosted.ErrNotFound) {
			return nil, err
		}
		args = append(args, "--fixed-strings", "--regexp-ignore-case", "--author="+v)
	}
	return args, nil
}

func (c *call) listCommits() error {
	refs, err := c.git().Refs(c.ctx(), "refs/heads")
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		return fail(http.StatusConflict, "Git Repository is empty.")
	}
	rev, err := c.rev(c.query("sha"))
	if err != nil {
		return err
	}
	args, err := c.logArgs()
	if err != nil {
		return err
	}
	p := []string{"--"}
	if v := c.query("path"); v != "" {
		p = append(p, ":(literal)"+v)
	}
	count, err := c.git().Git(c.ctx(), append(append([]string{"rev-list", "--count"}, append(args, rev)...), p...)...)
	if err != nil {
		return err
	}
	total, err := strconv.Atoi(strings.TrimSpace(count))
	if err != nil {
		return err
	}
	c.link(total)
	page := c.sqlPage()
	var commits []git.Commit
	if len(args) == 0 {
		commits, err = c.git().Log(c.ctx(), rev, git.LogOptions{Max: page.Limit, Skip: page.Offset, Paths: p[1:]})
	} else {
		commits, err = c.filteredLog(append(append(args, rev), p...), page)
	}
	if err != nil {
		return err
	}
	v := c.view()
	return list(c, commits, func(g git.Commit) (*wireCommit, error) { return v.commit(c.ctx(), c.repo, g) })
}

// filteredLog lists a page of the commits that git rev-list finds.
func (c *call) filteredLog(args []string, page hosted.Page) ([]git.Commit, error) {
	list := []string{"rev-list", "--max-count=" + strconv.Itoa(page.Limit), "--skip=" + strconv.Itoa(page.Offset)}
	ids, err := c.git().Git(c.ctx(), append(list, args...)...)
	if err != nil {
		return nil, err
	}
	var commits []git.Commit
	for id := range strings.FieldsSeq(ids) {
		one, err := oneCommit(c.ctx(), c.git(), id)
		if err != nil {
			return nil, err
		}
		commits = append(commits, one)
	}
	return commits, nil
}

// commitTail serves everything below /commits/: the ref may have slashes, so
// what is asked of it is found from the end.
func (c *call) commitTail() error {
	ref := c.path("ref")
	tails := []struct {
		suffix string
		do     func(*call, string) error
	}{
		{"/status", (*call).combinedStatus}, {"/statuses", (*call).listStatuses}, {"/check-runs", (*call).listCheckRuns},
		{"/pulls", (*call).commitPulls}, {"/comments", func(c *call, _ string) error { return c.json(http.StatusOK, []struct{}{}) }},
	}
	for _, t := range tails {
		if base, ok := strings.CutSuffix(ref, t.suffix); ok && base != "" {
			sha, err := c.resolve(base)
			if errors.Is(err, git.ErrNotFound) {
				return fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", base)
			}
			if err != nil {
				return err
			}
			return t.do(c, sha)
		}
	}
	return c.getCommit(ref)
}

func (c *call) getCommit(ref string) error {
	sha, err := c.resolve(ref)
	if errors.Is(err, git.ErrNotFound) {
		return fail(http.StatusUnprocessableEntity, "No commit found for SHA: %s", ref)
	}
	if err != nil {
		return err
	}
	commit, err := oneCommit(c.ctx(), c.git(), sha)
	if err != nil {
		return err
	}
	if c.wants("sha") {
		return c.bytes(http.StatusOK, "application/vnd.github.sha; charset=utf-8", []byte(sha))
	}
	parent := emptyTree
	if len(commit.Parents) > 0 {
		parent = commit.Parents[0]
	}
	if c.wants("diff") || c.wants("patch") {
		return c.diffText(parent, sha, false)
	}
	w, err := c.view().commit(c.ctx(), c.repo, commit)
	if err != nil {
		return err
	}
	if w.Files, err = c.f.files(c.ctx(), c.repo, parent, sha); err != nil {
		return err
	}
	w.Stats = &commitStats{}
	for _, f := range w.Files {
		w.Stats.Additions += f.Additions
		w.Stats.Deletions += f.Deletions
	}
	w.Stats.Total = w.Stats.Additions + w.Stats.Deletions
	return c.json(http.StatusOK, w)
}

type wireComparison struct {
	URL             string        `json:"url"`
	HTMLURL         string        `json:"html_url"`
	PermalinkURL    string        `json:"permalink_url"`
	DiffURL         string        `json:"diff_url"`
	PatchURL        string        `json:"patch_url"`
	BaseCommit      *wireCommit   `json:"base_commit"`
	MergeBaseCommit *wireCommit   `json:"merge_base_commit"`
	Status          string        `json:"status"` // diverged, ahead, behind, identical
	AheadBy         int           `json:"ahead_by"`
	BehindBy        int           `json:"behind_by"`
	TotalCommits    int           `json:"total_commits"`
	Commits         []*wireCommit `json:"commits"`
	Files           []wireFile    `json:"files"`
}

// compare answers BASE...HEAD: what HEAD has that BASE has not.
func (c *call) compare() error {
	baseRef, headRef, ok := strings.Cut(c.path("basehead"), "...")
	if !ok {
		return notFound()
	}
	// OWNER:BRANCH of this repository is the branch.
	baseRef = strings.TrimPrefix(baseRef, c.repo.Owner+":")
	headRef = strings.TrimPrefix(headRef, c.repo.Owner+":")
	base, err := c.resolve(baseRef)
	if err != nil {
		return err
	}
	head, err := c.resolve(headRef)
	if err != nil {
		return err
	}
	mergeBase, err := c.git().MergeBase(c.ctx(), base, head)
	if errors.Is(err, git.ErrNotFound) {
		return fail(http.StatusNotFound, "No common ancestor between %s and %s.", baseRef, headRef)
	}
	if err != nil {
		return err
	}
	if c.wants("diff") || c.wants("patch") {
		return c.diffText(mergeBase, head, c.wants("patch"))
	}
	w, err := c.comparison(base, head, mergeBase)
	if err != nil {
		return err
	}
	w.URL = c.f.repoAPI(c.repo, "/compare/%s...%s", escapePath(baseRef), escapePath(headRef))
	w.HTMLURL = c.f.repoHTML(c.repo, "/compare/%s...%s", escapePath(baseRef), escapePath(headRef))
	w.PermalinkURL = c.f.repoHTML(c.repo, "/compare/%.7s...%.7s", base, head)
	w.DiffURL, w.PatchURL = w.HTMLURL+".diff", w.HTMLURL+".patch"
	return c.json(http.StatusOK, w)
}

func (c *call) comparison(base, head, mergeBase string) (*wireComparison, error) {
	counts, err := c.git().Git(c.ctx(), "rev-list", "--left-right", "--count", base+"..."+head)
	if err != nil {
		return nil, err
	}
	f := strings.Fields(counts)
	behind, err1 := strconv.Atoi(f[0])
	ahead, err2 := strconv.Atoi(f[1])
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	w := &wireComparison{AheadBy: ahead, BehindBy: behind, TotalCommits: ahead, Commits: []*wireCommit{}}
	switch {
	case ahead > 0 && behind > 0:
		w.Status = "diverged"
	case ahead > 0:
		w.Status = "ahead"
	case behind > 0:
		w.Status = "behind"
	default:
		w.Status = "identical"
	}
	v := c.view()
	for _, end := range []struct {
		sha string
		to  **wireCommit
	}{{base, &w.BaseCommit}, {mergeBase, &w.MergeBaseCommit}} {
		commit, err := oneCommit(c.ctx(), c.git(), end.sha)
		if err != nil {
			return nil, err
		}
		if *end.to, err = v.commit(c.ctx(), c.repo, commit); err != nil {
			return nil, err
		}
	}
	page := c.comparePage()
	commits, err := c.git().Log(c.ctx(), base+".."+head, git.LogOptions{Reverse: true})
	if err != nil {
		return nil, err
	}
	c.linkIfPaged(len(commits))
	from := min(page.Offset, len(commits))
	for _, g := range commits[from:min(from+page.Limit, len(commits))] {
		wc, err := v.commit(c.ctx(), c.repo, g)
		if err != nil {
			return nil, err
		}
		w.Commits = append(w.Commits, wc)
	}
	if n, _ := c.page(); n == 1 { // GitHub lists the files on the first page only
		w.Files, err = c.f.files(c.ctx(), c.repo, mergeBase, head)
	}
	w.Files = orEmpty(w.Files)
	return w, err
}

// comparePage is the page of a comparison's commits: 250 of them when the
// caller does not ask for pages.
func (c *call) comparePage() hosted.Page {
	if c.query("page") == "" && c.query("per_page") == "" {
		return hosted.Page{Limit: 250}
	}
	return c.sqlPage()
}

func (c *call) linkIfPaged(total int) {
	if c.query("page") != "" || c.query("per_page") != "" {
		c.link(total)
	}
}
