package local

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"seaworthy/git"
	"seaworthy/store/hosted"
)

// maxPush bounds what one push may send, and maxWants what one fetch may ask.
const (
	maxPush  = 8 << 30
	maxWants = 64 << 20
)

// Git's smart HTTP: https://git-scm.com/docs/http-protocol
func (f *Forge) siteRoutes() []route {
	return []route{
		{"GET /{owner}/{repo}/info/refs", canRead, (*call).advertise},
		{"POST /{owner}/{repo}/git-upload-pack", canRead, (*call).uploadPack},
		{"POST /{owner}/{repo}/git-receive-pack", canRead, (*call).receivePack},
		{"GET /{owner}/{repo}/releases/download/{rest...}", canRead, (*call).downloadByTag},
		{"GET /{owner}/{repo}/releases/latest/download/{name}", canRead, (*call).downloadLatest},
	}
}

// gitService names the program behind a service, and its configuration.
func gitService(name string) []string {
	if name == "git-receive-pack" {
		// Pull requests have refs of their own, which only the forge moves.
		args := []string{"-c", "receive.hideRefs=refs/pull", "-c", "receive.denyDeleteCurrent=refuse", "-c", "receive.fsckObjects=true"}
		// Objects are checked; but what old programs wrote into many a
		// history is let through.
		for _, old := range []string{"zeroPaddedFilemode", "missingSpaceBeforeDate", "badTimezone", "badDate", "missingEmail", "badEmail", "missingNameBeforeEmail",
			"missingSpaceBeforeEmail", "multipleAuthors", "nullSha1", "missingTaggerEntry", "badTagName"} {
			args = append(args, "-c", "receive.fsck."+old+"=ignore")
		}
		return append(args, "receive-pack")
	}
	return []string{"-c", "uploadpack.allowFilter=true", "-c", "uploadpack.allowAnySHA1InWant=true", "upload-pack"}
}

// protocolEnv passes on which version of git's protocol the client speaks.
func (c *call) protocolEnv() []string {
	p := c.r.Header.Get("Git-Protocol")
	if p == "" || strings.ContainsAny(p, "\x00\n") {
		return nil
	}
	return []string{"GIT_PROTOCOL=" + p}
}

// pushRight refuses those who may not push, in words that git shows.
func (c *call) pushRight() error {
	if c.user.Login != "" && c.right < canWrite {
		return fail(http.StatusForbidden, "%s may not push to %s: ask its owner to be made a collaborator, or push to a fork and open a pull request", c.user.Login, c.repo.FullName())
	}
	return c.require(canWrite)
}

func (c *call) advertise() error {
	service := c.query("service")
	switch service {
	case "git-upload-pack":
	case "git-receive-pack":
		if err := c.pushRight(); err != nil {
			return err
		}
	default:
		return fail(http.StatusForbidden, "Please upgrade your git client: only the smart protocol is spoken here")
	}
	c.gitHeaders(service + "-advertisement")
	c.wrote = true
	env := c.protocolEnv()
	if !slices.ContainsFunc(env, func(e string) bool { return strings.Contains(e, "version=2") }) || service == "git-receive-pack" {
		line := "# service=" + service + "\n"
		c.write(fmt.Appendf(nil, "%04x%s0000", len(line)+4, line))
	}
	args := append(gitService(service), "--stateless-rpc", "--advertise-refs", c.git().Dir)
	return c.git().StreamEnv(c.ctx(), env, nil, c.w, args...)
}

func (c *call) gitHeaders(contentType string) {
	h := c.w.Header()
	h.Set("Content-Type", "application/x-"+contentType)
	h.Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
	h.Set("Expires", "Fri, 01 Jan 1980 00:00:00 GMT")
	h.Set("Pragma", "no-cache")
}

// gitBody is the request of a git client, unpacked and bounded.
func (c *call) gitBody(limit int64) (io.Reader, error) {
	var body io.Reader = http.MaxBytesReader(c.w, c.r.Body, limit)
	if c.r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, badBody(err)
		}
		body = io.LimitReader(z, limit)
	}
	return body, nil
}

func (c *call) uploadPack() error {
	body, err := c.gitBody(maxWants)
	if err != nil {
		return err
	}
	c.gitHeaders("git-upload-pack-result")
	c.wrote = true
	err = c.git().StreamEnv(c.ctx(), c.protocolEnv(), body, flushing(c.w), append(gitService("git-upload-pack"), "--stateless-rpc", c.git().Dir)...)
	if c.ctx().Err() != nil {
		return nil // the client has gone; git has told it all it waited for
	}
	return err
}

// flushing hands a client every piece at once, so that it sees progress.
func flushing(w http.ResponseWriter) io.Writer { return flusher{w, http.NewResponseController(w)} }

type flusher struct {
	w io.Writer
	c *http.ResponseController
}

// Write implements io.Writer.
func (f flusher) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err == nil {
		err = f.c.Flush()
	}
	return n, err
}

// receivePack takes a push. The whole of it is received before the repository
// is locked, so a slow or vanishing client holds nobody up and changes nothing.
func (c *call) receivePack() error {
	if err := c.pushRight(); err != nil {
		return err
	}
	body, err := c.gitBody(maxPush)
	if err != nil {
		return err
	}
	spool, err := os.CreateTemp(c.f.o.GitDir, c.f.o.receiving("push"))
	if err != nil {
		return fmt.Errorf("receiving a push: %w", err)
	}
	defer os.Remove(spool.Name())
	defer spool.Close()
	if _, err := io.Copy(spool, body); err != nil {
		return badBody(err)
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("receiving a push: %w", err)
	}
	report, err := c.push(spool)
	if err != nil {
		return err
	}
	c.gitHeaders("git-receive-pack-result")
	return c.bytes(http.StatusOK, "application/x-git-receive-pack-result", report)
}

// push runs a push that is here whole, and announces what it moved. It
// returns git's report to the client.
func (c *call) push(request io.Reader) ([]byte, error) {
	unlock, err := c.f.locks.lock(c.ctx(), c.repo.ID)
	if err != nil {
		return nil, err
	}
	defer unlock()
	rules, err := pushRules(c.ctx(), c.q, c.repo, c.user)
	if err != nil {
		return nil, err
	}
	env := append(c.protocolEnv(), "SEAWORTHY_RULES="+hookRules(rules), "SEAWORTHY_REPO="+c.repo.FullName())
	args := append([]string{"-c", "core.hooksPath=" + hookDir(c.f.o.GitDir)}, gitService("git-receive-pack")...)
	var report strings.Builder
	// Once refs may have moved, a client that goes away must not interrupt.
	ctx := context.WithoutCancel(c.ctx())
	runErr := c.git().StreamEnv(ctx, env, request, &report, append(args, "--stateless-rpc", c.git().Dir)...)
	if err := c.f.settle(ctx, c.repo, c.user.Login); err != nil {
		return nil, err
	}
	var refused *git.Error
	if errors.As(runErr, &refused) && report.Len() > 0 {
		runErr = nil // git has told the client what was wrong
	}
	return []byte(report.String()), runErr
}

// rule is what one protected branch denies one account.
type rule struct {
	branch   string
	closed   bool // no direct push
	noForce  bool
	noDelete bool
}

// pushRules says what the protection of a repository's branches denies an
// account that may push. Administrators pass where they are not included;
// forced pushes and deletions are denied to everybody.
func pushRules(ctx context.Context, q *hosted.Queries, repo hosted.Repo, a hosted.Account) ([]rule, error) {
	protections, err := q.Protections(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	have, err := rightIn(ctx, q, repo, a)
	if err != nil {
		return nil, err
	}
	var rules []rule
	for _, p := range protections {
		pusher, bypasses := named(p.PushLogins, a.Login), named(p.BypassLogins, a.Login)
		closed := p.Restricted && !pusher || p.Reviews >= 0 && !bypasses || p.RequireChecks && len(p.Contexts) > 0 && !pusher && !bypasses
		if have >= canAdmin && !p.EnforceAdmins {
			closed = false
		}
		rules = append(rules, rule{p.Branch, closed, !p.AllowForce, !p.AllowDeletion})
	}
	return rules, nil
}

// named reports whether a list has a login.
func named(logins []string, login string) bool {
	return slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(l, login) })
}

// ruleFor returns what protection denies an account on one branch.
func (c *call) ruleFor(branch string) (rule, error) {
	rules, err := pushRules(c.ctx(), c.q, c.repo, c.user)
	if err != nil {
		return rule{}, err
	}
	for _, r := range rules {
		if r.branch == branch {
			return r, nil
		}
	}
	return rule{}, nil
}

// hookRules writes rules for the hook, one "REF WORD" a line.
func hookRules(rules []rule) string {
	var b strings.Builder
	for _, r := range rules {
		for word, on := range map[string]bool{"closed": r.closed, "noforce": r.noForce, "nodelete": r.noDelete} {
			if on {
				fmt.Fprintf(&b, "refs/heads/%s %s\n", r.branch, word)
			}
		}
	}
	return b.String()
}

func hookDir(gitDir string) string { return filepath.Join(gitDir, ".hooks") }

// preReceive is run by git for every push, when the new objects are here and
// no ref has moved yet; refusing there refuses the push as a whole. It reads
// "OLD NEW REF" lines.
const preReceive = `#!/bin/sh
# Holds pushes to the rules in $SEAWORTHY_RULES, lines of "REF WORD".
zero=0000000000000000000000000000000000000000
bad=0
refuse() {
	echo "error: refusing to update $1 of $SEAWORTHY_REPO:"
	echo "$2"
	bad=1
}
while read -r old new ref; do
	case $ref in
	refs/heads/?*|refs/tags/?*|refs/notes/?*) ;;
	*) refuse "$ref" "only branches, tags and notes can be pushed" ;;
	esac
	while read -r name word; do
		[ "$name" = "$ref" ] || continue
		branch=${ref#refs/heads/}
		case $word in
		closed) refuse "$ref" "the branch $branch is protected: push to another branch and open a pull request" ;;
		nodelete) [ "$new" != "$zero" ] || refuse "$ref" "the branch $branch is protected: it cannot be deleted" ;;
		noforce)
			if [ "$old" != "$zero" ] && [ "$new" != "$zero" ] && ! git merge-base --is-ancestor "$old" "$new"; then
				refuse "$ref" "the branch $branch is protected: a push that is not a fast-forward is not allowed"
			fi ;;
		esac
	done <<RULES
$SEAWORTHY_RULES
RULES
done
exit $bad
`

// installHook writes the hook that every push runs.
func installHook(gitDir string) error {
	dir := hookDir(gitDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("installing the push hook: %w", err)
	}
	path := filepath.Join(dir, "pre-receive")
	if have, err := os.ReadFile(path); err == nil && string(have) == preReceive {
		return nil // and may be running
	}
	tmp, err := os.CreateTemp(dir, ".pre-receive-")
	if err != nil {
		return fmt.Errorf("installing the push hook: %w", err)
	}
	_, err = tmp.WriteString(preReceive)
	err = errors.Join(err, tmp.Chmod(0o755), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("installing the push hook: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
