package local_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-github/v88/github"
)

func TestProtection(t *testing.T) {
	t.Parallel()
	e := start(t)
	w := e.seed(t)
	w.git("push", "-q", "origin", "main:release/1.0")
	ada, ctx := e.as(t, "ada"), t.Context()
	_, _, err := ada.Repositories.GetBranchProtection(ctx, owner, repo, "release/1.0")
	if err == nil || !strings.Contains(err.Error(), "not protected") {
		t.Errorf("before: %v", err)
	}
	set, _, err := ada.Repositories.UpdateBranchProtection(ctx, owner, repo, "release/1.0", &github.ProtectionRequest{
		RequiredStatusChecks: &github.RequiredStatusChecks{Strict: true, Contexts: &[]string{"unit", "lint", "unit"}}, EnforceAdmins: true,
		Restrictions:     &github.BranchRestrictionsRequest{Users: []string{"BEN"}, Teams: []string{}},
		AllowForcePushes: github.Ptr(true), AllowDeletions: github.Ptr(true), RequireLinearHistory: github.Ptr(true)})
	check(t, err)
	got, _, err := ada.Repositories.GetBranchProtection(ctx, owner, repo, "release/1.0")
	check(t, err)
	for name, p := range map[string]*github.Protection{"answered": set, "read": got} {
		if !p.RequiredStatusChecks.Strict || !slices.Equal(*p.RequiredStatusChecks.Contexts, []string{"lint", "unit"}) || !p.EnforceAdmins.Enabled || p.RequiredPullRequestReviews != nil ||
			len(p.Restrictions.Users) != 1 || p.Restrictions.Users[0].GetLogin() != "ben" || !p.AllowForcePushes.Enabled || !p.AllowDeletions.Enabled || !p.RequireLinearHistory.Enabled {
			t.Errorf("%s: %v", name, p)
		}
	}
	b, _, err := ada.Repositories.GetBranch(ctx, owner, repo, "release/1.0", 0)
	check(t, err)
	if !b.GetProtected() || b.GetName() != "release/1.0" || b.GetCommit().GetSHA() != w.git("rev-parse", "HEAD") {
		t.Errorf("branch %v", b)
	}
	for protected, n := range map[bool]int{true: 1, false: 1} {
		if list, _, err := ada.Repositories.ListBranches(ctx, owner, repo, &github.BranchListOptions{Protected: &protected}); err != nil || len(list) != n {
			t.Errorf("protected %v: %v %v", protected, list, err)
		}
	}
	checks, _, err := ada.Repositories.UpdateRequiredStatusChecks(ctx, owner, repo, "release/1.0", &github.RequiredStatusChecksRequest{Strict: github.Ptr(false), Checks: []*github.RequiredStatusCheck{{Context: "e2e"}}})
	check(t, err)
	if checks.Strict || !slices.Equal(*checks.Contexts, []string{"e2e"}) {
		t.Errorf("checks %v", checks)
	}
	if contexts, _, err := ada.Repositories.ListRequiredStatusChecksContexts(ctx, owner, repo, "release/1.0"); err != nil || !slices.Equal(contexts, []string{"e2e"}) {
		t.Errorf("contexts %v %v", contexts, err)
	}
	users, _, err := ada.Repositories.AddUserRestrictions(ctx, owner, repo, "release/1.0", []string{"cho"})
	if err != nil || len(users) != 2 {
		t.Errorf("users %v %v", users, err)
	}
	users, _, err = ada.Repositories.RemoveUserRestrictions(ctx, owner, repo, "release/1.0", []string{"ben"})
	if err != nil || len(users) != 1 || users[0].GetLogin() != "cho" {
		t.Errorf("users %v %v", users, err)
	}
	users, _, err = ada.Repositories.ReplaceUserRestrictions(ctx, owner, repo, "release/1.0", []string{"ada", "ben"})
	if err != nil || len(users) != 2 {
		t.Errorf("users %v %v", users, err)
	}
	_, err = ada.Repositories.RemoveAdminEnforcement(ctx, owner, repo, "release/1.0")
	check(t, err)
	if a, _, err := ada.Repositories.GetAdminEnforcement(ctx, owner, repo, "release/1.0"); err != nil || a.Enabled {
		t.Errorf("administrators %v %v", a, err)
	}
	if a, _, err := ada.Repositories.AddAdminEnforcement(ctx, owner, repo, "release/1.0"); err != nil || !a.Enabled {
		t.Errorf("administrators %v %v", a, err)
	}
	_, err = ada.Repositories.RemoveRequiredStatusChecks(ctx, owner, repo, "release/1.0")
	check(t, err)
	if _, _, err = ada.Repositories.GetRequiredStatusChecks(ctx, owner, repo, "release/1.0"); err == nil {
		t.Error("checks are still required")
	}
	_, err = ada.Repositories.RemoveBranchProtection(ctx, owner, repo, "release/1.0")
	check(t, err)
	if b, _, _ = ada.Repositories.GetBranch(ctx, owner, repo, "release/1.0", 0); b.GetProtected() {
		t.Error("still protected")
	}
}

func TestProtectionOfBadForm(t *testing.T) {
	t.Parallel()
	e := start(t)
	e.seed(t)
	const path = "/api/v3/repos/harbour/halyard/branches/"
	const nothing = `"required_status_checks":null,"enforce_admins":null,"required_pull_request_reviews":null`
	for _, tt := range []struct {
		who, method, path, body string
		status                  int
	}{
		{"ada", "PUT", "main/protection", `{}`, 422},
		{"ada", "PUT", "main/protection", `{` + nothing + `,"restrictions":{"users":["nobody"]}}`, 422},
		{"ada", "PUT", "none/protection", `{` + nothing + `,"restrictions":null}`, 404},
		{"ada", "PUT", "main", `{}`, 404},
		{"ada", "GET", "none", ``, 404},
		{"ada", "GET", "main/protection", ``, 404},
		{"ada", "DELETE", "main/protection", ``, 404},
		{"ben", "PUT", "main/protection", `{` + nothing + `,"restrictions":null}`, 403},
		{"eve", "GET", "main/protection", ``, 403},
		{"ada", "PUT", "main/protection", `{` + nothing + `,"restrictions":null}`, 200},
		{"ada", "GET", "main/protection/restrictions", ``, 404},
		{"ada", "GET", "main/protection/odd", ``, 404},
		{"ada", "POST", "main/protection", ``, 404},
		{"ada", "PUT", "main/protection/enforce_admins", ``, 404},
		{"ada", "POST", "main/protection/restrictions/users", `"cho"`, 422},
		{"ada", "POST", "main/protection/restrictions/users", `{"users":[1]}`, 422},
		{"ada", "POST", "main/protection/restrictions/users", ``, 422},
		{"ada", "POST", "main/protection/restrictions/users", `{"users":["cho"]}`, 200},
		{"ada", "DELETE", "main/protection/restrictions", ``, 204},
		{"ada", "PUT", "main/protection/required_status_checks/contexts", `["a","b","a"]`, 200},
		{"ada", "POST", "main/protection/required_status_checks/contexts", `{"contexts":["c"]}`, 200},
		{"ada", "DELETE", "main/protection/required_status_checks/contexts", `["a"]`, 200},
	} {
		if a := e.do(t, tt.who, tt.method, path+tt.path, tt.body); a.status != tt.status {
			t.Errorf("%s %s %s: %d %s, want %d", tt.method, tt.path, tt.body, a.status, a.body, tt.status)
		}
	}
	if a := e.do(t, "ada", "GET", path+"main/protection/required_status_checks/contexts", ""); a.body != `["b","c"]` {
		t.Errorf("contexts are %s", a.body)
	}
}
