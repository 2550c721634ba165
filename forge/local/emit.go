package local

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

// change runs fn in a transaction, and wakes whoever delivers events.
func (f *Forge) change(ctx context.Context, fn func(*view) error) error {
	err := f.store.Write(ctx, func(q *hosted.Queries) error { return fn(f.view(q)) })
	f.sender.wake()
	return err
}

// emit stores an event for every hook of a repository that listens to it. It
// belongs into the transaction that makes the event true.
func (v *view) emit(ctx context.Context, repo hosted.Repo, sender string, kind forge.EventKind, action string, payload map[string]any) error {
	hooks, _, err := v.q.Hooks(ctx, repo.ID, hosted.Page{})
	if err != nil {
		return err
	}
	hooks = slices.DeleteFunc(hooks, func(h hosted.Hook) bool {
		return !h.Active || !slices.Contains(h.Events, "*") && !slices.Contains(h.Events, string(kind))
	})
	if len(hooks) == 0 {
		return nil
	}
	body, err := v.payload(ctx, repo, sender, action, payload)
	if err != nil {
		return fmt.Errorf("describing the event %s: %w", kind, err)
	}
	for _, h := range hooks {
		if _, err := v.q.AddDelivery(ctx, v.f.delivery(h, kind, action, body)); err != nil {
			return err
		}
	}
	return nil
}

// payload completes an event with what all of them have.
func (v *view) payload(ctx context.Context, repo hosted.Repo, sender, action string, payload map[string]any) (string, error) {
	all := maps.Clone(payload)
	if all == nil {
		all = map[string]any{}
	}
	if action != "" {
		all["action"] = action
	}
	// A repository in an event is as an administrator sees it; what the
	// receiver may do is another matter.
	r, err := v.repo(ctx, repo, canAdmin)
	if err != nil {
		return "", err
	}
	all["repository"] = r
	if all["sender"], err = v.user(ctx, sender); err != nil {
		return "", err
	}
	owner, err := v.q.Account(ctx, repo.Owner)
	if err != nil && !errors.Is(err, hosted.ErrNotFound) {
		return "", err // in a transaction it may have to be repeated
	}
	if err == nil && owner.Kind == kindOrganization {
		u := v.f.api("/orgs/%s", owner.Login)
		all["organization"] = map[string]any{"login": owner.Login, "id": owner.ID, "node_id": nodeID("Organization", owner.ID), "url": u,
			"repos_url": u + "/repos", "events_url": u + "/events", "hooks_url": u + "/hooks", "issues_url": u + "/issues",
			"members_url": u + "/members{/member}", "public_members_url": u + "/public_members{/member}",
			"avatar_url": v.f.html("/avatars/%s", owner.Login), "description": ""}
	}
	b, err := json.Marshal(all)
	return string(b), err
}

// delivery is an event on its way to one hook.
func (f *Forge) delivery(h hosted.Hook, kind forge.EventKind, action, body string) hosted.Delivery {
	return hosted.Delivery{HookID: h.ID, RepoID: h.RepoID, GUID: newGUID(), Event: string(kind), Action: action,
		Pending: true, DueAt: f.now(), Status: "pending", URL: h.URL, Payload: body}
}

// newGUID draws a random UUID (RFC 9562, version 4).
func newGUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
