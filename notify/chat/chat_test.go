package chat_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"seaworthy/notify/chat"
)

// server is a chat as far as Slack's documentation tells of it.
func server(t *testing.T, answer func(method string, form map[string]string) any) (string, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var calls []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		form := map[string]string{}
		for name := range r.PostForm {
			form[name] = r.PostForm.Get(name)
		}
		if r.Header.Get("Authorization") != "Bearer xoxb-7" && form["token"] != "xoxb-7" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mu.Lock()
		calls = append(calls, strings.TrimPrefix(r.URL.Path, "/api/")+" "+form["channel"]+" "+form["ts"]+" "+form["text"])
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer(r.URL.Path, form)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/api", func() []string {
		mu.Lock()
		defer mu.Unlock()
		return calls
	}
}

func TestPostAndEdit(t *testing.T) {
	t.Parallel()
	url, calls := server(t, func(string, map[string]string) any {
		return map[string]any{"ok": true, "channel": "C024BE91L", "ts": "1503435956.000247"}
	})
	room, err := chat.New(chat.Options{Token: "xoxb-7", Address: url})
	if err != nil {
		t.Fatal(err)
	}
	id, err := room.Post(t.Context(), "#releases", "*Cut*: running")
	if err != nil || id != "C024BE91L 1503435956.000247" {
		t.Fatalf("posted %q, %v", id, err)
	}
	if err := room.Edit(t.Context(), id, "*Cut*: done & <dusted>"); err != nil {
		t.Fatal(err)
	}
	got := calls()
	want := []string{"chat.postMessage #releases  *Cut*: running", "chat.update C024BE91L 1503435956.000247 *Cut*: done & <dusted>"}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the chat was called\n%q, want\n%q", got, want)
	}
	if err := room.Edit(t.Context(), "nothing", "x"); err == nil {
		t.Error("a message without a name was edited")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	url, _ := server(t, func(string, map[string]string) any { return map[string]any{"ok": false, "error": "channel_not_found"} })
	for _, tt := range []struct{ token, want string }{{"xoxb-7", "channel_not_found"}, {"xoxb-secret", "401"}} {
		room, err := chat.New(chat.Options{Token: tt.token, Address: url + "/"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = room.Post(t.Context(), "#nowhere", "x")
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "#nowhere") || strings.Contains(err.Error(), "xoxb") {
			t.Errorf("posting: %v", err)
		}
	}
	for _, o := range []chat.Options{{}, {Token: "x", Address: "ftp://chat.example/"}, {Token: "x", Address: "http://chat.example/api/"}, {Token: "x", Address: "https://a:b@chat.example/"}} {
		if _, err := chat.New(o); err == nil || strings.Contains(err.Error(), "a:b") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestEscape(t *testing.T) {
	t.Parallel()
	if got := chat.Escape("<!channel> & <@U1>"); got != "&lt;!channel&gt; &amp; &lt;@U1&gt;" {
		t.Error(got)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	url, calls := server(t, func(_ string, form map[string]string) any {
		if form["channel"] != "C024BE91L" {
			return map[string]any{"ok": false, "error": "channel_not_found"}
		}
		return map[string]any{"ok": true, "messages": []map[string]any{{"ts": "1503435956.000247", "text": "two: abc"}, {"ts": "1503435955.000000", "text": "one"}}}
	})
	room, err := chat.New(chat.Options{Token: "xoxb-7", Address: url})
	if err != nil {
		t.Fatal(err)
	}
	since := time.Unix(1503435000, 0)
	if id, err := room.Find(t.Context(), "C024BE91L 1", "abc", since); err != nil || id != "C024BE91L 1503435956.000247" {
		t.Errorf("found %q, %v", id, err)
	}
	if id, err := room.Find(t.Context(), "C024BE91L 1", "xyz", since); err != nil || id != "" {
		t.Errorf("found %q, %v", id, err)
	}
	if _, err := room.Find(t.Context(), "C7 1", "abc", since); err == nil || !strings.Contains(err.Error(), "channel_not_found") {
		t.Errorf("got %v", err)
	}
	if got := calls(); len(got) != 3 || !strings.HasPrefix(got[0], "conversations.history C024BE91L") {
		t.Errorf("calls %q", got)
	}
}
