package queue_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/merge"
	"seaworthy/merge/bot"
	"seaworthy/merge/queue"
	"seaworthy/store/storetest"
)

var halyard = forge.RepoName{Owner: "harbour", Name: "halyard"}

// road is the embedded forge over HTTP with its webhooks, and a bot and a queue
// that act on them. It is the runner too: a pull request whose title says so
// fails its test.
type road struct {
	t      *testing.T
	people map[string]*github.Client
	events chan forge.Event
	bot    *bot.Bot
	queue  *queue.Queue
	client *github.Client // the bot's

	mu     sync.Mutex
	paused map[string]string
	tested map[int][]string // bases, by pull request
}

const botLogin = "seaworthy-bot"

func newRoad(t *testing.T) *road {
	t.Helper()
	r := &road{t: t, people: map[string]*github.Client{}, events: make(chan forge.Event, 1000), paused: map[string]string{}, tested: map[int][]string{}}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { handler.ServeHTTP(w, req) }))
	t.Cleanup(server.Close)
	f, err := local.New(local.Options{DB: storetest.SQLite(t), GitDir: filepath.Join(t.TempDir(), "git"), BaseURL: server.URL})
	r.must(err)
	handler = f.Handler()
	hooks := httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(hooks.Close)

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the forge's background work: %v", err)
		}
	})
	for _, login := range []string{"ada", "ben", "cho", "dee", botLogin} {
		r.must(f.CreateUser(t.Context(), forge.User{Login: login, Email: login + "@harbour.test", Bot: login == botLogin}, login == "ada" || login == botLogin))
		token, err := f.CreateToken(t.Context(), login)
		r.must(err)
		c, err := github.New(github.Options{BaseURL: server.URL + "/api/v3/", Token: token})
		r.must(err)
		r.people[login] = c
	}
	r.client = r.people[botLogin]
	r.seed(hooks.URL)
	r.serve()
	return r
}

const secret = "a secret of the harbour"

// receive takes a webhook as the product does.
func (r *road) receive(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = github.VerifySignature(secret, req.Header.Get("X-Hub-Signature-256"), body)
	}
	var ev forge.Event
	if err == nil {
		ev, err = github.DecodeEvent(req.Header.Get("X-GitHub-Event"), req.Header.Get("X-GitHub-Delivery"), body, time.Now())
	}
	if err != nil {
		r.t.Errorf("webhook: %v", err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.events <- ev
}

// seed makes the repository, its people and its main branch.
func (r *road) seed(hookURL string) {
	ctx, ada := r.t.Context(), r.people["ada"]
	_, err := ada.CreateRepo(ctx, forge.NewRepo{RepoName: halyard, DefaultBranch: "main"})
	r.must(err)
	for _, login := range []string{"ada", "ben", "cho", "dee", botLogin} {
		r.must(ada.AddCollaborator(ctx, halyard, login, "push"))
	}
	for path, text := range map[string]string{
		"OWNERS":        "approvers: [ada]\nreviewers: [ada, cho]\n",
		"docs/OWNERS":   "approvers: [dee]\nreviewers: [cho]\nlabels: [kind/documentation]\n",
		"docs/guide.md": "Belay.\n",
		"main.go":       "package main\n",
	} {
		_, err := ada.PutFile(ctx, halyard, path, "main", "Write "+path, []byte(text))
		r.must(err)
	}
	_, err = ada.CreateHook(ctx, halyard, forge.Hook{URL: hookURL, Secret: secret, Events: []string{"*"}, Active: true})
	r.must(err)
}

func (r *road) serve() {
	var err error
	r.bot, err = bot.New(bot.Options{
		Forge: r.client, Runner: r, Login: botLogin, Now: time.Now,
		Policy: func(context.Context, forge.RepoName) (bot.Policy, error) { return bot.Policy{Reviewers: 2}, nil },
		Note:   func(string) bot.Note { return bot.NoteNone },
	})
	r.must(err)
	r.queue, err = queue.New(queue.Options{
		Forge: r.client, Runner: r, Recorder: r, Switch: r, Refresh: r.bot.Refresh, Now: time.Now,
		Contexts: func(context.Context, forge.PullRequest, string) (merge.Requirements, error) {
			return merge.Requirements{Jobs: []merge.RequiredJob{{Name: "halyard-unit", Context: "unit"}}}, nil
		},
		Query: func(context.Context, forge.RepoName) (merge.Policy, error) {
			return merge.Policy{
				Queries: []merge.Query{{
					Labels:        []string{"lgtm", "approved"},
					MissingLabels: []string{"do-not-merge/hold", "do-not-merge/work-in-progress", merge.LabelNeedsRebase},
				}},
				Method:     forge.MethodSquash,
				Milestones: map[string]string{"main": "v1.4"},
			}, nil
		},
	})
	r.must(err)
	r.must(r.bot.EnsureLabels(r.t.Context(), halyard))
}

// StartJobs runs the test at once.
func (r *road) StartJobs(ctx context.Context, s queue.Start) error {
	r.mu.Lock()
	r.tested[s.PullRequest.Number] = append(r.tested[s.PullRequest.Number], s.BaseSHA)
	r.mu.Unlock()
	state := forge.StatusSuccess
	if strings.Contains(s.PullRequest.Title, "fails") {
		state = forge.StatusFailure
	}
	return r.client.SetStatus(ctx, halyard, s.PullRequest.Head.SHA, forge.Status{
		Context: "unit", State: state, Description: "Ran." + merge.BaseSuffix(s.BaseSHA),
	})
}

func (r *road) Test(context.Context, bot.TestRequest) (bot.TestAnswer, error) {
	return bot.TestAnswer{}, nil
}

func (r *road) RecordDecision(context.Context, queue.Decision) error { return nil }

func (r *road) Paused(_ context.Context, _ forge.RepoName, branch string) (string, error) {
	return r.paused[branch], nil
}

func (r *road) SetPaused(_ context.Context, _ forge.RepoName, branch, why string) error {
	r.paused[branch] = why
	return nil
}

func (r *road) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// open has ben propose a change of one file.
func (r *road) open(branch, title, path, text string) int {
	r.t.Helper()
	ctx, ben := r.t.Context(), r.people["ben"]
	main, err := ben.Branch(ctx, halyard, "main")
	r.must(err)
	r.must(ben.CreateBranch(ctx, halyard, branch, main.SHA))
	_, err = ben.PutFile(ctx, halyard, path, branch, title, []byte(text))
	r.must(err)
	pr, err := ben.CreatePullRequest(ctx, halyard, forge.NewPullRequest{Title: title, Head: branch, Base: "main", Body: "It is needed."})
	r.must(err)
	return pr.Number
}

func (r *road) say(who string, number int, body string) {
	r.t.Helper()
	_, err := r.people[who].CreateComment(r.t.Context(), halyard, number, body)
	r.must(err)
}

func (r *road) pull(number int) forge.PullRequest {
	r.t.Helper()
	pr, err := r.client.PullRequest(r.t.Context(), halyard, number)
	r.must(err)
	return pr
}

// drive handles every event twice, as after a crash, until a condition holds.
func (r *road) drive(what string, holds func() bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Minute)
	defer cancel()
	for len(r.events) > 0 || !holds() {
		select {
		case ev := <-r.events:
			for range 2 {
				r.must(r.bot.HandleEvent(ctx, ev))
				r.must(r.queue.HandleEvent(ctx, ev))
			}
		case <-ctx.Done():
			r.t.Fatalf("no event brought it about that %s:\n%s", what, r.picture())
		}
	}
}

// picture says how far everything is, for a test that fails.
func (r *road) picture() string {
	var b strings.Builder
	prs, err := r.client.PullRequests(context.WithoutCancel(r.t.Context()), halyard, forge.PullFilter{State: "all"})
	r.must(err)
	for _, pr := range prs {
		fmt.Fprintf(&b, "#%d %s merged=%v %q milestone=%q queue=%q\n", pr.Number, pr.Title, pr.Merged, pr.Labels, pr.Milestone, r.queueStatus(pr.Number))
	}
	return b.String()
}

// queueStatus is what the queue shows on a pull request.
func (r *road) queueStatus(number int) string {
	r.t.Helper()
	statuses, err := r.client.Statuses(r.t.Context(), halyard, r.pull(number).Head.SHA)
	r.must(err)
	for _, s := range statuses {
		if s.Context == merge.QueueContext {
			return string(s.State) + ": " + s.Description
		}
	}
	return ""
}

// Four changes travel from proposal to main over a real forge: two land, one
// conflicts with what landed, one fails its test.
func TestRoadOverTheEmbeddedForge(t *testing.T) {
	t.Parallel()
	r := newRoad(t)
	guide := r.open("guide", "Say more", "docs/guide.md", "Belay, then coil.\n")
	clash := r.open("clash", "Say it otherwise", "docs/guide.md", "Coil, then belay.\n")
	broken := r.open("broken", "This fails", "broken.go", "package broken\n")
	code := r.open("code", "Write code", "main.go", "package main\n\nfunc main() {}\n")
	all := []int{guide, clash, broken, code}

	r.drive("everybody knows what is missing", func() bool {
		for _, n := range all {
			if r.queueStatus(n) != "pending: Needs lgtm and approved." {
				return false
			}
		}
		return true
	})
	if pr := r.pull(guide); !pr.HasLabel("kind/documentation") || !pr.HasLabel("size/XS") || !slices.Contains(pr.Reviewers, "cho") {
		t.Errorf("the bot did not label and ask: %+v", pr)
	}

	for _, n := range all {
		r.say("cho", n, "Fine.\r\n/lgtm")
	}
	r.say("ben", guide, "/lgtm") // refused, once, though the event comes twice
	r.say("dee", guide, "/approve")
	r.drive("the first landed", func() bool { return r.pull(guide).Merged })
	r.say("dee", clash, "/approve")
	r.say("ada", broken, "/approve")
	r.say("ada", code, "/approve")
	r.drive("two landed and two wait", func() bool {
		return r.pull(guide).Merged && r.pull(code).Merged && r.pull(clash).HasLabel(merge.LabelNeedsRebase) &&
			r.pull(guide).Milestone == "v1.4" && r.pull(code).Milestone == "v1.4" &&
			strings.HasPrefix(r.queueStatus(broken), "pending: unit failed") && strings.Contains(r.queueStatus(clash), "needs-rebase")
	})
	main, err := r.client.Branch(t.Context(), halyard, "main")
	r.must(err)
	if want := r.pull(code).MergeSHA; main.SHA != want {
		t.Errorf("main is at %s, want the last merge, %s", main.SHA, want)
	}
	if bases := r.tested[code]; len(bases) == 0 || bases[len(bases)-1] != r.pull(guide).MergeSHA {
		t.Errorf("#%d landed on %s but was tested on %v", code, r.pull(guide).MergeSHA, bases)
	}
	r.wantComments(guide, 2)
	r.wantComments(code, 1)

	// The clash is resolved by a push, which drops lgtm.
	ben := r.people["ben"]
	_, err = ben.PutFile(t.Context(), halyard, "docs/guide.md", "clash", "Agree", []byte("Belay, then coil.\n"))
	r.must(err)
	r.drive("the push dropped lgtm", func() bool { return !r.pull(clash).HasLabel("lgtm") && r.pull(clash).HasLabel("approved") })
}

// wantComments counts the bot's comments.
func (r *road) wantComments(number, want int) {
	r.t.Helper()
	comments, err := r.client.Comments(r.t.Context(), halyard, number)
	r.must(err)
	var own []string
	for _, c := range comments {
		if c.Author == botLogin {
			own = append(own, c.Body)
		}
	}
	if len(own) != want {
		r.t.Errorf("the bot wrote %d comments on #%d, want %d:\n%s", len(own), number, want, fmt.Sprint(strings.Join(own, "\n---\n")))
	}
}
