package app

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"seaworthy/forge"
	"seaworthy/web"
)

// issueForm is how the pages file issues: on the platform's own forge with the
// token of whoever does, elsewhere on GitHub, where the builds in Prow's layout
// have their repositories.
func (a *App) issueForm() web.IssueForm {
	return web.IssueForm{
		File: func(ctx context.Context, repo forge.RepoName, token string, n forge.NewIssue) (forge.Issue, error) {
			c, err := a.Client(token)
			if err != nil {
				return forge.Issue{}, fmt.Errorf("reaching the forge: %w", err)
			}
			return c.CreateIssue(ctx, repo, n)
		},
		Open: func(ctx context.Context, repo forge.RepoName) ([]forge.Issue, error) {
			return a.Forge.Issues(ctx, repo, forge.IssueFilter{State: "open"})
		},
		New: func(repo, title, body string, labels []string) string {
			q := url.Values{"title": {title}, "body": {body}}
			if len(labels) > 0 {
				q.Set("labels", strings.Join(labels, ","))
			}
			return "https://github.com/" + repo + "/issues/new?" + q.Encode()
		},
		Search: func(repo, text string) string {
			return "https://github.com/" + repo + "/issues?" + url.Values{"q": {"is:issue is:open " + `"` + strings.ReplaceAll(text, `"`, " ") + `"`}}.Encode()
		},
	}
}
