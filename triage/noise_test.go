package triage

import (
	"fmt"
	"strings"
	"testing"
)

func TestMoments(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"2026-03-01", "2026/03/01", "2026-03-01T10:11:12Z", "2026-03-01T10:11:12.123456789Z", "2026-03-01 10:11:12,123",
		"2026-03-01 10:11:12 +0000 UTC", "2026-03-01T10:11:12+02:00", "2026-03-01_10-11-12", "2026/03/01 10:11:12",
		"10:11:12", "1:11:12 PM", "10:11:12 m=+1.5", "3/1/2026 1:02:03", "12/10/25 13:52:29.244",
		"Jan 2 15:04:05", "Jan  2 15:04:05.000", "Mon Jan 2 15:04:05 2006", "Mon Jan 2 15:04:05 UTC 2006",
		"Mon, 02 Jan 2006 15:04:05 -0700", "Mon, 2 January 2006 15:04:05 GMT", "2 Jan 2006", "I0102 15:04:05.000000",
	} {
		if _, _, to := moment(text, 0); to != len(text) {
			t.Errorf("%q is a moment up to %d of %d", text, to, len(text))
		}
	}
	for _, text := range []string{
		"", "2026", "2026-3-1x", "20-03-01", "10:11", "10:1:12", "100:11:12", "3/1", "3/1/2026 no", "Jan", "January", "Jan x 15:04:05",
		"Monday", "Mon is", "Wed, 2", "I0102", "I0102 x", "12 Mar", "12 Nothings 2026 ok?", "May be late", "Sat down there",
	} {
		if mark, _, to := moment(text+" ", 0); to > 0 {
			t.Errorf("%q has the moment %q, %s", text, text[:to], mark)
		}
	}
}

func TestPlacesOfMachines(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"ip-10-0-0-1":                            markNode,
		"ip-10-0-0-1.eu-west-1.compute.internal": markNode,
		"i-0d1f2dfeb37c586ad":                    markNode,
		"kind-worker":                            markNode,
		"kind-control-plane":                     markNode,
		"e2e-minion-group-x8q2":                  markNode,
		"gke-a-default-pool-1a2b3c4d-x8q2":       markNode,
		"aks-nodepool1-12345678-vmss000001":      markNode,
		"nodes-us-west1-a-w0fq":                  markNode,
		"control-plane-us-west1-a-w0fq":          markNode,
		"master-eu-west-1a-ab12":                 markNode,
		"us-central1":                            markZone,
		"us-central1-b":                          markZone,
		"northamerica-northeast2-c":              markZone,
		"ap-southeast-2":                         markZone,
		"eu-central-1b":                          markZone,
		"ip-address":                             "",
		"i-am":                                   "",
		"kind-of":                                "",
		"nodes-are-down":                         "",
		"control-group":                          "",
		"us-too":                                 "",
		"us-east":                                "",
		"me-north-west":                          "",
		"kube-proxy":                             "",
		"ip-10-0-0-1.example":                    markNode,
		"bootstrap-e2e-minion-group-x8q2.c.x.internal": markNode,
		"control-plane-endpoint":                       "",
	} {
		mark, n := place(name)
		if mark != want {
			t.Errorf("%s is %q, want %q", name, mark, want)
		}
		if strings.HasSuffix(name, "internal") && n != len(name) {
			t.Errorf("%s is a node up to %d of %d", name, n, len(name))
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"1.2.3.4": 7, "1.2.3.4:80": 10, "10.0.0.0/8 ": 10, "1.2.3": 0, "1.2.3.4444": 0, "1.2.3.x": 0, "1234.1.1.1": 0, "1.2.3.4:x": 7} {
		if got := address4(text); got != want {
			t.Errorf("IPv4: %q is %d bytes, want %d", text, got, want)
		}
	}
	for text, want := range map[string]int{"fe80::1": 7, "::1": 3, "2001:db8:0:0:0:0:0:1": 20, "2001:db8::": 10, "fd00::1: no": 7, "0a:1b:2c:3d:4e:5f": 17, "ab::be": 0, "10:11:12": 0,
		"1:2": 0, "::": 0, "fe80::1x": 0, strings.Repeat("1:", 40): 0} {
		if got := address6(text); got != want {
			t.Errorf("IPv6: %q is %d bytes, want %d", text, got, want)
		}
	}
}

func TestMeasures(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"12": "12", "1.5s x": "1.5s", "1h5m30.1s": "1h5m30.1s", "1,234.5": "1,234.5", "1.5e+09": "1.5e+09", "1e-9s": "1e-9s",
		"128Mi": "128Mi", "3µs": "3µs", "5xs": "5", "12.": "12", "12.a": "12", "4KBs": "4", "7m3": "7m3"} {
		if got := text[:measure(text, 0)]; got != want {
			t.Errorf("%q measures %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"1.2.3-rc.1 x": "1.2.3-rc.1", "1.2-alpha.3+abc.d-e": "1.2-alpha.3+abc.d", "1.2": "1.2", "1.2-beta": "1.2-beta"} {
		if got := text[:version(text, 0)]; got != want {
			t.Errorf("%q is version %q, want %q", text, got, want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"x-bdf59":                       "x-<id>",
		"x-mtkvb":                       "x-<id>",
		"x-7d4b9c6f5":                   "x-<id>",
		"x-kkvtgpznb":                   "x-<id>",
		"x-a1b2":                        "x-<id>",
		"x-5405":                        "x-<id>",
		"bdf59":                         "bdf59",
		"x-front":                       "x-front",
		"x-proxy":                       "x-proxy",
		"x-v1beta1":                     "x-v1beta1",
		"x-ipv6":                        "x-ipv6",
		"0dc4b1f":                       "<id>",
		"deadbeefcafe":                  "<id>",
		"effaced":                       "effaced",
		"a8F3kQ2zP9":                    "<id>",
		"base64":                        "base64",
		"x86_a":                         "x86_a",
		"123456":                        "<n>",
		"E2E-1":                         "E2E-<id>",
		"vmss000001":                    "vmss<n>",
		"sha512":                        "sha512",
		strings.Repeat("ab12", 16):      "<id>",
		"pvc-" + strings.Repeat("a", 8): "pvc-aaaaaaaa",
	} {
		if got := Normalise(text); got != want {
			t.Errorf("%q is normalised to %q, want %q", text, got, want)
		}
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	seen := map[uint64]string{}
	for i := range 100_000 {
		text := fmt.Sprintf("%d", i)
		for _, s := range []string{text, text + "\x00", strings.Repeat("x", i%30) + text} {
			h := hashText(s)
			if other, ok := seen[h]; ok && other != s {
				t.Fatalf("%q and %q have one hash", s, other)
			}
			seen[h] = s
			if h != hashBytes([]byte(s)) {
				t.Fatalf("%q has two hashes", s)
			}
		}
	}
	if mix(1, 2) == mix(2, 1) || mix(prime1, 5) == mix(prime1, 6) || mix(5, prime2) == mix(6, prime2) {
		t.Error("mixing forgets")
	}
}
