package local

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"seaworthy/git"
)

func (f *Forge) contentRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/contents/{path...}", canRead, (*call).getContents},
		{"PUT /repos/{owner}/{repo}/contents/{path...}", canWrite, (*call).putContents},
		{"DELETE /repos/{owner}/{repo}/contents/{path...}", canWrite, (*call).putContents},
		{"GET /repos/{owner}/{repo}/readme", canRead, (*call).getReadme},
	}
}

// wireEntry is a file or folder.
type wireEntry struct {
	Type        string      `json:"type"` // file, dir, symlink, submodule
	Encoding    string      `json:"encoding,omitempty"`
	Size        int64       `json:"size"`
	Name        string      `json:"name"`
	Path        string      `json:"path"`
	Content     *string     `json:"content,omitempty"`
	SHA         string      `json:"sha"`
	URL         string      `json:"url"`
	GitURL      string      `json:"git_url"`
	HTMLURL     string      `json:"html_url"`
	DownloadURL *string     `json:"download_url"`
	Entries     []wireEntry `json:"entries,omitempty"`
	Links       entryLinks  `json:"_links"`
}

type entryLinks struct {
	Self string `json:"self"`
	Git  string `json:"git"`
	HTML string `json:"html"`
}

var entryTypes = map[string]string{"100644": "file", "100755": "file", "120000": "symlink", "040000": "dir", "160000": "submodule"}

// cleanPath checks a path inside a repository: no empty, "." or ".." part and
// nothing of git's own.
func cleanPath(p string) (string, error) {
	p = strings.TrimSuffix(p, "/")
	if p == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.ContainsAny(part, "\x00\n\\") {
			return "", invalid("Content", "path", "invalid", "path contains a malformed path component")
		}
	}
	return p, nil
}

// rev resolves the ref parameter, by default the default branch, to a commit.
func (c *call) rev(ref string) (string, error) {
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	return c.resolve(ref)
}

// resolve finds the commit of a branch, a tag, a full ref or an id. A branch
// comes before a tag of the same name.
func (c *call) resolve(ref string) (string, error) {
	if strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " ~^:?*[\\\x00") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") {
		return "", fmt.Errorf("%q: %w", ref, git.ErrNotFound)
	}
	candidates := []string{"refs/heads/" + ref, "refs/tags/" + ref, ref}
	if strings.HasPrefix(ref, "refs/") {
		candidates = []string{ref}
	} else if strings.HasPrefix(ref, "heads/") || strings.HasPrefix(ref, "tags/") || strings.HasPrefix(ref, "pull/") {
		candidates = append(candidates, "refs/"+ref)
	}
	var err error
	for _, name := range candidates {
		var sha string
		if sha, err = c.git().Resolve(c.ctx(), name); err == nil {
			return sha, nil
		}
		if !errors.Is(err, git.ErrNotFound) {
			return "", err
		}
	}
	return "", err
}

func (c *call) getContents() error {
	p, err := cleanPath(c.path("path"))
	if err != nil {
		return err
	}
	ref := c.query("ref")
	if ref == "" {
		ref = c.repo.DefaultBranch
	}
	sha, err := c.rev(ref)
	if err != nil {
		return fail(http.StatusNotFound, "No commit found for the ref %s", ref)
	}
	if p == "" {
		return c.folder(sha, ref, "")
	}
	entry, err := c.entry(sha, p)
	if err != nil {
		return err
	}
	if entry.Type == "tree" {
		return c.folder(sha, ref, p)
	}
	w := c.wireEntry(entry, ref)
	if entry.Type == "commit" {
		return c.json(http.StatusOK, w)
	}
	content, err := c.git().Git(c.ctx(), "cat-file", "blob", entry.SHA)
	if err != nil {
		return err
	}
	if c.wants("raw") {
		return c.bytes(http.StatusOK, "application/vnd.github.raw; charset=utf-8", []byte(content))
	}
	w.Encoding = "base64"
	text := wrap64([]byte(content))
	w.Content = &text
	return c.json(http.StatusOK, w)
}

// entry finds one path of a commit.
func (c *call) entry(sha, p string) (git.Entry, error) {
	entries, err := c.git().Tree(c.ctx(), sha, path.Dir("/" + p)[1:], false)
	if err != nil {
		return git.Entry{}, err
	}
	for _, e := range entries {
		if e.Path == p {
			return e, nil
		}
	}
	return git.Entry{}, notFound()
}

// folder answers with the entries of a folder.
func (c *call) folder(sha, ref, p string) error {
	entries, err := c.git().Tree(c.ctx(), sha, p, false)
	if err != nil {
		return err
	}
	all := make([]wireEntry, 0, len(entries))
	for _, e := range entries {
		all = append(all, c.wireEntry(e, ref))
	}
	if !c.wants("object") {
		return c.json(http.StatusOK, all)
	}
	tree, err := c.git().ResolveObject(c.ctx(), sha+":"+p)
	if err != nil {
		return err
	}
	w := c.wireEntry(git.Entry{Mode: "040000", Type: "tree", SHA: tree, Path: p}, ref)
	w.Entries = all
	return c.json(http.StatusOK, w)
}

func (c *call) wireEntry(e git.Entry, ref string) wireEntry {
	p := escapePath(e.Path)
	kind, store := "blobs", "blob"
	if e.Type == "tree" {
		kind, store = "trees", "tree"
	}
	w := wireEntry{Type: entryTypes[e.Mode], Size: e.Size, Name: path.Base("/" + e.Path), Path: e.Path, SHA: e.SHA,
		URL:    c.f.repoAPI(c.repo, "/contents/%s?ref=%s", p, ref),
		GitURL: c.f.repoAPI(c.repo, "/git/%s/%s", kind, e.SHA), HTMLURL: c.f.repoHTML(c.repo, "/%s/%s/%s", store, escapePath(ref), p)}
	if e.Path == "" {
		w.Name = ""
	}
	if e.Type == "blob" {
		// The raw media type is asked for by a parameter of our own, so that
		// the address works in a plain download.
		d := c.f.repoAPI(c.repo, "/git/blobs/%s?raw=1", e.SHA)
		w.DownloadURL = &d
	}
	w.Links = entryLinks{w.URL, w.GitURL, w.HTMLURL}
	return w
}

// wrap64 is base64 in lines of 60, as GitHub writes it.
func wrap64(b []byte) string {
	s := base64.StdEncoding.EncodeToString(b)
	var out strings.Builder
	for len(s) > 60 {
		out.WriteString(s[:60] + "\n")
		s = s[60:]
	}
	if s != "" {
		out.WriteString(s + "\n")
	}
	return out.String()
}

func (c *call) getReadme() error {
	sha, err := c.rev(c.query("ref"))
	if err != nil {
		return err
	}
	entries, err := c.git().Tree(c.ctx(), sha, "", false)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type == "blob" && strings.HasPrefix(strings.ToLower(e.Path), "readme") {
			c.r.SetPathValue("path", e.Path)
			return c.getContents()
		}
	}
	return notFound()
}

// fileRequest is a change of one file.
type fileRequest struct {
	Message   string       `json:"message"`
	Content   *string      `json:"content"`
	SHA       string       `json:"sha"` // of the blob that is replaced
	Branch    string       `json:"branch"`
	Author    *gitIdentity `json:"author"`
	Committer *gitIdentity `json:"committer"`
}

// gitIdentity is an author given in a request.
type gitIdentity struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

// person completes an identity with what was not given.
func (i *gitIdentity) person(otherwise git.Person) git.Person {
	if i == nil {
		return otherwise
	}
	p := git.Person{Name: i.Name, Email: i.Email, Time: otherwise.Time}
	if i.Date != nil {
		p.Time = *i.Date
	}
	return p
}

func (in *fileRequest) read(c *call) (content []byte, err error) {
	if err := c.decode(in); err != nil {
		return nil, err
	}
	if c.r.Method == http.MethodDelete {
		if in.SHA == "" { // some clients send a DELETE's fields in the query
			in.SHA, in.Message, in.Branch = c.query("sha"), c.query("message"), c.query("branch")
		}
		if in.SHA == "" {
			return nil, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
		}
	} else if in.Content == nil {
		return nil, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"content\" wasn't supplied.")
	} else if content, err = base64.StdEncoding.DecodeString(strings.ReplaceAll(*in.Content, "\n", "")); err != nil {
		return nil, fail(http.StatusUnprocessableEntity, "content is not valid Base64")
	}
	if in.Message == "" {
		return nil, fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"message\" wasn't supplied.")
	}
	if in.Branch == "" {
		in.Branch = c.repo.DefaultBranch
	}
	in.Branch = strings.TrimPrefix(in.Branch, "refs/heads/")
	return content, nil
}

// putContents creates, changes or (as DELETE) removes one file by a commit.
func (c *call) putContents() error {
	p, err := cleanPath(c.path("path"))
	if err != nil {
		return err
	}
	if p == "" {
		return fail(http.StatusUnprocessableEntity, "path is missing")
	}
	var in fileRequest
	content, err := in.read(c)
	if err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	status, tip, mode, err := c.fileCondition(p, in)
	if err != nil {
		return err
	}
	edit := git.FileEdit{Path: p, Content: content, Mode: mode, Delete: c.r.Method == http.MethodDelete}
	commit, err := c.commitEdit(in, tip, edit)
	if err != nil {
		return err
	}
	var out struct {
		Content *wireEntry    `json:"content"`
		Commit  wireGitCommit `json:"commit"`
	}
	if !edit.Delete {
		e, err := c.entry(commit.SHA, p)
		if err != nil {
			return err
		}
		w := c.wireEntry(e, in.Branch)
		out.Content = &w
	}
	out.Commit = c.f.gitCommit(c.repo, commit)
	return c.json(status, out)
}

// fileCondition checks that the file is as the caller believes. It returns the
// status of a success, the branch's tip and the file's mode.
func (c *call) fileCondition(p string, in fileRequest) (status int, tip, mode string, err error) {
	if r, err := c.ruleFor(in.Branch); err != nil {
		return 0, "", "", err
	} else if r.closed {
		return 0, "", "", fail(http.StatusConflict, "Could not update file: the branch %s is protected; change another branch and open a pull request.", in.Branch)
	}
	tip, err = c.git().Resolve(c.ctx(), "refs/heads/"+in.Branch)
	if errors.Is(err, git.ErrNotFound) {
		refs, err := c.git().Refs(c.ctx(), "refs/heads")
		if err != nil {
			return 0, "", "", err
		}
		if len(refs) > 0 || c.r.Method == http.MethodDelete {
			return 0, "", "", fail(http.StatusNotFound, "Branch %s not found", in.Branch)
		}
		return http.StatusCreated, "", "", nil // the first file of an empty repository
	}
	if err != nil {
		return 0, "", "", err
	}
	have, err := c.entry(tip, p)
	var absent *apiError
	switch {
	case errors.As(err, &absent) && c.r.Method == http.MethodDelete:
		return 0, "", "", notFound()
	case errors.As(err, &absent):
		return http.StatusCreated, tip, "", c.below(tip, p)
	case err != nil:
		return 0, "", "", err
	case have.Type != "blob":
		return 0, "", "", fail(http.StatusUnprocessableEntity, "%s is not a file", p)
	case in.SHA == "":
		return 0, "", "", fail(http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
	case in.SHA != have.SHA:
		return 0, "", "", fail(http.StatusConflict, "%s does not match %s", p, in.SHA)
	}
	return http.StatusOK, tip, have.Mode, nil
}

// below refuses a path that leads through a file: git would put a folder in
// its place.
func (c *call) below(tip, p string) error {
	for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
		kind, err := c.git().Git(c.ctx(), "cat-file", "-t", tip+":"+dir)
		if err == nil && strings.TrimSpace(kind) != "tree" {
			return fail(http.StatusUnprocessableEntity, "%s is a file, so nothing can be below it", dir)
		}
		var absent *git.Error
		if err != nil && !errors.As(err, &absent) {
			return err
		}
	}
	return nil
}

// commitEdit commits one edit to a branch, and announces it.
func (c *call) commitEdit(in fileRequest, tip string, edit git.FileEdit) (git.Commit, error) {
	g := c.git()
	tree, err := g.EditTree(c.ctx(), tip, []git.FileEdit{edit})
	if err != nil {
		return git.Commit{}, fmt.Errorf("writing %s: %w", edit.Path, err)
	}
	n := git.NewCommit{Tree: tree, Message: in.Message, Committer: in.Committer.person(c.person())}
	n.Author = in.Author.person(n.Committer)
	old := git.ZeroSHA
	if tip != "" {
		n.Parents, old = []string{tip}, tip
	}
	sha, err := g.CommitTree(c.ctx(), n)
	if err != nil {
		return git.Commit{}, err
	}
	if err := g.UpdateRef(c.ctx(), "refs/heads/"+in.Branch, sha, old); err != nil {
		return git.Commit{}, err
	}
	if err := c.f.settle(c.ctx(), c.repo, c.user.Login); err != nil {
		return git.Commit{}, err
	}
	return oneCommit(c.ctx(), g, sha)
}
