package local

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"seaworthy/forge"
	"seaworthy/store/hosted"
)

func (f *Forge) hookRoutes() []route {
	return []route{
		{"GET /repos/{owner}/{repo}/hooks", canAdmin, (*call).listHooks},
		{"POST /repos/{owner}/{repo}/hooks", canAdmin, (*call).createHook},
		{"GET /repos/{owner}/{repo}/hooks/{id}", canAdmin, onHook((*call).getHook)},
		{"PATCH /repos/{owner}/{repo}/hooks/{id}", canAdmin, onHook((*call).editHook)},
		{"DELETE /repos/{owner}/{repo}/hooks/{id}", canAdmin, onHook((*call).deleteHook)},
		{"POST /repos/{owner}/{repo}/hooks/{id}/pings", canAdmin, onHook((*call).pingHook)},
		{"POST /repos/{owner}/{repo}/hooks/{id}/tests", canAdmin, onHook((*call).testHook)},
		{"GET /repos/{owner}/{repo}/hooks/{id}/deliveries", canAdmin, onHook((*call).listDeliveries)},
		{"GET /repos/{owner}/{repo}/hooks/{id}/deliveries/{delivery}", canAdmin, onDelivery((*call).getDelivery)},
		{"POST /repos/{owner}/{repo}/hooks/{id}/deliveries/{delivery}/attempts", canAdmin, onDelivery((*call).redeliver)},
	}
}

type wireHook struct {
	Type          string       `json:"type"`
	ID            int64        `json:"id"`
	Name          string       `json:"name"`
	Active        bool         `json:"active"`
	Events        []string     `json:"events"`
	Config        hookConfig   `json:"config"`
	UpdatedAt     stamp        `json:"updated_at"`
	CreatedAt     stamp        `json:"created_at"`
	URL           string       `json:"url"`
	TestURL       string       `json:"test_url"`
	PingURL       string       `json:"ping_url"`
	DeliveriesURL string       `json:"deliveries_url"`
	LastResponse  lastResponse `json:"last_response"`
}

type hookConfig struct {
	URL         string `json:"url"`
	ContentType string `json:"content_type"`
	Secret      string `json:"secret,omitempty"` // stars where there is one
	InsecureSSL string `json:"insecure_ssl"`
}

type lastResponse struct {
	Code    *int    `json:"code"`
	Status  *string `json:"status"`
	Message *string `json:"message"`
}

func (f *Forge) wireHook(r hosted.Repo, h hosted.Hook) wireHook {
	u := f.repoAPI(r, "/hooks/%d", h.ID)
	w := wireHook{Type: "Repository", ID: h.ID, Name: "web", Active: h.Active, Events: orEmpty(h.Events),
		Config:    hookConfig{URL: h.URL, ContentType: h.ContentType, InsecureSSL: "0"},
		UpdatedAt: stamp(h.UpdatedAt), CreatedAt: stamp(h.CreatedAt), URL: u, TestURL: u + "/test", PingURL: u + "/pings", DeliveriesURL: u + "/deliveries"}
	if h.Secret != "" {
		w.Config.Secret = "********"
	}
	status := "unused"
	if h.LastStatus != "" {
		status, w.LastResponse.Code, w.LastResponse.Message = "active", &h.LastCode, &h.LastStatus
	}
	w.LastResponse.Status = &status
	return w
}

// onHook loads the hook of a path.
func onHook(do func(*call, hosted.Hook) error) func(*call) error {
	return func(c *call) error {
		id, err := c.number("id")
		if err != nil {
			return err
		}
		h, err := c.q.Hook(c.ctx(), c.repo.ID, id)
		if err != nil {
			return err
		}
		return do(c, h)
	}
}

func (c *call) listHooks() error {
	rows, total, err := c.q.Hooks(c.ctx(), c.repo.ID, c.sqlPage())
	if err != nil {
		return err
	}
	c.link(total)
	return list(c, rows, func(h hosted.Hook) (wireHook, error) { return c.f.wireHook(c.repo, h), nil })
}

func (c *call) getHook(h hosted.Hook) error { return c.json(http.StatusOK, c.f.wireHook(c.repo, h)) }

type hookRequest struct {
	Name   string             `json:"name"`
	Active optional[bool]     `json:"active"`
	Events optional[[]string] `json:"events"`
	Add    []string           `json:"add_events"`
	Remove []string           `json:"remove_events"`
	Config *struct {
		URL         optional[string] `json:"url"`
		ContentType optional[string] `json:"content_type"`
		Secret      optional[string] `json:"secret"`
	} `json:"config"`
}

// apply puts what was given into a hook, and checks it.
func (in hookRequest) apply(f *Forge, h *hosted.Hook) error {
	in.Active.apply(&h.Active)
	in.Events.apply(&h.Events)
	h.Events = append(slices.Clone(h.Events), in.Add...)
	h.Events = slices.DeleteFunc(h.Events, func(e string) bool { return slices.Contains(in.Remove, e) })
	slices.Sort(h.Events)
	h.Events = slices.Compact(h.Events)
	if in.Config != nil {
		in.Config.URL.apply(&h.URL)
		in.Config.ContentType.apply(&h.ContentType)
		// A client that sends back what it was shown keeps the secret.
		if s := in.Config.Secret; s.Set && s.Value != "********" {
			h.Secret = f.sealer.seal(s.Value)
		}
	}
	switch {
	case h.URL == "":
		return missing("Hook", "url")
	case len(h.Events) == 0:
		return missing("Hook", "events")
	case h.ContentType != "json" && h.ContentType != "form":
		return invalid("Hook", "content_type", "invalid", "content_type is one of json, form")
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return invalid("Hook", "url", "custom", "url is an http or https address without credentials")
	}
	if err := f.sender.allowed(u); err != nil {
		return invalid("Hook", "url", "custom", err.Error())
	}
	h.UpdatedAt = f.now()
	return nil
}

func (c *call) createHook() error {
	var in hookRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if in.Name != "" && in.Name != "web" {
		return invalid("Hook", "name", "invalid", "name is web")
	}
	h := hosted.Hook{RepoID: c.repo.ID, ContentType: "form", Active: true, CreatedAt: c.f.now()}
	if !in.Events.Set {
		h.Events = []string{"push"}
	}
	if err := in.apply(c.f, &h); err != nil {
		return err
	}
	err := c.f.change(c.ctx(), func(v *view) error {
		have, _, err := v.q.Hooks(c.ctx(), c.repo.ID, hosted.Page{})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(have, func(o hosted.Hook) bool { return o.URL == h.URL && slices.Equal(o.Events, h.Events) }) {
			return invalid("Hook", "", "custom", "Hook already exists on this repository")
		}
		row, err := v.q.AddHook(c.ctx(), h)
		if err != nil {
			return err
		}
		h = row
		return c.ping(v, h)
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, c.f.wireHook(c.repo, h))
}

// ping sends one hook the event that tells it about itself.
func (c *call) ping(v *view, h hosted.Hook) error {
	body, err := v.payload(c.ctx(), c.repo, c.user.Login, "", map[string]any{"zen": "Keep it logically awesome.", "hook_id": h.ID, "hook": c.f.wireHook(c.repo, h)})
	if err != nil {
		return err
	}
	_, err = v.q.AddDelivery(c.ctx(), c.f.delivery(h, forge.EventPing, "", body))
	return err
}

func (c *call) editHook(h hosted.Hook) error {
	var in hookRequest
	if err := c.decode(&in); err != nil {
		return err
	}
	if err := in.apply(c.f, &h); err != nil {
		return err
	}
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.UpdateHook(c.ctx(), h) }); err != nil {
		return err
	}
	return c.getHook(h)
}

func (c *call) deleteHook(h hosted.Hook) error {
	if err := c.f.change(c.ctx(), func(v *view) error { return v.q.RemoveHook(c.ctx(), h.ID) }); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) pingHook(h hosted.Hook) error {
	if err := c.f.change(c.ctx(), func(v *view) error { return c.ping(v, h) }); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// testHook sends a push event about the default branch as it is, to a hook
// that listens to pushes.
func (c *call) testHook(h hosted.Hook) error {
	if !slices.Contains(h.Events, string(forge.EventPush)) && !slices.Contains(h.Events, "*") {
		return c.empty(http.StatusNoContent)
	}
	commit, err := oneCommit(c.ctx(), c.git(), "refs/heads/"+c.repo.DefaultBranch)
	if err != nil {
		return err
	}
	err = c.f.change(c.ctx(), func(v *view) error {
		w, err := v.pushCommit(c.ctx(), c.repo, commit, fileLists{})
		if err != nil {
			return err
		}
		body, err := v.payload(c.ctx(), c.repo, c.user.Login, "", map[string]any{"ref": "refs/heads/" + c.repo.DefaultBranch,
			"before": commit.SHA, "after": commit.SHA, "created": false, "deleted": false, "forced": false, "base_ref": nil,
			"compare": c.f.repoHTML(c.repo, "/compare/%.12s...%.12s", commit.SHA, commit.SHA),
			"commits": []wirePushCommit{w}, "head_commit": w, "pusher": wirePusher{Name: c.user.Login, Email: text(c.user.Email)}})
		if err != nil {
			return err
		}
		_, err = v.q.AddDelivery(c.ctx(), c.f.delivery(h, forge.EventPush, "", body))
		return err
	})
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

type wireDelivery struct {
	ID             int64             `json:"id"`
	GUID           string            `json:"guid"`
	DeliveredAt    stamp             `json:"delivered_at"`
	Redelivery     bool              `json:"redelivery"`
	Duration       float64           `json:"duration"` // seconds
	Status         string            `json:"status"`
	StatusCode     int               `json:"status_code"`
	Event          string            `json:"event"`
	Action         *string           `json:"action"`
	InstallationID *int64            `json:"installation_id"`
	RepositoryID   int64             `json:"repository_id"`
	ThrottledAt    *stamp            `json:"throttled_at"`
	URL            string            `json:"url,omitempty"`
	Request        *deliveryRequest  `json:"request,omitempty"`
	Response       *deliveryResponse `json:"response,omitempty"`
}

type deliveryRequest struct {
	Headers map[string]string `json:"headers"`
	Payload json.RawMessage   `json:"payload"`
}

type deliveryResponse struct {
	Headers map[string]string `json:"headers"`
	Payload *string           `json:"payload"`
}

// wireDelivery renders a delivery; one still on its way shows when it is due.
func (f *Forge) wireDelivery(d hosted.Delivery) wireDelivery {
	at := d.DeliveredAt
	if at.IsZero() {
		at = d.DueAt
	}
	return wireDelivery{ID: d.ID, GUID: d.GUID, DeliveredAt: stamp(at), Redelivery: d.Redelivery, Duration: float64(d.Duration/10_000) / 100,
		Status: d.Status, StatusCode: d.StatusCode, Event: d.Event, Action: text(d.Action), RepositoryID: d.RepoID}
}

// listDeliveries pages by cursor: the id of the last delivery shown.
func (c *call) listDeliveries(h hosted.Hook) error {
	var before int64
	if s := c.query("cursor"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return invalid("Hook", "cursor", "invalid", "")
		}
		before = n
	}
	_, size := c.page()
	rows, err := c.q.Deliveries(c.ctx(), h.ID, before, size+1)
	if err != nil {
		return err
	}
	if len(rows) > size {
		rows = rows[:size]
		v := c.r.URL.Query()
		v.Set("cursor", strconv.FormatInt(rows[size-1].ID, 10))
		c.w.Header().Set("Link", "<"+c.f.base+c.r.URL.Path+"?"+v.Encode()+`>; rel="next"`)
	}
	return list(c, rows, func(d hosted.Delivery) (wireDelivery, error) { return c.f.wireDelivery(d), nil })
}

// onDelivery loads the delivery of a path.
func onDelivery(do func(*call, hosted.Hook, hosted.Delivery) error) func(*call) error {
	return onHook(func(c *call, h hosted.Hook) error {
		id, err := c.number("delivery")
		if err != nil {
			return err
		}
		d, err := c.q.Delivery(c.ctx(), h.ID, id)
		if err != nil {
			return err
		}
		return do(c, h, d)
	})
}

func (c *call) getDelivery(_ hosted.Hook, d hosted.Delivery) error {
	w := c.f.wireDelivery(d)
	w.URL = d.URL
	w.Request = &deliveryRequest{d.RequestHeaders, json.RawMessage(d.Payload)}
	w.Response = &deliveryResponse{d.ResponseHeaders, text(d.ResponseBody)}
	return c.json(http.StatusOK, w)
}

// redeliver sends the same event once more, under the same GUID.
func (c *call) redeliver(h hosted.Hook, d hosted.Delivery) error {
	again := hosted.Delivery{HookID: h.ID, RepoID: d.RepoID, GUID: d.GUID, Event: d.Event, Action: d.Action, Redelivery: true,
		Pending: true, DueAt: c.f.now(), Status: "pending", URL: h.URL, Payload: d.Payload}
	if err := c.f.change(c.ctx(), func(v *view) error {
		_, err := v.q.AddDelivery(c.ctx(), again)
		return err
	}); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, struct{}{})
}
