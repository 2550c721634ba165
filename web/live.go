package web

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Hub tells open pages that something they show has changed. The zero value is
// ready for use. It carries topics only ("runs", "changes"), never content:
// what a page may see is decided when it is asked for again.
type Hub struct {
	mu   sync.Mutex
	next int
	subs map[int]subscription
}

type subscription struct {
	topics map[string]bool
	wake   chan struct{}
}

// Publish wakes everybody who listens to the topic. It never blocks: somebody
// who has not yet looked since the last wake is not woken twice.
func (h *Hub) Publish(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		if s.topics[topic] || s.topics["*"] {
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
	}
}

// Subscribe returns a channel that receives after any of the topics changed
// ("*" is every topic), and a function that ends the subscription.
func (h *Hub) Subscribe(topics ...string) (<-chan struct{}, func()) {
	s := subscription{topics: map[string]bool{}, wake: make(chan struct{}, 1)}
	for _, t := range topics {
		s.topics[t] = true
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = map[int]subscription{}
	}
	id := h.next
	h.next++
	h.subs[id] = s
	return s.wake, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs, id)
	}
}

// A page is woken at most this often, so that a busy server does not make a
// browser render all day.
const quiet = 250 * time.Millisecond

// live is the stream of server-sent events.
func (s *Site) live(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	wake, stop := s.Hub.Subscribe(strings.Fields(r.FormValue("topics"))...)
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	alive := time.NewTicker(20 * time.Second)
	defer alive.Stop()
	send := func(text string) bool {
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
	if !send("retry: 1000\n\n") {
		return
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			if !send(": still here\n\n") {
				return
			}
		case <-wake:
			if !send("data: changed\n\n") {
				return
			}
			pause := time.NewTimer(quiet)
			select {
			case <-r.Context().Done():
				pause.Stop()
				return
			case <-pause.C:
			}
		}
	}
}
