package triage

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"blank", " \t\n\r\n", ""},
		{"words stay", "kube-proxy is no kube-front", "kube-proxy is no kube-front"},
		{"RFC 3339", "at 2026-03-01T10:11:12.345Z and 2026-03-01T10:11:12+02:00", "at <time> and <time>"},
		{"Go's time", "0001-01-01 00:00:00 +0000 UTC m=+1.25 done", "<time> done"},
		{"log", "2026/03/01 10:11:12 boom", "<time> boom"},
		{"date alone", "since 2026-03-01, always", "since <time>, always"},
		{"Ginkgo", "12/10/25 13:52:29.244 boom", "<time> boom"},
		{"syslog", "Jan  2 15:04:05.000: boom", "<time>: boom"},
		{"ANSI C", "Mon Jan  2 15:04:05 2006 boom", "<time> boom"},
		{"mail", "Mon, 12 January 2017 11:34:35 -0700 boom", "<time> boom"},
		{"HTTP", "Thu, 01 Jan 1970 00:00:00 GMT", "<time>"},
		{"day first", "12 Mar 2024 boom", "<time> boom"},
		{"klog keeps its level", "E0102 15:04:05.000000   12 a.go:7] boom", "E<time> <n> a.go:<n>] boom"},
		{"time of day", "at 3:04:05, not at 3:04", "at <time>, not at <n>"},
		{"file's name", "run-2026-03-01T10_11_12_345Z.log", "run-<id>_<n>_<n>_<n>Z.log"},
		{"file's name of its own", "run/2026-03-01T10_11_12_345Z.log", "run/<time>.log"},
		{"hexadecimal", "0xc000ab12 +0x1F", "<hex> +<hex>"},
		{"UUID", "id bfaaf97e-62db-3c4f-bd99-0b97fad10610.", "id <id>."},
		{"UUID of letters", "pvc-eadcdbba-aaaa-bbbb-cccc-ddddddddeeee", "pvc-<id>"},
		{"digest", "commit 1a2b3c4 of sha256:" + strings.Repeat("0a", 32), "commit <id> of sha256:<id>"},
		{"words of hexadecimal letters", "decade facade", "decade facade"},
		{"addresses", "10.0.0.1:443 to 192.168.0.0/16, fd00:10:96::1, ::1, 0a:1b:2c:3d:4e:5f", "<ip> to <ip>"},
		{"C++ is no address", "std::string ab::be", "std::string ab::be"},
		{"port", "localhost:38017 x:38017/", "localhost:<n> x:<n>/"},
		{"generated names", "web-x7k2p api-7d4b9c6f5-x2x4z db-kkvtgpzn-bcdfg job-28934", "web-<id> api-<id> db-<id> job-<id>"},
		{"words like them", "kube-https linux-ppc64 over-http a-tmpfs", "kube-https linux-ppc64 over-http a-tmpfs"},
		{"nodes", "bootstrap-e2e-minion-group-x8q2 gke-a-default-pool-1a2b3c4d-x8q2, i-0d1f2dfeb37c586ad; kind-worker2: nodes-us-west1-a-w0fq. ip-172-20-1-2.eu-west-1.compute.internal? aks-pool-12345678-vmss000001", "<node>? <node>"},
		{"zones", "us-central1-b or us-central1 or eu-west-1a; me-too", "<zone> or <zone> or <zone>; me-too"},
		{"numbers", "want 3 got -5, 12.5%, 1,234 of 1.5e+09", "want <n> got -<n>%, <n> of <n>"},
		{"units", "1h5m30.1s 300ms 128Mi 4KB 5xyz 2nd", "<n>xyz <n>nd"},
		{"names of numbers", "exit status 137 HTTP 404 code: 409 signal 9 (status=503) errno 2", "exit status 137 HTTP 404 code: 409 signal 9 (status=503) errno 2"},
		{"no names of numbers", "status 4040404 code 12.5s", "status <n> code <n>"},
		{"line numbers", "cart_test.go:27: boom", "cart_test.go:<n>: boom"},
		{"versions", "v1.34.0-alpha.1.23+abc1234 but v1 and v1beta1", "v<n> but v1 and v1beta1"},
		{"names with digits", "ipv4 ipv6 sha256 x509 e2e k8s node001", "ipv4 ipv6 sha256 x509 e2e k8s node<n>"},
		{"map", "map[b:2 a:map[d:4 c:3] c:x]", "map[a:map[c:<n> d:<n>] b:<n> c:x]"},
		{"lists", "[db-x2k4j db-9zz7w, db-8vb2c] is 1, 2, 3", "[db-<id>] is <n>"},
		{"repeated lines", "a\nwait 1\nwait 2\nb\nwait 3", "a\nwait <n>\nb"},
		{"colours", "\x1b[1;31mFAIL\x1b[0m \x1b", "FAIL"},
		{"waiting goroutine", "goroutine 7 [chan receive, 3 minutes]:", "goroutine <n> [chan receive]:"},
		{"log in passing", "it broke very badly\n2026-03-01 10:11:12 INFO: went on\n2026-03-01 10:11:12 INFO: it failed", "it broke very badly\n<time> INFO: it failed"},
		{"nothing but a log", "I0102 15:04:05.000000 began\nI0102 15:04:05.000000 went on", "I<time> began\nI<time> went on"},
		{"not UTF-8", "a\xffb \xfe1", "a\xffb \xfe1"},
	} {
		if got := Normalise(c.in); got != c.want {
			t.Errorf("%s: %q is normalised to\n%q, want\n%q", c.name, c.in, got, c.want)
		}
	}
}

// The same cause, told with other noise, must state the same; another cause
// must not.
func TestStatements(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"poll 1\npoll 2", "poll 1\npoll 2\npoll 3\npoll 4", true},
		{"pod a-x2k4j: a-x2k4j again", "pod a-x2k4j: a-9zz7w again", true},
		{"on kind-worker", "on ip-10-0-0-1.eu-west-1.compute.internal", true},
		{"a  b\r\n\n c", "a b\nc", true},
		{"want true, got false", "want false, got true", false},
		{"exit status 1", "exit status 2", false},
		{"volume token not found", "volume quota not found", false},
		{"Expected\n1\nto equal\n2", "Expected\n1\nnot to equal\n2", false},
	} {
		if same := Normalise(c.a) == Normalise(c.b); same != c.same {
			t.Errorf("%q and %q: same is %v", c.a, c.b, same)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, c := range corpus(f) {
		f.Add(c.text)
	}
	f.Add("map[a [b map[c")
	f.Add("1:2:3 1/2/3 1-2-3 1.2.3.4.5::6")
	f.Add("Mon, Jan 1 I0102 2026-01-02T v1.+ -x7k2p \x1b[")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<16 {
			return
		}
		var s scanner
		s.read(text)
		statement := string(s.out)
		if utf8.ValidString(text) && !utf8.ValidString(statement) {
			t.Fatalf("%q became %q, which is not UTF-8", text, statement)
		}
		last := 0
		for _, n := range s.noise {
			if n.from < last || n.to <= n.from || n.to > len(text) {
				t.Fatalf("noise %v after %d in %q", n, last, text)
			}
			last = n.to
		}
		if lines := strings.Count(statement, "\n"); statement != "" && lines+1 != len(s.lines) {
			t.Fatalf("%q has %d lines, %d were counted", statement, lines+1, len(s.lines))
		}
		g := newGroup(&s)
		g.add(&s, member{raw: hashText(text)}, sometime, 1000)
		sum := 0
		for i, n := range spans(g, []*group{g}) {
			if n < 0 || n == 0 && i > 0 {
				t.Fatalf("spans of %q: %v", g.text, spans(g, []*group{g}))
			}
			sum += n
		}
		if sum != len(g.text) {
			t.Fatalf("spans of %q cover %d of %d bytes", g.text, sum, len(g.text))
		}
		var again scanner
		again.read(text)
		if string(again.out) != statement || again.statement != s.statement {
			t.Fatalf("%q is normalised to %q, then to %q", text, statement, again.out)
		}
	})
}

// Whatever a text is made of, reading it takes time in proportion to its length.
func TestNormaliseIsLinear(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("skipped: some seconds of reading, run without -short")
	}
	for _, piece := range []string{"a", "1", "-", ":", "a:", "1:", "a-b.", "1.", "1,", "-x7k2p", "map[", "]", "[", " 1", "/", "1h", "v1.", "Mon ", "Jan 1 ", "2026-01-02T", "\x1b[", "0x", "i-", "us-", "\n", "\xc3", "a1", "e+"} {
		times := func(n int) time.Duration {
			text := strings.Repeat(piece, n/len(piece))
			best := time.Hour
			for range 3 {
				var s scanner
				began := time.Now()
				s.read(text)
				g := newGroup(&s)
				g.add(&s, member{}, sometime, n)
				g.share(&s)
				spans(g, []*group{g})
				best = min(best, time.Since(began))
			}
			return best
		}
		short, long := times(1<<14), times(1<<18)
		if long > 100*short+50*time.Millisecond { // 16 times the length
			t.Errorf("%q: %v for 16 kB, %v for 256 kB", piece, short, long)
		}
	}
}
