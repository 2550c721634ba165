package packages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"

	"seaworthy/artifact"
)

// scratch is a root to install into, with a shell for the scripts.
func scratch(t *testing.T, folders ...string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("skipped: installing into a folder needs root")
	}
	need(t, "busybox")
	root := t.TempDir()
	for _, f := range append(folders, "bin", "usr/bin", "etc", "tmp", "dev") {
		if err := os.MkdirAll(filepath.Join(root, f), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, "sh", "-c", `cp "$(command -v busybox)" "$0/bin/busybox" && for p in sh rm cat mkdir true; do ln -s busybox "$0/bin/$p"; done`, root)
	return root
}

// served publishes over HTTP on the loopback what is in a folder.
func served(t *testing.T) (url, dir string, b *blob.Bucket) {
	t.Helper()
	dir, b = folder(t)
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Files change within one second here, which HTTP's times cannot tell.
		r.Header.Del("If-Modified-Since")
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, dir, b
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// aptRoot is a root with an apt of its own; get runs apt-get there.
func aptRoot(t *testing.T) (root string, get func(args ...string) (string, error)) {
	t.Helper()
	need(t, "apt-get", "dpkg")
	root = scratch(t, "etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/sources.list.d", "etc/apt/trusted.gpg.d", "var/lib/apt/lists/partial",
		"var/cache/apt/archives/partial", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/log/apt")
	for _, f := range []string{"status", "available"} {
		write(t, filepath.Join(root, "var/lib/dpkg", f), "")
	}
	conf := filepath.Join(root, "apt.conf")
	write(t, conf, fmt.Sprintf("Dir %q;\nDir::State::status %q;\nAPT::Architecture \"amd64\";\nAPT::Architectures { \"amd64\"; };\nAPT::Sandbox::User \"root\";\n"+
		"Acquire::Languages \"none\";\nAcquire::Retries \"0\";\nDPkg::Options { \"--root=%s\"; \"--log=/dev/null\"; \"--force-confold\"; };\nDir::Bin::dpkg \"/usr/bin/dpkg\";\n"+
		"Dir::Bin::methods \"/usr/lib/apt/methods\";\n#clear DPkg::Pre-Install-Pkgs;\n#clear DPkg::Post-Invoke;\n", root, filepath.Join(root, "var/lib/dpkg/status"), root))
	return root, func(args ...string) (string, error) {
		return try(t, "env", append([]string{"APT_CONFIG=" + conf, "apt-get", "-y"}, args...)...)
	}
}

func TestAptInstalls(t *testing.T) {
	t.Parallel()
	root, get := aptRoot(t)
	url, dir, b := served(t)
	p := publication(t)
	p.BaseURL = url
	must := func(args ...string) string {
		out, err := get(args...)
		if err != nil {
			t.Fatalf("apt-get %q: %v\n%s", args, err, out)
		}
		return out
	}
	mustPublish(t, b, packaged(t, "v1.2.0-rc.1", artifact.Deb), p)
	write(t, filepath.Join(root, "etc/apt/sources.list.d/halyard-release.sources"), read(t, filepath.Join(dir, "deb/halyard-release.sources")))
	if out := must("update"); strings.Contains(out, "W:") || strings.Contains(out, "N:") {
		t.Errorf("apt-get update is not content:\n%s", out)
	}
	must("install", "halyard")
	if got := read(t, filepath.Join(root, "usr/bin/halyard")); !strings.Contains(got, "amd64") {
		t.Errorf("installed %q", got)
	}
	if got := read(t, filepath.Join(root, "var/lib/halyard/log")); got != "configured configure\n" {
		t.Errorf("the project's script wrote %q", got)
	}

	// The final version follows the candidate, and what the administrator
	// changed stays.
	config := filepath.Join(root, "etc/halyard/halyard.yaml")
	write(t, config, "hoist: quickly\n")
	p.Time = p.Time.Add(time.Second)
	r := halyard(t)
	r.Version, r.Formats, r.Signers = "v1.2.0", []artifact.PackageFormat{artifact.Deb}, p.Signers
	write(t, filepath.Join(r.Source, "etc/halyard.yaml"), "hoist: at sunset\n")
	var paths []string
	for _, a := range build(t, r) {
		paths = append(paths, filepath.Join(r.OutDir, a.Name))
	}
	mustPublish(t, b, paths, p)
	must("update")
	contains(t, must("upgrade"), "Unpacking halyard (1.2.0-1) over (1.2.0~rc.1-1)")
	if got := read(t, config); got != "hoist: quickly\n" {
		t.Errorf("the administrator's change became %q", got)
	}
	if got := read(t, config+".dpkg-dist"); got != "hoist: at sunset\n" {
		t.Errorf("the new configuration is %q", got)
	}
	must("remove", "halyard")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/halyard")); err == nil {
		t.Error("removed, and still there")
	}
	must("install", "halyard=1.2.0~rc.1-1") // the old version is still to be had
	must("purge", "halyard")
	if _, err := os.Stat(config); err == nil {
		t.Error("purged, and its configuration is still there")
	}

	// A repository somebody tampered with.
	release := filepath.Join(dir, "deb/dists/release/InRelease")
	good := read(t, release)
	write(t, release, strings.Replace(good, "Label: halyard", "Label: mallory", 1))
	if out, err := get("update"); err == nil && !strings.Contains(out, "BADSIG") {
		t.Errorf("apt took a changed InRelease:\n%s", out)
	}
	write(t, release, good)
	must("update")
	pool := filepath.Join(dir, "deb/pool/main/h/halyard/halyard_1.2.0-1_amd64.deb")
	must("clean")
	deb := []byte(read(t, pool))
	deb[len(deb)-9] ^= 1
	write(t, pool, string(deb))
	if out, err := get("install", "halyard"); err == nil || !strings.Contains(out, "Hash Sum mismatch") {
		t.Errorf("apt took a changed package: %v\n%s", err, out)
	}
}

func TestAptRefusesUnsigned(t *testing.T) {
	t.Parallel()
	root, get := aptRoot(t)
	url, dir, b := served(t)
	p := publication(t)
	p.BaseURL, p.Unsigned, p.Signers = url, true, Signers{}
	mustPublish(t, b, packaged(t, "v1.2.0", artifact.Deb), p)
	source := filepath.Join(root, "etc/apt/sources.list.d/halyard.sources")
	text := read(t, filepath.Join(dir, "deb/halyard-release.sources"))
	write(t, source, strings.Replace(text, "Trusted: yes\n", "", 1))
	if out, err := get("update"); err == nil {
		t.Errorf("apt took an unsigned repository:\n%s", out)
	}
	write(t, source, text)
	if out, err := get("update"); err != nil {
		t.Errorf("a repository one chose to trust: %v\n%s", err, out)
	}
}

// dnfRoot is a root with a dnf of its own.
func dnfRoot(t *testing.T) (root, repos string, dnf func(args ...string) (string, error)) {
	t.Helper()
	need(t, "dnf", "rpm", "createrepo_c")
	root = scratch(t, "var/lib/rpm", "etc/yum.repos.d")
	repos = filepath.Join(t.TempDir(), "repos")
	conf, cache := filepath.Join(t.TempDir(), "dnf.conf"), t.TempDir()
	write(t, conf, "[main]\ngpgcheck=1\nlogdir="+t.TempDir()+"\n")
	write(t, filepath.Join(repos, "none"), "")
	return root, repos, func(args ...string) (string, error) {
		base := []string{"-y", "--config", conf, "--installroot", root, "--releasever", "1", "--forcearch", "x86_64", "--setopt=reposdir=" + repos,
			"--setopt=cachedir=" + cache, "--setopt=install_weak_deps=1", "--disableplugin=*"}
		return try(t, "dnf", append(base, args...)...)
	}
}

func TestDnfInstalls(t *testing.T) {
	t.Parallel()
	root, repos, dnf := dnfRoot(t)
	url, dir, b := served(t)
	p := publication(t)
	p.BaseURL = url
	must := func(args ...string) string {
		t.Helper()
		out, err := dnf(args...)
		if err != nil {
			t.Fatalf("dnf %q: %v\n%s", args, err, out)
		}
		return out
	}
	mustPublish(t, b, packaged(t, "v1.2.0-rc.1", artifact.RPM), p)
	write(t, filepath.Join(repos, "halyard.repo"), read(t, filepath.Join(dir, "rpm/halyard-release.repo")))
	must("install", "halyard")
	if got := read(t, filepath.Join(root, "usr/bin/halyard")); !strings.Contains(got, "amd64") {
		t.Errorf("installed %q", got)
	}
	if got := read(t, filepath.Join(root, "var/lib/halyard/log")); got != "configured 1\n" {
		t.Errorf("the project's script wrote %q", got)
	}
	config := filepath.Join(root, "etc/halyard/halyard.yaml")
	write(t, config, "hoist: quickly\n")
	r := halyard(t)
	r.Version, r.Formats, r.Signers = "v1.2.0", []artifact.PackageFormat{artifact.RPM}, p.Signers
	write(t, filepath.Join(r.Source, "etc/halyard.yaml"), "hoist: at sunset\n")
	var paths []string
	for _, a := range build(t, r) {
		paths = append(paths, filepath.Join(r.OutDir, a.Name))
	}
	p.Time = p.Time.Add(time.Second)
	mustPublish(t, b, paths, p)
	contains(t, must("--refresh", "upgrade"), "1.2.0-1")
	if got := read(t, config); got != "hoist: quickly\n" {
		t.Errorf("the administrator's change became %q", got)
	}
	if got := read(t, config+".rpmnew"); got != "hoist: at sunset\n" {
		t.Errorf("the new configuration is %q", got)
	}
	contains(t, must("repoquery", "--list", "halyard"), "/usr/bin/halyard")
	contains(t, must("repoquery", "--whatprovides", "/usr/bin/halyard"), "halyard-0:1.2.0-1.x86_64", "halyard-0:1.2.0~rc.1-1.x86_64")
	must("remove", "halyard")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/halyard")); err == nil {
		t.Error("removed, and still there")
	}

	md := filepath.Join(dir, "rpm/release/repodata/repomd.xml")
	good := read(t, md)
	write(t, md, strings.Replace(good, "<revision>", "<revision>1", 1))
	if out, err := dnf("--refresh", "install", "halyard"); err == nil {
		t.Errorf("dnf took a changed repomd.xml:\n%s", out)
	}
	write(t, md, good)
	file := filepath.Join(dir, "rpm/release/x86_64/halyard-1.2.0-1.x86_64.rpm")
	data := []byte(read(t, file))
	data[len(data)-9] ^= 1
	write(t, file, string(data))
	if out, err := dnf("--refresh", "install", "halyard"); err == nil {
		t.Errorf("dnf took a changed package:\n%s", out)
	}
}

// What createrepo writes and what is written here say the same of the same
// packages; and a repository that createrepo began can be gone on with.
func TestAsCreaterepo(t *testing.T) {
	t.Parallel()
	need(t, "createrepo_c")
	dir, b := folder(t)
	p := publication(t)
	p.Signers.OpenPGP, p.Unsigned = nil, true
	first := packaged(t, "v1.2.0-rc.1", artifact.RPM)
	mustPublish(t, b, first, p)
	mine, err := gunzipped([]byte(read(t, glob(t, dir, "rpm/release/repodata/*-primary.xml.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "rpm/theirs")
	run(t, "cp", "-a", filepath.Join(dir, "rpm/release/"), theirs)
	if err := os.RemoveAll(filepath.Join(theirs, "repodata")); err != nil {
		t.Fatal(err)
	}
	run(t, "createrepo_c", "--quiet", "--no-database", "--compress-type=gz", theirs)
	other, err := gunzipped([]byte(read(t, glob(t, dir, "rpm/theirs/repodata/*-primary.xml.gz"))))
	if err != nil {
		t.Fatal(err)
	}
	a, c := facts(t, mine), facts(t, other)
	for line := range c {
		if !a[line] {
			t.Errorf("createrepo says %s, and we do not", line)
		}
	}
	for line := range a {
		if !c[line] {
			t.Errorf("we say %s, and createrepo does not", line)
		}
	}
	p.Channel = "theirs"
	mustPublish(t, b, packaged(t, "v1.2.0", artifact.RPM), p)
	_, now, ok := strings.Cut(read(t, filepath.Join(dir, "rpm/theirs/repodata/repomd.xml")), `href="`)
	now, _, _ = strings.Cut(now, `"`)
	merged, err := gunzipped([]byte(read(t, filepath.Join(dir, "rpm/theirs", now))))
	if err != nil || !ok {
		t.Fatal(err, now)
	}
	if !strings.Contains(string(merged), `packages="4"`) || strings.Count(string(merged), "<package type") != 4 {
		t.Errorf("not four packages:\n%.300s", merged)
	}
}

// facts are the lines of a document, as a set. The time of the file is
// createrepo's own, and the archive's size its reckoning.
func facts(t testing.TB, text []byte) map[string]bool {
	t.Helper()
	set := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "<time ") || strings.HasPrefix(line, "<size ") || strings.HasPrefix(line, "<metadata") {
			continue
		}
		line = strings.ReplaceAll(line, "></rpm:group>", "/>")
		line = strings.ReplaceAll(line, "<rpm:group/>", "<rpm:group/>")
		set[line] = true
	}
	return set
}

func glob(t testing.TB, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return found[len(found)-1]
}

// apk is not in Debian; where it is in PATH, it has its say.
func TestApkInstalls(t *testing.T) {
	t.Parallel()
	need(t, "apk")
	root := scratch(t, "etc/apk/keys", "lib/apk/db", "var/cache/apk")
	url, dir, b := served(t)
	p := publication(t)
	mustPublish(t, b, packaged(t, "v1.2.0-rc.1", artifact.APK), p)
	write(t, filepath.Join(root, "etc/apk/repositories"), url+"/apk/release\n")
	apk := func(args ...string) (string, error) {
		return try(t, "apk", append([]string{"--root", root, "--arch", "x86_64"}, args...)...)
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := apk(args...)
		if err != nil {
			t.Fatalf("apk %q: %v\n%s", args, err, out)
		}
		return out
	}
	if out, err := apk("add", "--initdb", "halyard"); err == nil {
		t.Errorf("apk took an index whose key it has not:\n%s", out)
	}
	write(t, filepath.Join(root, "etc/apk/keys", p.Signers.APK.Name()), read(t, filepath.Join(dir, p.Signers.APK.Name())))
	must("update")
	contains(t, must("add", "halyard"), "Installing halyard (1.2.0_rc1-r1)")
	if got := read(t, filepath.Join(root, "usr/bin/halyard")); !strings.Contains(got, "amd64") {
		t.Errorf("installed %q", got)
	}
	p.Time = p.Time.Add(time.Second)
	mustPublish(t, b, packaged(t, "v1.2.0", artifact.APK), p)
	must("update", "--force-refresh")
	contains(t, must("upgrade"), "Upgrading halyard (1.2.0_rc1-r1 -> 1.2.0-r1)")
	must("verify", filepath.Join(dir, "apk/release/x86_64/halyard-1.2.0-r1.apk"))
	must("del", "halyard")
}
