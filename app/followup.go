package app

import (
	"seaworthy/config"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/cut"
)

// follow fills in how people are told of a release and what follows it.
func follow(p *cut.Project, r config.Release) error {
	if r.Issue.Open == "always" {
		p.Issue = &cut.Issue{Labels: r.Issue.Labels}
	}
	if len(r.Announce.To) > 0 {
		p.Mail = &cut.Mail{From: r.Announce.From, To: r.Announce.To, ReplyTo: r.Announce.ReplyTo, Subject: r.Announce.Subject, RehearsalTo: r.Announce.RehearsalTo}
	}
	p.Chat = r.Chat.Channel
	for _, a := range r.After {
		var kinds []release.Kind
		for _, k := range a.Types {
			kinds = append(kinds, release.Kind(k))
		}
		var err error
		switch {
		case a.Lines.Has("pull_request"):
			c := cut.Proposal{Types: kinds, Base: a.PullRequest.Base, Title: a.PullRequest.Title, Body: a.PullRequest.Body}
			c.Repo, err = elsewhere(a.PullRequest.Repository)
			for _, e := range a.PullRequest.Edits {
				c.Edits = append(c.Edits, release.Edit{File: e.File, Pattern: e.Pattern, Replace: e.Replace, All: e.All})
			}
			p.After.PullRequests = append(p.After.PullRequests, c)
		case a.Lines.Has("milestone"):
			p.After.Milestones = append(p.After.Milestones, cut.NewMilestone{Types: kinds, Title: a.Milestone.Title, Description: a.Milestone.Description, Close: a.Milestone.Close})
		case a.Lines.Has("issue"):
			n := cut.Notice{Types: kinds, Title: a.Issue.Title, Body: a.Issue.Body, Labels: a.Issue.Labels}
			n.Repo, err = elsewhere(a.Issue.Repository)
			p.After.Issues = append(p.After.Issues, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// elsewhere is another repository; the zero one means the released.
func elsewhere(name string) (forge.RepoName, error) {
	if name == "" {
		return forge.RepoName{}, nil
	}
	return forge.ParseRepoName(name)
}
