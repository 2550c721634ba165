package artifact

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func measured(t testing.TB, name string, kind Kind, content string) Artifact {
	t.Helper()
	a, err := Measure(name, kind, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func sample(t testing.TB) Manifest {
	t.Helper()
	linux := measured(t, "halyard_1.2.0_linux_amd64.tar.gz", Archive, "linux bytes")
	linux.Platform = Platform{OS: "linux", Arch: "amd64"}
	arm := measured(t, "halyard_1.2.0_linux_arm_v7.tar.gz", Archive, "arm bytes")
	arm.Platform = Platform{OS: "linux", Arch: "arm", Variant: "v7"}
	return Manifest{
		Name: "halyard", Version: "v1.2.0", BuildVersion: "v1.2.0+0123456789ab",
		Commit:     "0123456789abcdef0123456789abcdef01234567",
		CommitTime: time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", 3600)),
		Artifacts:  []Artifact{measured(t, "release-notes.md", Notes, "# <Notes> & more\n"), arm, linux},
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	got := measured(t, "empty", Other, "")
	want := Artifact{Name: "empty", Kind: Other,
		SHA256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		SHA512: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := Measure("x", Other, iotest.ErrReader(errors.New("disk gone"))); err == nil || !strings.Contains(err.Error(), "disk gone") {
		t.Errorf("got %v", err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	a := measured(t, "f", Other, "content")
	for _, tc := range []struct {
		name, content string
		change        func(*Artifact)
		err           string
	}{
		{"same", "content", nil, ""},
		{"shorter", "conten", nil, "7 are expected"},
		{"longer", "content!", nil, "longer than 7"},
		{"other", "c0ntent", nil, "sha256"},
		{"only sha512 differs", "content", func(a *Artifact) { a.SHA512 = strings.Repeat("0", 128) }, "sha512"},
	} {
		want := a
		if tc.change != nil {
			tc.change(&want)
		}
		err := want.Verify(iotest.OneByteReader(strings.NewReader(tc.content)))
		if tc.err == "" && err != nil || tc.err != "" && (!errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), tc.err)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.err)
		}
	}
	if err := a.Verify(iotest.ErrReader(errors.New("cut"))); err == nil || errors.Is(err, ErrMismatch) {
		t.Errorf("a failing reader gives %v, which is no mismatch", err)
	}
}

func TestParseDigest(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	d, err := ParseDigest("sha256:" + sum)
	if err != nil || d.Algorithm() != SHA256 || d.Hex() != sum {
		t.Errorf("%q, %v", d, err)
	}
	if a := measured(t, "f", Other, "x"); a.Digest().Hex() != a.SHA256 {
		t.Errorf("digest is %s", a.Digest())
	}
	for _, bad := range []string{"", sum, "md5:" + sum, "sha256:" + sum[1:], "sha256:" + strings.ToUpper(sum), "sha256:" + strings.Repeat("zz", 32), "sha512:" + sum} {
		if d, err := ParseDigest(bad); err == nil {
			t.Errorf("%q was read as %q", bad, d)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "halyard_1.0.0+ab_linux_amd64.tar.gz", ".hidden", "ü"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", `a\b`, "a b", "a\n", "-rf", "c:", "a\x00", "\xff", strings.Repeat("a", 256)} {
		if err := CheckName(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParsePlatform(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in, slug string
		want     Platform
	}{
		{"linux/amd64", "linux_amd64", Platform{OS: "linux", Arch: "amd64"}},
		{"linux/arm/v7", "linux_arm_v7", Platform{OS: "linux", Arch: "arm", Variant: "v7"}},
		{"wasip1/wasm", "wasip1_wasm", Platform{OS: "wasip1", Arch: "wasm"}},
	} {
		got, err := ParsePlatform(tc.in)
		if err != nil || got != tc.want || got.String() != tc.in || got.Slug() != tc.slug {
			t.Errorf("%q is %+v (%s, %s), %v", tc.in, got, got, got.Slug(), err)
		}
	}
	for _, bad := range []string{"", "linux", "linux/", "/amd64", "Linux/amd64", "linux/amd64/v1/x", "linux/amd64 ", "../etc", "linux//v7"} {
		if p, err := ParsePlatform(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
	if _, err := ParsePlatforms([]string{"linux/amd64", "linux/amd64"}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a platform listed twice: %v", err)
	}
	if list, err := ParsePlatforms([]string{"linux/amd64", "linux/arm64"}); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if (Platform{}).String() != "" || !(Platform{}).IsZero() {
		t.Error("the zero platform is any")
	}
	var p Platform
	if err := json.Unmarshal([]byte(`"no platform"`), &p); err == nil {
		t.Error("read from JSON without a check")
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	m := sample(t)
	data, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "manifest.json", data)
	m.Artifacts[0], m.Artifacts[2] = m.Artifacts[2], m.Artifacts[0]
	if again, err := m.Encode(); err != nil || !bytes.Equal(data, again) {
		t.Errorf("another order of artifacts gives other bytes (%v)", err)
	}
	read, err := DecodeManifest(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := read.Encode(); err != nil || !bytes.Equal(data, again) {
		t.Errorf("the manifest does not survive reading (%v)", err)
	}
	if a, ok := read.Find("release-notes.md"); !ok || a.Kind != Notes {
		t.Errorf("found %+v, %v", a, ok)
	}
	if _, ok := read.Find("nothing"); ok {
		t.Error("found nothing")
	}
}

func TestManifestRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Manifest){
		"no version":       func(m *Manifest) { m.Version = "" },
		"full commit id":   func(m *Manifest) { m.Commit = "0123abc" },
		"cannot be a file": func(m *Manifest) { m.Artifacts[0].Name = "../x" },
		"name":             func(m *Manifest) { m.Name = "" },
		"listed twice":     func(m *Manifest) { m.Artifacts[1] = m.Artifacts[0] },
		"sha256":           func(m *Manifest) { m.Artifacts[0].SHA256 = "" },
		"sha512":           func(m *Manifest) { m.Artifacts[0].SHA512 = m.Artifacts[0].SHA256 },
		"has no kind":      func(m *Manifest) { m.Artifacts[0].Kind = "" },
		"has the size -1":  func(m *Manifest) { m.Artifacts[0].Size = -1 },
		"must be lower":    func(m *Manifest) { m.Artifacts[0].SHA256 = strings.Repeat("A", 64) },
		"not hex":          func(m *Manifest) { m.Artifacts[0].SHA256 = strings.Repeat("z", 64) },
	} {
		m := sample(t)
		change(&m)
		if _, err := m.Encode(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good, err := sample(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"unknown field": strings.Replace(string(good), `"name"`, `"extra": 1, "name"`, 1),
		"follows":       string(good) + "{}",
		"unexpected":    string(good[:len(good)/2]),
		"platform":      strings.Replace(string(good), "linux/amd64", "linux", 1),
	} {
		if _, err := DecodeManifest([]byte(data)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	a := []Artifact{measured(t, "same", Other, "1"), measured(t, "changed", Other, "1"), measured(t, "gone", Other, "1")}
	b := []Artifact{measured(t, "changed", Other, "22"), measured(t, "new", Other, "1"), measured(t, "same", Other, "1")}
	got := Diff(a, b)
	if len(got) != 3 || !strings.HasPrefix(got[0], "changed: 1 bytes sha256 6b86") || got[1] != "gone: only in the first" || got[2] != "new: only in the second" {
		t.Errorf("%q", got)
	}
	if got := Diff(a, a); len(got) != 0 {
		t.Errorf("no difference is %q", got)
	}
}

func TestChecksums(t *testing.T) {
	t.Parallel()
	list := sample(t).Artifacts
	for _, alg := range []Algorithm{SHA256, SHA512} {
		data, err := RenderChecksums(alg, list)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, alg.File(), data)
		sums, err := ParseChecksums(alg, data)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyChecksums(alg, sums, list); err != nil {
			t.Error(err)
		}
		if err := VerifyChecksums(alg, sums, list[:1]); err != nil {
			t.Errorf("one file of many: %v", err)
		}
		other := measured(t, list[0].Name, Notes, "tampered")
		if err := VerifyChecksums(alg, sums, []Artifact{other}); !errors.Is(err, ErrMismatch) {
			t.Errorf("a tampered file gives %v", err)
		}
		stranger := measured(t, "stranger", Other, "x")
		if err := VerifyChecksums(alg, sums, []Artifact{stranger}); !errors.Is(err, ErrMismatch) {
			t.Errorf("a file that is not listed gives %v", err)
		}
	}
	if _, err := RenderChecksums(SHA256, append(list, list[0])); err == nil {
		t.Error("a file listed twice was written")
	}
	if _, err := RenderChecksums("md5", list); err == nil {
		t.Error("md5 was written")
	}
}

func TestParseChecksumsStrictly(t *testing.T) {
	t.Parallel()
	sum := strings.Repeat("ab", 32)
	if got, err := ParseChecksums(SHA256, []byte(sum+" *f\n"+sum+"  g\n")); err != nil || len(got) != 2 || got[0].Name != "f" || got[1].Name != "g" {
		t.Errorf("%v, %v", got, err)
	}
	for name, tc := range map[string]struct{ data, err string }{
		"empty":           {"", "is empty"},
		"cut off":         {sum + "  f", ":1: the line is cut off"},
		"one space":       {sum + " f\n", ":1: write HEX"},
		"no name":         {sum + "  \n", "cannot be a file name"},
		"only a sum":      {sum + "\n", ":1: write HEX"},
		"short sum":       {sum[:63] + "  f\n", "64 hex digits"},
		"sha512 sum":      {sum + sum + "  f\n", "64 hex digits"},
		"upper case":      {strings.ToUpper(sum) + "  f\n", "lower case"},
		"folder":          {sum + "  ../f\n", "cannot be a file name"},
		"three spaces":    {sum + "   f\n", "cannot be a file name"},
		"windows line":    {sum + "  f\r\n", "cannot be a file name"},
		"twice":           {sum + "  f\n" + sum + "  f\n", ":2: f is listed twice"},
		"blank line":      {sum + "  f\n\n", ":2: write HEX"},
		"bad second line": {sum + "  f\nxx  g\n", "SHA256SUMS:2"},
	} {
		if got, err := ParseChecksums(SHA256, []byte(tc.data)); err == nil || !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %v, %v; want %q", name, got, err, tc.err)
		}
	}
}

func FuzzParseChecksums(f *testing.F) {
	sum := strings.Repeat("0f", 32)
	f.Add([]byte(sum + "  name\n"))
	f.Add([]byte(sum + " *name\n" + sum + "  b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := ParseChecksums(SHA256, data)
		if err != nil {
			return
		}
		if len(sums) == 0 || bytes.Count(data, []byte("\n")) != len(sums) {
			t.Fatalf("%d sums from %q", len(sums), data)
		}
		for _, s := range sums {
			if CheckName(s.Name) != nil || len(s.Hex) != 64 {
				t.Fatalf("accepted %+v", s)
			}
		}
	})
}

func FuzzDecodeManifest(f *testing.F) {
	data, err := sample(f).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data)
		if err != nil {
			return
		}
		once, err := m.Encode()
		if err != nil {
			t.Fatalf("decoded, but: %v", err)
		}
		again, err := DecodeManifest(once)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not stable: %v", err)
		}
	})
}

func FuzzParsePlatform(f *testing.F) {
	f.Add("linux/arm/v7")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := ParsePlatform(s); err == nil && (p.String() != s || CheckName(p.Slug()) != nil) {
			t.Fatalf("%q is %+v", s, p)
		}
	})
}
