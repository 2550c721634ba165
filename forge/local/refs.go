package local

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"seaworthy/git"
)

func (f *Forge) refRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/git/ref/{ref...}", canRead, (*call).getRef},
		{"GET /repos/{owner}/{repo}/git/refs/{ref...}", canRead, (*call).getRef},
		{"GET /repos/{owner}/{repo}/git/matching-refs/{ref...}", canRead, (*call).matchingRefs},
		{"GET /repos/{owner}/{repo}/git/refs", canRead, (*call).matchingRefs},
		{"POST /repos/{owner}/{repo}/git/refs", canWrite, (*call).createRef},
		{"PATCH /repos/{owner}/{repo}/git/refs/{ref...}", canWrite, (*call).updateRef},
		{"DELETE /repos/{owner}/{repo}/git/refs/{ref...}", canWrite, (*call).deleteRef},
		{"GET /repos/{owner}/{repo}/git/tags/{sha}", canRead, (*call).getTag},
		{"POST /repos/{owner}/{repo}/git/tags", canWrite, (*call).createTag},
		{"GET /repos/{owner}/{repo}/git/commits/{sha}", canRead, (*call).getGitCommit},
		{"GET /repos/{owner}/{repo}/git/trees/{sha...}", canRead, (*call).getTree},
		{"GET /repos/{owner}/{repo}/git/blobs/{sha}", canRead, (*call).getBlob},
		{"GET /repos/{owner}/{repo}/tags", canRead, (*call).listTags},
	}
}

type wireRef struct {
	Ref    string     `json:"ref"`
	NodeID string     `json:"node_id"`
	URL    string     `json:"url"`
	Object wireObject `json:"object"`
}

type wireObject struct {
	SHA  string `json:"sha"`
	Type string `json:"type"`
	URL  string `json:"url"`
}

func (c *call) wireRef(r git.Ref) wireRef {
	kind := "commit"
	if r.Commit != r.SHA {
		kind = "tag"
	}
	return wireRef{Ref: r.Name, NodeID: nodeID("Ref", c.repo.FullName()+":"+r.Name), URL: c.f.repoAPI(c.repo, "/git/%s", escapePath(r.Name)),
		Object: wireObject{r.SHA, kind, c.f.repoAPI(c.repo, "/git/%ss/%s", kind, r.SHA)}}
}

// oneRef finds a ref by its full name.
func (c *call) oneRef(name string) (git.Ref, error) {
	refs, err := c.git().Refs(c.ctx(), name)
	if err != nil {
		return git.Ref{}, err
	}
	for _, r := range refs {
		if r.Name == name {
			return r, nil
		}
	}
	return git.Ref{}, notFound()
}

// refName reads the ref of a path, which GitHub writes without "refs/".
func (c *call) refName() (string, error) {
	name := "refs/" + strings.TrimPrefix(c.path("ref"), "refs/")
	if !c.validRef(name) {
		return "", notFound()
	}
	return name, nil
}

// validRef asks git whether a ref may be called that.
func (c *call) validRef(name string) bool {
	_, err := c.git().Git(c.ctx(), "check-ref-format", name)
	return err == nil && !strings.HasPrefix(name, "-")
}

func (c *call) getRef() error {
	name, err := c.refName()
	if err != nil {
		return err
	}
	r, err := c.oneRef(name)
	return answer(c, http.StatusOK, c.wireRef(r), err)
}

func (c *call) matchingRefs() error {
	prefix := "refs/" + strings.TrimPrefix(c.path("ref"), "refs/")
	refs, err := c.git().Refs(c.ctx(), "refs/heads", "refs/tags", "refs/pull")
	if err != nil {
		return err
	}
	var out []git.Ref
	for _, r := range refs {
		if strings.HasPrefix(r.Name, prefix) {
			out = append(out, r)
		}
	}
	return list(c, slice(c, out), func(r git.Ref) (wireRef, error) { return c.wireRef(r), nil })
}

func (c *call) createRef() error {
	var in struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !strings.HasPrefix(in.Ref, "refs/heads/") && !strings.HasPrefix(in.Ref, "refs/tags/") || !c.validRef(in.Ref) {
		return fail(http.StatusUnprocessableEntity, "Reference name must start with 'refs/heads/' or 'refs/tags/' and be well-formed.")
	}
	object, err := c.object(in.SHA)
	if err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	if branch, ok := strings.CutPrefix(in.Ref, "refs/heads/"); ok {
		if object, err = c.git().Resolve(c.ctx(), object); err != nil {
			return fail(http.StatusUnprocessableEntity, "A branch points at a commit; %s is none.", in.SHA)
		}
		if r, err := c.ruleFor(branch); err != nil {
			return err
		} else if r.closed {
			return fail(http.StatusUnprocessableEntity, "Cannot create this protected branch.")
		}
	}
	if err := c.git().UpdateRef(c.ctx(), in.Ref, object, git.ZeroSHA); err != nil {
		if errors.Is(err, git.ErrRejected) {
			return fail(http.StatusUnprocessableEntity, "Reference already exists")
		}
		return err
	}
	return c.moved(in.Ref, http.StatusCreated)
}

// object checks the id of an object that a ref is to point at.
func (c *call) object(sha string) (string, error) {
	if len(sha) != 40 || strings.Trim(sha, "0123456789abcdef") != "" {
		return "", fail(http.StatusUnprocessableEntity, "The sha parameter must be exactly 40 characters and contain only [0-9a-f].")
	}
	if _, err := c.git().Git(c.ctx(), "cat-file", "-e", sha); err != nil {
		return "", fail(http.StatusUnprocessableEntity, "Object does not exist")
	}
	return sha, nil
}

// moved announces what a call did to a ref, and answers with it.
func (c *call) moved(name string, status int) error {
	if err := c.f.settle(c.ctx(), c.repo, c.user.Login); err != nil {
		return err
	}
	r, err := c.oneRef(name)
	return answer(c, status, c.wireRef(r), err)
}

func (c *call) updateRef() error {
	var in struct {
		SHA   string `json:"sha"`
		Force bool   `json:"force"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	name, err := c.refName()
	if err != nil {
		return err
	}
	object, err := c.object(in.SHA)
	if err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := c.writableRef(name)
	if err != nil {
		return err
	}
	linear, err := c.git().IsAncestor(c.ctx(), old.SHA, object)
	if err != nil {
		return err
	}
	if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
		r, err := c.ruleFor(branch)
		if err != nil {
			return err
		}
		if r.closed || r.noForce && !linear {
			return fail(http.StatusUnprocessableEntity, "Cannot update this protected branch: open a pull request.")
		}
	}
	if !linear && !in.Force {
		return fail(http.StatusUnprocessableEntity, "Update is not a fast forward")
	}
	if err := c.git().UpdateRef(c.ctx(), name, object, old.SHA); err != nil {
		return err
	}
	return c.moved(name, http.StatusOK)
}

// writableRef finds a branch or tag; the others are the forge's own.
func (c *call) writableRef(name string) (git.Ref, error) {
	r, err := c.oneRef(name)
	if err != nil {
		return r, fail(http.StatusUnprocessableEntity, "Reference does not exist")
	}
	if !strings.HasPrefix(name, "refs/heads/") && !strings.HasPrefix(name, "refs/tags/") {
		return r, fail(http.StatusUnprocessableEntity, "Only branches and tags can be changed")
	}
	return r, nil
}

func (c *call) deleteRef() error {
	name, err := c.refName()
	if err != nil {
		return err
	}
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	defer unlock()
	old, err := c.writableRef(name)
	if err != nil {
		return err
	}
	if branch, ok := strings.CutPrefix(name, "refs/heads/"); ok {
		r, err := c.ruleFor(branch)
		if err != nil {
			return err
		}
		if r.noDelete {
			return fail(http.StatusUnprocessableEntity, "Cannot delete this protected branch")
		}
		if branch == c.repo.DefaultBranch {
			return fail(http.StatusUnprocessableEntity, "Cannot delete the default branch")
		}
	}
	if err := c.git().UpdateRef(c.ctx(), name, "", old.SHA); err != nil {
		return err
	}
	if err := c.f.settle(c.ctx(), c.repo, c.user.Login); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

type wireTag struct {
	NodeID       string           `json:"node_id"`
	Tag          string           `json:"tag"`
	SHA          string           `json:"sha"`
	URL          string           `json:"url"`
	Message      string           `json:"message"`
	Tagger       wireSignature    `json:"tagger"`
	Object       wireObject       `json:"object"`
	Verification wireVerification `json:"verification"`
}

func (c *call) getTag() error {
	w, err := c.tag(c.path("sha"))
	return answer(c, http.StatusOK, w, err)
}

// tag reads an annotated tag by the id of the tag object.
func (c *call) tag(sha string) (wireTag, error) {
	if _, err := c.object(sha); err != nil {
		return wireTag{}, notFound()
	}
	raw, err := c.git().Git(c.ctx(), "cat-file", "tag", sha)
	if err != nil {
		return wireTag{}, notFound()
	}
	t, ok := parseTag(raw)
	if !ok {
		return wireTag{}, notFound()
	}
	return wireTag{NodeID: nodeID("Tag", sha), Tag: t.name, SHA: sha, URL: c.f.repoAPI(c.repo, "/git/tags/%s", sha), Message: t.message,
		Tagger: signature(t.tagger), Verification: unsigned,
		Object: wireObject{t.object, t.kind, c.f.repoAPI(c.repo, "/git/%ss/%s", t.kind, t.object)}}, nil
}

func (c *call) createTag() error {
	var in struct {
		Tag     string       `json:"tag"`
		Message string       `json:"message"`
		Object  string       `json:"object"`
		Type    string       `json:"type"`
		Tagger  *gitIdentity `json:"tagger"`
	}
	if err := c.decode(&in); err != nil {
		return err
	}
	if !c.validRef("refs/tags/" + in.Tag) {
		return fail(http.StatusUnprocessableEntity, "%q is not a valid tag name", in.Tag)
	}
	if in.Type == "" {
		in.Type = "commit"
	}
	object, err := c.object(in.Object)
	if err != nil {
		return err
	}
	text := tagText(annotated{object: object, kind: in.Type, name: in.Tag, tagger: in.Tagger.person(c.person()), message: in.Message})
	var out strings.Builder
	if err := c.git().Stream(c.ctx(), strings.NewReader(text), &out, "mktag"); err != nil {
		return fail(http.StatusUnprocessableEntity, "The tag is not well-formed")
	}
	w, err := c.tag(strings.TrimSpace(out.String()))
	return answer(c, http.StatusCreated, w, err)
}

func (c *call) getGitCommit() error {
	if _, err := c.object(c.path("sha")); err != nil {
		return notFound()
	}
	commit, err := oneCommit(c.ctx(), c.git(), c.path("sha"))
	return answer(c, http.StatusOK, c.f.gitCommit(c.repo, commit), err)
}

type wireTree struct {
	SHA       string          `json:"sha"`
	URL       string          `json:"url"`
	Truncated bool            `json:"truncated"`
	Tree      []wireTreeEntry `json:"tree"`
}

type wireTreeEntry struct {
	Path string `json:"path"`
	Mode string `json:"mode"`
	Type string `json:"type"`
	SHA  string `json:"sha"`
	Size *int64 `json:"size,omitempty"`
	URL  string `json:"url,omitempty"`
}

func (c *call) getTree() error {
	rev := c.path("sha")
	// A tree is named by its own id, or by anything that names a commit.
	tree, err := c.object(rev)
	if err != nil {
		if tree, err = c.resolve(rev); err != nil {
			return err
		}
	}
	if tree, err = c.git().ResolveObject(c.ctx(), tree+"^{tree}"); err != nil {
		return err
	}
	entries, err := c.git().Tree(c.ctx(), tree, "", c.query("recursive") != "")
	if err != nil {
		return err
	}
	out := wireTree{SHA: tree, URL: c.f.repoAPI(c.repo, "/git/trees/%s", tree), Tree: []wireTreeEntry{}}
	for _, e := range entries {
		w := wireTreeEntry{Path: e.Path, Mode: e.Mode, Type: e.Type, SHA: e.SHA}
		if e.Type == "blob" {
			w.Size = &e.Size
		}
		if e.Type != "commit" {
			w.URL = c.f.repoAPI(c.repo, "/git/%ss/%s", e.Type, e.SHA)
		}
		out.Tree = append(out.Tree, w)
	}
	return c.json(http.StatusOK, out)
}

func (c *call) getBlob() error {
	sha, err := c.object(c.path("sha"))
	if err != nil {
		return notFound()
	}
	content, err := c.git().Git(c.ctx(), "cat-file", "blob", sha)
	if err != nil {
		return notFound()
	}
	if c.wants("raw") || c.query("raw") != "" {
		return c.bytes(http.StatusOK, "application/octet-stream", []byte(content))
	}
	return c.json(http.StatusOK, struct {
		SHA      string `json:"sha"`
		NodeID   string `json:"node_id"`
		Size     int    `json:"size"`
		URL      string `json:"url"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
	}{sha, nodeID("Blob", sha), len(content), c.f.repoAPI(c.repo, "/git/blobs/%s", sha), base64.StdEncoding.EncodeToString([]byte(content)), "base64"})
}

func (c *call) listTags() error {
	refs, err := c.git().Refs(c.ctx(), "refs/tags")
	if err != nil {
		return err
	}
	type wireTagRef struct {
		Name       string  `json:"name"`
		Commit     wireSHA `json:"commit"`
		ZipballURL string  `json:"zipball_url"`
		TarballURL string  `json:"tarball_url"`
		NodeID     string  `json:"node_id"`
	}
	for i, j := 0, len(refs)-1; i < j; i, j = i+1, j-1 {
		refs[i], refs[j] = refs[j], refs[i]
	}
	return list(c, slice(c, refs), func(r git.Ref) (wireTagRef, error) {
		name := strings.TrimPrefix(r.Name, "refs/tags/")
		return wireTagRef{name, wireSHA{r.Commit, c.f.repoAPI(c.repo, "/commits/%s", r.Commit)}, c.f.repoAPI(c.repo, "/zipball/refs/tags/%s", escapePath(name)),
			c.f.repoAPI(c.repo, "/tarball/refs/tags/%s", escapePath(name)), nodeID("Ref", c.repo.FullName()+":"+r.Name)}, nil
	})
}
