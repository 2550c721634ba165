package local

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"seaworthy/store/hosted"
)

const (
	hookTimeout   = 10 * time.Second // GitHub's
	hookBatch     = 64
	hookParallel  = 4
	maxHookAnswer = 64 << 10           // how much of an answer is kept
	hookMemory    = 3 * 24 * time.Hour // how long a delivery can be looked at, and sent again
)

// backOff is how long a failed delivery waits: one second, doubling, up to
// five minutes; ten attempts.
func backOff(attempts int) (time.Duration, bool) {
	if attempts >= 10 {
		return 0, false
	}
	return min(time.Second<<(attempts-1), 5*time.Minute), true
}

// sender sends deliveries.
type sender struct {
	client *http.Client
	remote bool // may leave this machine
	self   *url.URL
	woken  chan struct{}
	state  *senderState
}

// senderState lets others wait until there is nothing to send.
type senderState struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, after each round
}

func newSender(client *http.Client, remote bool, self *url.URL) sender {
	s := sender{remote: remote, self: self, woken: make(chan struct{}, 1), state: &senderState{changed: make(chan struct{})}}
	if client == nil {
		client = &http.Client{Timeout: hookTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: hookParallel, IdleConnTimeout: time.Minute,
			DialContext: (&net.Dialer{Timeout: hookTimeout, Control: s.control}).DialContext}}
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.client = &own
	return s
}

// control refuses a connection that a name led away from this machine.
func (s sender) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("a webhook's address %s: %w", address, err)
	}
	if !s.remote && !ap.Addr().Unmap().IsLoopback() && address != s.self.Host {
		return fmt.Errorf("webhooks go to this machine only, not to %s", ap.Addr())
	}
	return nil
}

// allowed checks where a hook may point.
func (s sender) allowed(u *url.URL) error {
	if s.remote || u.Hostname() == "localhost" || u.Host == OwnHost {
		return nil
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && a.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("webhooks go to this machine only: use localhost or 127.0.0.1, not %s", u.Hostname())
}

// wake says that there may be something to send.
func (s sender) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// Run does the forge's background work until ctx ends, and waits for it: it
// settles what a crash left half done, and sends stored webhook deliveries,
// each until it succeeds or is given up. It returns nil when ctx ends.
func (f *Forge) Run(ctx context.Context) error {
	if err := f.settleAll(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	var pruned time.Time
	for ctx.Err() == nil {
		wait, err := f.deliverDue(ctx)
		if err != nil && ctx.Err() == nil {
			f.log.Error("sending webhooks", "error", err)
			wait = time.Second
		}
		if wait == 0 {
			continue
		}
		if now := f.now(); now.Sub(pruned) > time.Hour {
			pruned = now
			if err := f.store.Write(ctx, func(q *hosted.Queries) error { return q.ForgetDeliveries(ctx, now.Add(-hookMemory)) }); err != nil && ctx.Err() == nil {
				f.log.Error("forgetting old deliveries", "error", err)
			}
		}
		f.sender.state.round()
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-f.sender.woken:
		case <-t.C:
		}
		t.Stop()
	}
	return nil
}

// settleAll announces what moved while nobody was looking: a push whose
// process died before it could.
func (f *Forge) settleAll(ctx context.Context) error {
	repos, err := f.store.Read().AllRepos(ctx)
	if err != nil {
		return err
	}
	for _, r := range repos {
		unlock, err := f.locks.lock(ctx, r.ID)
		if err != nil {
			return err
		}
		err = f.settle(ctx, r, r.Owner)
		unlock()
		if err != nil {
			f.log.Error("settling a repository", "repo", r.FullName(), "error", err)
		}
	}
	return nil
}

// deliverDue sends what is due and returns how long nothing will be; 0 if
// there may be more already. Deliveries to one hook are sent in their order,
// those to different hooks at the same time.
func (f *Forge) deliverDue(ctx context.Context) (time.Duration, error) {
	due, err := f.store.Read().DueDeliveries(ctx, f.now(), hookBatch)
	if err != nil {
		return 0, err
	}
	if len(due) == 0 {
		next, err := f.store.Read().NextDue(ctx)
		if errors.Is(err, hosted.ErrNotFound) {
			return time.Hour, nil
		}
		return min(max(next.Sub(f.now()), time.Millisecond), time.Hour), err
	}
	byHook := map[int64][]hosted.Delivery{}
	for _, d := range due {
		byHook[d.HookID] = append(byHook[d.HookID], d)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(hookParallel)
	for _, ds := range byHook {
		g.Go(func() error {
			for _, d := range ds {
				if err := f.deliver(ctx, d); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return 0, g.Wait()
}

// deliver tries a delivery once, and stores what came of it.
func (f *Forge) deliver(ctx context.Context, d hosted.Delivery) error {
	h, err := f.store.Read().Hook(ctx, d.RepoID, d.HookID)
	if errors.Is(err, hosted.ErrNotFound) {
		return nil // removed meanwhile, and its deliveries with it
	}
	if err != nil {
		return err
	}
	d.URL = h.URL
	start := time.Now() // how long it takes is measured, whatever the clock says
	err = f.attempt(ctx, h, &d)
	if ctx.Err() != nil {
		return ctx.Err() // stopping: it stays due
	}
	d.Attempts++
	d.DeliveredAt, d.Duration = f.now(), time.Since(start).Microseconds()
	if err != nil {
		d.Status, d.StatusCode = err.Error(), 0
		f.log.Warn("webhook not delivered", "hook", h.ID, "event", d.Event, "attempt", d.Attempts, "error", err)
	}
	d.Pending = false
	if d.StatusCode < 200 || d.StatusCode > 299 {
		if wait, again := f.o.RetryHook(d.Attempts); again {
			d.Pending, d.DueAt = true, f.now().Add(wait)
		}
	}
	h.LastCode, h.LastStatus = d.StatusCode, d.Status
	err = f.store.Write(ctx, func(q *hosted.Queries) error {
		if err := q.UpdateDelivery(ctx, d); err != nil {
			return err
		}
		return q.NoteResponse(ctx, h)
	})
	if errors.Is(err, hosted.ErrNotFound) {
		return nil
	}
	return err
}

// attempt sends one request. It fills in the delivery's request and response.
func (f *Forge) attempt(ctx context.Context, h hosted.Hook, d *hosted.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	body, contentType := []byte(d.Payload), "application/json"
	if h.ContentType == "form" {
		body, contentType = []byte(url.Values{"payload": {d.Payload}}.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if err := f.sender.allowed(req.URL); err != nil {
		return err
	}
	if req.URL.Host == OwnHost {
		req.URL.Scheme, req.URL.Host, req.Host = f.sender.self.Scheme, f.sender.self.Host, f.sender.self.Host
	}
	secret, err := f.sealer.open(h.Secret)
	if err != nil {
		return err
	}
	for k, v := range map[string]string{"Content-Type": contentType, "User-Agent": "GitHub-Hookshot/seaworthy", "Accept": "*/*",
		"X-GitHub-Event": d.Event, "X-GitHub-Delivery": d.GUID, "X-GitHub-Hook-ID": strconv.FormatInt(h.ID, 10),
		"X-GitHub-Hook-Installation-Target-Type": "repository", "X-GitHub-Hook-Installation-Target-ID": strconv.FormatInt(h.RepoID, 10)} {
		req.Header.Set(k, v)
	}
	if secret != "" {
		req.Header.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, body))
		req.Header.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, body))
	}
	d.RequestHeaders, d.ResponseHeaders, d.ResponseBody = flat(req.Header), nil, ""
	resp, err := f.sender.client.Do(req)
	if err != nil {
		return fmt.Errorf("failed to connect to host: %w", err)
	}
	defer resp.Body.Close()
	// The status has arrived; an answer that is cut short after it is one.
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxHookAnswer))
	if err != nil {
		f.log.Debug("a webhook's answer was cut short", "hook", h.ID, "error", err)
	}
	d.ResponseHeaders, d.ResponseBody = flat(resp.Header), string(answer)
	d.StatusCode, d.Status = resp.StatusCode, http.StatusText(resp.StatusCode)
	return nil
}

func sign(h func() hash.Hash, secret string, body []byte) string {
	m := hmac.New(h, []byte(secret))
	m.Write(body)
	return hex.EncodeToString(m.Sum(nil))
}

// flat joins the values of each header.
func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for k, v := range h {
		out[k] = strings.Join(v, ", ")
	}
	return out
}

// round tells those who wait that a round of deliveries is over.
func (s *senderState) round() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Idle waits until no delivery is pending, or ctx ends. Run must be running.
// Deliveries that wait for another attempt count as pending.
func (f *Forge) Idle(ctx context.Context) error {
	for {
		f.sender.state.mu.Lock()
		changed := f.sender.state.changed
		f.sender.state.mu.Unlock()
		_, err := f.store.Read().NextDue(ctx)
		if errors.Is(err, hosted.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		f.sender.wake()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
