package local

import (
	"context"

	"seaworthy/store/hosted"
)

type wireRepo struct {
	ID       int64     `json:"id"`
	NodeID   string    `json:"node_id"`
	Name     string    `json:"name"`
	FullName string    `json:"full_name"`
	Private  bool      `json:"private"`
	Owner    *wireUser `json:"owner"`
	repoURLs
	Description      *string         `json:"description"`
	Fork             bool            `json:"fork"`
	Homepage         *string         `json:"homepage"`
	MirrorURL        *string         `json:"mirror_url"`
	Language         *string         `json:"language"`
	License          *struct{}       `json:"license"`
	Size             int             `json:"size"`
	ForksCount       int             `json:"forks_count"`
	StargazersCount  int             `json:"stargazers_count"`
	WatchersCount    int             `json:"watchers_count"`
	OpenIssuesCount  int             `json:"open_issues_count"`
	Forks            int             `json:"forks"`
	Watchers         int             `json:"watchers"`
	OpenIssues       int             `json:"open_issues"`
	DefaultBranch    string          `json:"default_branch"`
	IsTemplate       bool            `json:"is_template"`
	Topics           []string        `json:"topics"`
	HasIssues        bool            `json:"has_issues"`
	HasProjects      bool            `json:"has_projects"`
	HasWiki          bool            `json:"has_wiki"`
	HasPages         bool            `json:"has_pages"`
	HasDownloads     bool            `json:"has_downloads"`
	HasDiscussions   bool            `json:"has_discussions"`
	Archived         bool            `json:"archived"`
	Disabled         bool            `json:"disabled"`
	Visibility       string          `json:"visibility"`
	AllowForking     bool            `json:"allow_forking"`
	AllowMergeCommit bool            `json:"allow_merge_commit"`
	AllowSquashMerge bool            `json:"allow_squash_merge"`
	AllowRebaseMerge bool            `json:"allow_rebase_merge"`
	DeleteBranch     bool            `json:"delete_branch_on_merge"`
	WebCommitSignoff bool            `json:"web_commit_signoff_required"`
	PushedAt         stamp           `json:"pushed_at"`
	CreatedAt        stamp           `json:"created_at"`
	UpdatedAt        stamp           `json:"updated_at"`
	Permissions      wirePermissions `json:"permissions"`
	CustomProperties struct{}        `json:"custom_properties"`
}

// wireRepoFull adds what only a repository asked for by itself tells.
type wireRepoFull struct {
	*wireRepo
	SubscribersCount int `json:"subscribers_count"`
	NetworkCount     int `json:"network_count"`
}

// repoURLs are the addresses in a repository; parts in braces are for the
// client to fill in (RFC 6570).
type repoURLs struct {
	HTMLURL          string `json:"html_url"`
	URL              string `json:"url"`
	ArchiveURL       string `json:"archive_url"`
	AssigneesURL     string `json:"assignees_url"`
	BlobsURL         string `json:"blobs_url"`
	BranchesURL      string `json:"branches_url"`
	CollaboratorsURL string `json:"collaborators_url"`
	CommentsURL      string `json:"comments_url"`
	CommitsURL       string `json:"commits_url"`
	CompareURL       string `json:"compare_url"`
	ContentsURL      string `json:"contents_url"`
	ContributorsURL  string `json:"contributors_url"`
	DeploymentsURL   string `json:"deployments_url"`
	DownloadsURL     string `json:"downloads_url"`
	EventsURL        string `json:"events_url"`
	ForksURL         string `json:"forks_url"`
	GitCommitsURL    string `json:"git_commits_url"`
	GitRefsURL       string `json:"git_refs_url"`
	GitTagsURL       string `json:"git_tags_url"`
	GitURL           string `json:"git_url"`
	SSHURL           string `json:"ssh_url"`
	CloneURL         string `json:"clone_url"`
	SVNURL           string `json:"svn_url"`
	HooksURL         string `json:"hooks_url"`
	IssueCommentURL  string `json:"issue_comment_url"`
	IssueEventsURL   string `json:"issue_events_url"`
	IssuesURL        string `json:"issues_url"`
	KeysURL          string `json:"keys_url"`
	LabelsURL        string `json:"labels_url"`
	LanguagesURL     string `json:"languages_url"`
	MergesURL        string `json:"merges_url"`
	MilestonesURL    string `json:"milestones_url"`
	NotificationsURL string `json:"notifications_url"`
	PullsURL         string `json:"pulls_url"`
	ReleasesURL      string `json:"releases_url"`
	StargazersURL    string `json:"stargazers_url"`
	StatusesURL      string `json:"statuses_url"`
	SubscribersURL   string `json:"subscribers_url"`
	SubscriptionURL  string `json:"subscription_url"`
	TagsURL          string `json:"tags_url"`
	TeamsURL         string `json:"teams_url"`
	TreesURL         string `json:"trees_url"`
}

func (f *Forge) repoURLs(r hosted.Repo) repoURLs {
	u, h := f.repoAPI(r, ""), f.repoHTML(r, "")
	return repoURLs{
		HTMLURL: h, URL: u, GitURL: h + ".git", SSHURL: h + ".git", CloneURL: h + ".git", SVNURL: h,
		ArchiveURL: u + "/{archive_format}{/ref}", AssigneesURL: u + "/assignees{/user}", BlobsURL: u + "/git/blobs{/sha}",
		BranchesURL: u + "/branches{/branch}", CollaboratorsURL: u + "/collaborators{/collaborator}", CommentsURL: u + "/comments{/number}",
		CommitsURL: u + "/commits{/sha}", CompareURL: u + "/compare/{base}...{head}", ContentsURL: u + "/contents/{+path}",
		ContributorsURL: u + "/contributors", DeploymentsURL: u + "/deployments", DownloadsURL: u + "/downloads", EventsURL: u + "/events",
		ForksURL: u + "/forks", GitCommitsURL: u + "/git/commits{/sha}", GitRefsURL: u + "/git/refs{/sha}", GitTagsURL: u + "/git/tags{/sha}",
		HooksURL: u + "/hooks", IssueCommentURL: u + "/issues/comments{/number}", IssueEventsURL: u + "/issues/events{/number}",
		IssuesURL: u + "/issues{/number}", KeysURL: u + "/keys{/key_id}", LabelsURL: u + "/labels{/name}", LanguagesURL: u + "/languages",
		MergesURL: u + "/merges", MilestonesURL: u + "/milestones{/number}", NotificationsURL: u + "/notifications{?since,all,participating}",
		PullsURL: u + "/pulls{/number}", ReleasesURL: u + "/releases{/id}", StargazersURL: u + "/stargazers", StatusesURL: u + "/statuses/{sha}",
		SubscribersURL: u + "/subscribers", SubscriptionURL: u + "/subscription", TagsURL: u + "/tags", TeamsURL: u + "/teams", TreesURL: u + "/git/trees{/sha}",
	}
}

// repo renders a repository as somebody with that right sees it.
func (v *view) repo(ctx context.Context, r hosted.Repo, have right) (*wireRepo, error) {
	owner, err := v.user(ctx, r.Owner)
	if err != nil {
		return nil, err
	}
	open, _, err := v.q.CountIssues(ctx, r.ID, 0)
	if err != nil {
		return nil, err
	}
	visibility := "public"
	if r.Private {
		visibility = "private"
	}
	return &wireRepo{
		ID: r.ID, NodeID: nodeID("Repository", r.ID), Name: r.Name, FullName: r.FullName(), Private: r.Private, Owner: owner,
		repoURLs: v.f.repoURLs(r), Description: text(r.Description), Fork: r.ForkOf != 0, Homepage: text(r.Homepage), Topics: []string{},
		OpenIssuesCount: open, OpenIssues: open, DefaultBranch: r.DefaultBranch, HasIssues: true, HasDownloads: true, Archived: r.Archived,
		Visibility: visibility, AllowForking: true, AllowMergeCommit: true, AllowSquashMerge: true, AllowRebaseMerge: true,
		PushedAt: stamp(r.PushedAt), CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt), Permissions: permissions(have),
	}, nil
}
