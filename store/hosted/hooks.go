package hosted

import (
	"context"
	"time"
)

// Hook is a subscription to events.
type Hook struct {
	ID          int64
	RepoID      int64
	URL         string
	ContentType string // json, form
	Secret      string // sealed by whoever stores it; empty: none
	Events      []string
	Active      bool
	LastCode    int
	LastStatus  string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

var hooks = table[Hook]{"hosted_hooks", "id repo_id url content_type secret events active last_code last_status created_at updated_at", 1, func(h *Hook) []any {
	return []any{&h.ID, &h.RepoID, &h.URL, &h.ContentType, &h.Secret, document{&h.Events}, &h.Active, &h.LastCode, &h.LastStatus,
		instant{&h.CreatedAt}, instant{&h.UpdatedAt}}
}}

// AddHook adds a hook and draws its id.
func (q *Queries) AddHook(ctx context.Context, h Hook) (Hook, error) {
	var err error
	if h.ID, err = q.NextID(ctx); err != nil {
		return h, err
	}
	return h, hooks.insert(ctx, q, &h)
}

// UpdateHook changes the hook of that id.
func (q *Queries) UpdateHook(ctx context.Context, h Hook) error { return hooks.update(ctx, q, &h) }

// RemoveHook removes a hook and its deliveries, sent or not.
func (q *Queries) RemoveHook(ctx context.Context, id int64) error {
	if err := q.exec(ctx, `DELETE FROM hosted_deliveries WHERE hook_id = $1`, id); err != nil {
		return err
	}
	return hooks.remove(ctx, q, "id = $1", id)
}

// Hook finds a hook of a repository.
func (q *Queries) Hook(ctx context.Context, repoID, id int64) (Hook, error) {
	return hooks.one(ctx, q, "WHERE repo_id = $1 AND id = $2", repoID, id)
}

// Hooks lists the hooks of a repository.
func (q *Queries) Hooks(ctx context.Context, repoID int64, p Page) ([]Hook, int, error) {
	return hooks.page(ctx, q, p, "repo_id = $1", "id", repoID)
}

// Delivery is an event on its way to a hook, or what became of it.
type Delivery struct {
	ID              int64
	HookID          int64
	RepoID          int64
	GUID            string // the same for a redelivery
	Event           string
	Action          string
	Redelivery      bool
	Pending         bool // will be tried (again) at DueAt
	Attempts        int
	DueAt           time.Time
	DeliveredAt     time.Time
	Duration        int64 // of the last attempt, in microseconds
	Status          string
	StatusCode      int
	URL             string
	RequestHeaders  map[string]string
	Payload         string
	ResponseHeaders map[string]string
	ResponseBody    string
}

var deliveries = table[Delivery]{"hosted_deliveries",
	`id hook_id repo_id guid event action redelivery pending attempts due_at delivered_at duration status status_code url
	request_headers payload response_headers response_body`, 1, func(d *Delivery) []any {
		return []any{&d.ID, &d.HookID, &d.RepoID, &d.GUID, &d.Event, &d.Action, &d.Redelivery, &d.Pending, &d.Attempts,
			instant{&d.DueAt}, instant{&d.DeliveredAt}, &d.Duration, &d.Status, &d.StatusCode, &d.URL,
			document{&d.RequestHeaders}, &d.Payload, document{&d.ResponseHeaders}, &d.ResponseBody}
	}}

// AddDelivery adds a delivery and draws its id.
func (q *Queries) AddDelivery(ctx context.Context, d Delivery) (Delivery, error) {
	var err error
	if d.ID, err = q.NextID(ctx); err != nil {
		return d, err
	}
	return d, deliveries.insert(ctx, q, &d)
}

// UpdateDelivery changes the delivery of that id; ErrNotFound if its hook was
// removed meanwhile.
func (q *Queries) UpdateDelivery(ctx context.Context, d Delivery) error {
	return deliveries.update(ctx, q, &d)
}

// Delivery finds a delivery of a hook.
func (q *Queries) Delivery(ctx context.Context, hookID, id int64) (Delivery, error) {
	return deliveries.one(ctx, q, "WHERE hook_id = $1 AND id = $2", hookID, id)
}

// Deliveries lists deliveries to a hook, newest first: those before a given
// id, or from the newest with before 0.
func (q *Queries) Deliveries(ctx context.Context, hookID, before int64, limit int) ([]Delivery, error) {
	rows, _, err := deliveries.page(ctx, q, Page{Limit: limit}, "hook_id = $1 AND ($2 = 0 OR id < $2)", "id DESC", hookID, before)
	return rows, err
}

// DueDeliveries lists the deliveries to try now, oldest first.
func (q *Queries) DueDeliveries(ctx context.Context, now time.Time, limit int) ([]Delivery, error) {
	return deliveries.list(ctx, q, "WHERE pending AND due_at <= $1 ORDER BY id LIMIT $2", instant{&now}, limit)
}

// ForgetDeliveries removes what was delivered, or given up, before a time.
func (q *Queries) ForgetDeliveries(ctx context.Context, before time.Time) error {
	return q.exec(ctx, `DELETE FROM hosted_deliveries WHERE NOT pending AND delivered_at < $1`, instant{&before})
}

// NextDue returns when the earliest pending delivery is due; ErrNotFound if
// none is pending.
func (q *Queries) NextDue(ctx context.Context) (time.Time, error) {
	d, err := deliveries.one(ctx, q, "WHERE pending ORDER BY due_at, id LIMIT 1")
	return d.DueAt, err
}

// NoteResponse notes what a hook last answered, and nothing else of it; a hook
// that is gone is no error.
func (q *Queries) NoteResponse(ctx context.Context, h Hook) error {
	return q.exec(ctx, `UPDATE hosted_hooks SET last_code = $2, last_status = $3 WHERE id = $1`, h.ID, h.LastCode, h.LastStatus)
}
