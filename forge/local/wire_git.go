package local

import (
	"context"
	"net/url"
	"strings"
	"time"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

type wireSignature struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	Date  stamp  `json:"date"`
}

func signature(p git.Person) wireSignature { return wireSignature{p.Name, p.Email, stamp(p.Time)} }

// wireSHA is an object and where to get it.
type wireSHA struct {
	SHA string `json:"sha"`
	URL string `json:"url"`
}

type wireParent struct {
	SHA     string `json:"sha"`
	URL     string `json:"url"`
	HTMLURL string `json:"html_url"`
}

type wireVerification struct {
	Verified   bool    `json:"verified"`
	Reason     string  `json:"reason"`
	Signature  *string `json:"signature"`
	Payload    *string `json:"payload"`
	VerifiedAt *stamp  `json:"verified_at"`
}

var unsigned = wireVerification{Reason: "unsigned"}

// wireGitCommit is a commit of the git database.
type wireGitCommit struct {
	SHA          string           `json:"sha"`
	NodeID       string           `json:"node_id"`
	URL          string           `json:"url"`
	HTMLURL      string           `json:"html_url"`
	Author       wireSignature    `json:"author"`
	Committer    wireSignature    `json:"committer"`
	Tree         wireSHA          `json:"tree"`
	Message      string           `json:"message"`
	Parents      []wireParent     `json:"parents"`
	Verification wireVerification `json:"verification"`
}

// wireCommit is a commit with the accounts behind it.
type wireCommit struct {
	SHA         string       `json:"sha"`
	NodeID      string       `json:"node_id"`
	Commit      commitDetail `json:"commit"`
	URL         string       `json:"url"`
	HTMLURL     string       `json:"html_url"`
	CommentsURL string       `json:"comments_url"`
	Author      *wireUser    `json:"author"`
	Committer   *wireUser    `json:"committer"`
	Parents     []wireParent `json:"parents"`
	Stats       *commitStats `json:"stats,omitempty"`
	Files       []wireFile   `json:"files,omitempty"`
}

type commitDetail struct {
	Author       wireSignature    `json:"author"`
	Committer    wireSignature    `json:"committer"`
	Message      string           `json:"message"`
	Tree         wireSHA          `json:"tree"`
	URL          string           `json:"url"`
	CommentCount int              `json:"comment_count"`
	Verification wireVerification `json:"verification"`
}

type commitStats struct {
	Total     int `json:"total"`
	Additions int `json:"additions"`
	Deletions int `json:"deletions"`
}

// wireFile is one file of a change.
type wireFile struct {
	SHA              *string `json:"sha"`
	Filename         string  `json:"filename"`
	Status           string  `json:"status"`
	Additions        int     `json:"additions"`
	Deletions        int     `json:"deletions"`
	Changes          int     `json:"changes"`
	BlobURL          string  `json:"blob_url"`
	RawURL           string  `json:"raw_url"`
	ContentsURL      string  `json:"contents_url"`
	Patch            string  `json:"patch,omitempty"`
	PreviousFilename string  `json:"previous_filename,omitempty"`
}

func (f *Forge) gitCommit(r hosted.Repo, c git.Commit) wireGitCommit {
	return wireGitCommit{SHA: c.SHA, NodeID: nodeID("Commit", c.SHA), URL: f.repoAPI(r, "/git/commits/%s", c.SHA),
		HTMLURL: f.repoHTML(r, "/commit/%s", c.SHA), Author: signature(c.Author), Committer: signature(c.Committer),
		Tree: wireSHA{c.Tree, f.repoAPI(r, "/git/trees/%s", c.Tree)}, Message: c.Message,
		Parents: f.parents(r, c, "/git/commits/%s"), Verification: unsigned}
}

func (f *Forge) parents(r hosted.Repo, c git.Commit, address string) []wireParent {
	out := make([]wireParent, 0, len(c.Parents))
	for _, p := range c.Parents {
		out = append(out, wireParent{p, f.repoAPI(r, address, p), f.repoHTML(r, "/commit/%s", p)})
	}
	return out
}

// commit renders a commit, without its files.
func (v *view) commit(ctx context.Context, r hosted.Repo, c git.Commit) (*wireCommit, error) {
	author, err := v.userByEmail(ctx, c.Author.Email)
	if err != nil {
		return nil, err
	}
	committer, err := v.userByEmail(ctx, c.Committer.Email)
	if err != nil {
		return nil, err
	}
	f := v.f
	return &wireCommit{
		SHA: c.SHA, NodeID: nodeID("Commit", c.SHA), URL: f.repoAPI(r, "/commits/%s", c.SHA), HTMLURL: f.repoHTML(r, "/commit/%s", c.SHA),
		CommentsURL: f.repoAPI(r, "/commits/%s/comments", c.SHA), Author: author, Committer: committer, Parents: f.parents(r, c, "/commits/%s"),
		Commit: commitDetail{Author: signature(c.Author), Committer: signature(c.Committer), Message: c.Message,
			Tree: wireSHA{c.Tree, f.repoAPI(r, "/git/trees/%s", c.Tree)}, URL: f.repoAPI(r, "/git/commits/%s", c.SHA), Verification: unsigned},
	}, nil
}

// escapePath makes a path of a repository part of an address.
func escapePath(p string) string {
	parts := strings.Split(p, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}

// oneCommit reads one commit.
func oneCommit(ctx context.Context, r *git.Repository, rev string) (git.Commit, error) {
	sha, err := r.Resolve(ctx, rev)
	if err != nil {
		return git.Commit{}, err
	}
	log, err := r.Log(ctx, sha, git.LogOptions{Max: 1})
	if err != nil {
		return git.Commit{}, err
	}
	return log[0], nil
}

// wirePushCommit is a commit in a push event.
type wirePushCommit struct {
	ID        string     `json:"id"`
	TreeID    string     `json:"tree_id"`
	Distinct  bool       `json:"distinct"`
	Message   string     `json:"message"`
	Timestamp stamp      `json:"timestamp"`
	URL       string     `json:"url"`
	Author    wirePusher `json:"author"`
	Committer wirePusher `json:"committer"`
	Added     []string   `json:"added"`
	Removed   []string   `json:"removed"`
	Modified  []string   `json:"modified"`
}

type wirePusher struct {
	Name     string     `json:"name"`
	Email    *string    `json:"email"`
	Date     *time.Time `json:"date,omitempty"`
	Username string     `json:"username,omitempty"`
}

func (v *view) pusher(ctx context.Context, p git.Person) (wirePusher, error) {
	u, err := v.userByEmail(ctx, p.Email)
	w := wirePusher{Name: p.Name, Email: &p.Email}
	if u != nil {
		w.Username = u.Login
	}
	return w, err
}
