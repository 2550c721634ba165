package result_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocloud.dev/blob/memblob"

	"seaworthy/job/result"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Results are stored compressed by some, and not every storage unpacks them.
func TestCompressedBuild(t *testing.T) {
	t.Parallel()
	b := memory(t, map[string]string{
		"logs/j/1/started.json":           zipped(t, `{"timestamp":1772884800}`),
		"logs/j/1/finished.json":          zipped(t, `{"timestamp":1772884900,"passed":true}`),
		"logs/j/1/podinfo.json":           zipped(t, `{"pod":{"metadata":{"name":"p"},"status":{"phase":"Succeeded"}}}`),
		"logs/j/1/artifacts/junit_a.xml":  zipped(t, `<testsuite><testcase name="a"/></testsuite>`),
		"logs/j/1/artifacts/junit_é.xml":  zipped(t, "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><testsuite><testcase name=\"\xe9\"/></testsuite>"),
		"logs/j/1/artifacts/x/junit2.xml": `<testsuite><testcase name="plain"/></testsuite>`,
	})
	build, err := result.LoadBuild(t.Context(), b, "logs/j/1")
	if err != nil || build.Malformed != "" || len(build.Irregular) > 0 {
		t.Fatalf("%v, %q, %q", err, build.Malformed, build.Irregular)
	}
	var names []string
	for _, test := range build.Tests {
		names = append(names, test.Name)
	}
	if got := strings.Join(names, " "); got != "a é plain" {
		t.Errorf("tests %q", got)
	}
	if build.Started.Timestamp != 1772884800 || !build.Finished.Passed || build.Pod == nil || !build.Pod.Passed {
		t.Errorf("%+v %+v %+v", build.Started, build.Finished, build.Pod)
	}
}

// A small file may unpack to a huge one, or not at all: it is the file's fault.
func TestCompressedAndDamaged(t *testing.T) {
	t.Parallel()
	whole := zipped(t, "<testsuite>"+strings.Repeat(`<testcase name="a"/>`, 1000)+"</testsuite>")
	for name, text := range map[string]string{
		"cut off":     whole[:len(whole)/2],
		"only a mark": whole[:3],
		"changed":     whole[:20] + strings.Repeat("\xff", len(whole)-20),
		"a checksum":  whole[:len(whole)-8] + "\x00\x00\x00\x00\x00\x00\x00\x00",
		"twice":       zipped(t, whole),
	} {
		tests, err := result.ParseJUnit(strings.NewReader(text), result.Limits{})
		var malformed *result.MalformedError
		if !errors.As(err, &malformed) {
			t.Errorf("%s: %d tests, %v; want a malformed file", name, len(tests), err)
		}
	}
	bomb := zipped(t, "<testsuite>"+strings.Repeat(" ", 1<<20)+"</testsuite>")
	_, err := result.ParseJUnit(strings.NewReader(bomb), result.Limits{Bytes: 1 << 16})
	if err == nil || !strings.Contains(err.Error(), "larger than 65536 bytes") {
		t.Errorf("a file that is large when unpacked: %v", err)
	}
	b := memory(t, map[string]string{
		"logs/j/1/started.json":  zipped(t, `{"timestamp":1772884800,"x":"`+strings.Repeat("x", 2<<20)+`"}`),
		"logs/j/1/finished.json": zipped(t, `{"passed":true}`)[:12],
	})
	build, err := result.LoadBuild(t.Context(), b, "logs/j/1")
	if err != nil || build.Started != nil || build.Finished != nil || build.Malformed != "started.json cannot be read" || len(build.Irregular) != 2 {
		t.Errorf("%+v, %v", build, err)
	}
}

// What cannot be read of a build stands beside it: nobody takes it for running.
func TestUnreadableBuild(t *testing.T) {
	t.Parallel()
	for text, malformed := range map[string]bool{
		``: true, `[]`: true, `null`: true, `"x"`: true, `{"passed":tru`: true, "\x00\xff": true, strings.Repeat(`{"a":`, 20_000): true,
		`{}`: false, `{"passed":"yes"}`: false, `{"timestamp":1e30}`: false,
	} {
		b := memory(t, map[string]string{"logs/j/1/started.json": `{"timestamp":1772884800}`, "logs/j/1/finished.json": text})
		build, err := result.LoadBuild(t.Context(), b, "logs/j/1")
		if want := "finished.json cannot be read"; err != nil || (build.Malformed == want) != malformed || (build.Finished == nil) != malformed {
			t.Errorf("finished.json %.20q: %+v, %v", text, build, err)
		}
	}
}

// An alias is a text that anybody may have written.
func TestHostileAliases(t *testing.T) {
	t.Parallel()
	b := memblob.OpenBucket(nil)
	t.Cleanup(func() { b.Close() })
	const folder = "pr-logs/directory/unit/"
	hostile := []string{
		"../../../../etc/passwd", "gs://bucket/../secret", "/", "", " \n", ".", "a//b", "gs://bucket/pr-logs/../../x",
		strings.Repeat("x", 5000), strings.Repeat("\xff", 100), "pr-logs/pull/\xff", "a/./b",
	}
	for i, text := range hostile {
		put(t, b, fmt.Sprintf("%s%d.txt", folder, i+1), text)
	}
	put(t, b, folder+"100.txt", "gs://bucket/pr-logs/pull/1/unit/100\n")
	for i, text := range hostile {
		ref := result.Ref{ID: fmt.Sprint(i + 1), Path: fmt.Sprintf("%s%d.txt", folder, i+1)}
		if to, err := result.Follow(t.Context(), b, ref); !errors.Is(err, result.ErrNoBuild) || len(err.Error()) > 700 {
			t.Errorf("%.30q leads to %v, %v", text, to, err)
		}
	}
	if _, err := result.Follow(t.Context(), b, result.Ref{ID: "9", Path: folder + "gone.txt"}); !errors.Is(err, result.ErrNoBuild) {
		t.Errorf("an alias that is gone: %v", err)
	}
	refs, err := result.Builds(t.Context(), b, folder, "", 0)
	if err != nil || len(refs) != 1 || refs[0].Path != "pr-logs/pull/1/unit/100" {
		t.Errorf("builds %v, %v: those that lead nowhere are left out", refs, err)
	}
}

// Not every system numbers its builds.
func TestListNames(t *testing.T) {
	t.Parallel()
	files := map[string]string{"logs/unit/latest-build.txt": "9", "logs/unit/notes.txt": "x"}
	for _, id := range []string{"9", "10", "v1.2.3", "nightly build", "-5", "ä", "f00d"} {
		files["logs/unit/"+id+"/started.json"] = `{}`
	}
	refs, err := result.List(t.Context(), memory(t, files), "logs/unit")
	var got []string
	for _, r := range refs {
		got = append(got, r.ID)
	}
	if want := "-5|9|10|f00d|nightly build|v1.2.3|ä"; err != nil || strings.Join(got, "|") != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// A folder and an alias of one number are one build, however they are listed:
// the one that the alias names.
func TestFolderAndAlias(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	texts := map[string]string{
		"directory/7/started.json": `{}`, "directory/7.txt": "gs://b/pr-logs/pull/1/unit/7",
		"directory/12.txt": "gs://b/pr-logs/pull/1/unit/12", "directory/07/started.json": `{}`,
	}
	for name, text := range texts {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	want := []result.Ref{{ID: "07", Path: "directory/07"}, {ID: "7", Path: "directory/7.txt"}, {ID: "12", Path: "directory/12.txt"}}
	b := memory(t, texts)
	listed, err := result.List(t.Context(), b, "directory")
	if err != nil || !slices.Equal(listed, want) {
		t.Errorf("of a bucket: %v, %v; want %v", listed, err, want)
	}
	files, err := result.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	read, err := result.List(t.Context(), files, "directory")
	if err != nil || !slices.Equal(read, want) {
		t.Errorf("of a folder: %v, %v; want %v", read, err, want)
	}
	newest, err := result.Builds(t.Context(), b, "directory", "", 2)
	if want := []result.Ref{{ID: "12", Path: "pr-logs/pull/1/unit/12"}, {ID: "7", Path: "pr-logs/pull/1/unit/7"}}; err != nil || !slices.Equal(newest, want) {
		t.Errorf("the newest two: %v, %v; want %v", newest, err, want)
	}
}
