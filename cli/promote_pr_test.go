package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"seaworthy/forge"
	"seaworthy/forge/github"
	"seaworthy/forge/local"
	"seaworthy/store/storetest"
)

// staged starts a registry that holds staging/app under two tags.
func staged(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	for _, tag := range []string{"v1.2.0", "v1.10.0", "latest"} {
		image, err := random.Image(16, 1)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := name.NewTag(host + "/staging/app:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, image); err != nil {
			t.Fatal(err)
		}
	}
	return host
}

const oldDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// runLine runs one command line and returns what it printed.
func runLine(t *testing.T, want int, in string, args ...string) (out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	if code := Main(t.Context(), args, Streams{In: strings.NewReader(in), Out: &o, Err: &e}); code != want {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, o.String(), e.String())
	}
	return o.String(), e.String()
}

// TestKpromoPR runs the command line of the tool as its users write it, against
// a forge that has the repository it knows of.
func TestKpromoPR(t *testing.T) {
	host := staged(t)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	f, err := local.New(local.Options{DB: storetest.SQLite(t), GitDir: filepath.Join(t.TempDir(), "git"), BaseURL: server.URL, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	handler = f.Handler()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if err := f.CreateUser(t.Context(), forge.User{Login: "kubernetes", Email: "k@harbour.test"}, true); err != nil {
		t.Fatal(err)
	}
	token, err := f.CreateToken(t.Context(), "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	client, err := github.New(github.Options{BaseURL: server.URL + "/api/v3/", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	repo := forge.RepoName{Owner: "kubernetes", Name: "k8s.io"}
	if _, err := client.CreateRepo(t.Context(), forge.NewRepo{RepoName: repo, DefaultBranch: "main"}); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"registry.k8s.io/manifests/k8s-staging-app/promoter-manifest.yaml": "registries:\n- name: " + host + "/staging\n  src: true\n- name: prod.example/app\n",
		"registry.k8s.io/images/k8s-staging-app/images.yaml":               "- name: app\n  dmap:\n    \"" + oldDigest + "\": [\"v1.9.0\"]\n",
	} {
		if _, err := client.PutFile(t.Context(), repo, file, "main", "add "+file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GITHUB_API_URL", server.URL+"/api/v3/")
	t.Setenv("GITHUB_TOKEN", "")
	t.Setenv("SEAWORTHY_TOKEN", "")
	line := []string{"as", "kpromo", "pr", "-i", "--project=app", "--fork=kubernetes", "--staging-repo", "https://" + host + "/staging", "--tag", "v1.2.0", "--tag", "v1.10.0"}
	if _, errs := runLine(t, 2, "", line...); !strings.Contains(errs, "a token of the forge is needed in SEAWORTHY_TOKEN or GITHUB_TOKEN") {
		t.Errorf("without a token: %s", errs)
	}
	t.Setenv("GITHUB_TOKEN", token)
	out, errs := runLine(t, 0, "n\n", line...)
	if !strings.Contains(out, `["v1.2.0"]`) || !strings.Contains(out, "Nothing was pushed: app-v1.2.0-image-promotion") || !strings.Contains(errs, "Push the branch app-v1.2.0-image-promotion to kubernetes/k8s.io and open a pull request in kubernetes/k8s.io? [y/N]") {
		t.Errorf("no was said:\n%s%s", out, errs)
	}
	if _, err := client.Branch(t.Context(), repo, "app-v1.2.0-image-promotion"); err == nil {
		t.Error("the branch was pushed all the same")
	}
	out, errs = runLine(t, 0, "y\n", line...)
	if !strings.Contains(out, "#1 was opened: "+server.URL) || strings.Contains(out+errs, token) {
		t.Errorf("%s%s", out, errs)
	}
	text, err := client.File(t.Context(), repo, "registry.k8s.io/images/k8s-staging-app/images.yaml", "app-v1.2.0-image-promotion")
	if err != nil {
		t.Fatal(err)
	}
	at := [3]int{strings.Index(string(text), "v1.2.0"), strings.Index(string(text), "v1.9.0"), strings.Index(string(text), "v1.10.0")}
	if !(0 < at[0] && at[0] < at[1] && at[1] < at[2]) || strings.Contains(string(text), "latest") {
		t.Errorf("%s", text)
	}
	pull, err := client.PullRequest(t.Context(), repo, 1)
	if err != nil || !strings.Contains(pull.Body, "/hold") || !strings.Contains(pull.Body, "cc: @kubernetes/release-engineering") {
		t.Errorf("%v:\n%s", err, pull.Body)
	}
	// Our own command, without --nomock, changes nothing.
	ours := []string{"promote", "pr", "--repo", repo.String(), "--root", "registry.k8s.io", "--project", "app", "--tag", "v1.10.0", "-o", "json"}
	if out, _ := runLine(t, 0, "", ours...); !strings.Contains(out, `"mock": true`) || !strings.Contains(out, `"branch": "app-v1.10.0-image-promotion"`) {
		t.Errorf("%s", out)
	}
	runLine(t, 1, "", append(ours, "--tag", "v7", "--image", "none")...)
	if _, errs := runLine(t, 0, "", append(ours, "--tag", "v7")...); !strings.Contains(errs, "warning: nothing in staging has the tag v7") {
		t.Errorf("%s", errs)
	}
	if out, _ := runLine(t, 0, "", "promote", "pr", "--repo", repo.String(), "--root", "registry.k8s.io", "--base", "app-v1.2.0-image-promotion", "--project", "app", "--tag", "v1.10.0"); !strings.Contains(out, "has it already") {
		t.Errorf("%s", out)
	}
}

// TestManifestImages grows a manifest on this disk, as cip-mm does.
func TestManifestImages(t *testing.T) {
	t.Parallel()
	host := staged(t)
	dir := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write("manifests/app/promoter-manifest.yaml", "registries:\n- name: "+host+"/staging\n  src: true\n- name: prod.example/app\n")
	list := "images/app/images.yaml"
	write(list, "# ours\n[]\n")
	line := []string{"as", "cip-mm", "--base_dir=" + dir, "--staging_repo=" + host + "/staging", "--filter_image=app", "--filter_tag=v1.2.0"}
	out, errs := runLine(t, 0, "", line...)
	if !strings.Contains(out, "1 image added to ") || !strings.Contains(errs, "seaworthy promote manifest images") {
		t.Errorf("%s%s", out, errs)
	}
	text, err := os.ReadFile(filepath.Join(dir, list))
	if err != nil || !strings.HasPrefix(string(text), "# ours\n- name: app\n  dmap:\n    \"sha256:") || !strings.HasSuffix(string(text), "\": [\"v1.2.0\"]\n") {
		t.Errorf("%v:\n%s", err, text)
	}
	if info, err := os.Stat(filepath.Join(dir, list)); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v: %v", info, err)
	}
	if out, _ := runLine(t, 0, "", line...); !strings.HasPrefix(out, "0 images added to ") {
		t.Errorf("%s", out)
	}
	if out, _ := runLine(t, 0, "", "promote", "manifest", "images", "--manifests", dir, "--staging", host+"/staging", "--print"); strings.Count(out, "sha256:") != 2 || strings.Contains(out, "latest") {
		t.Errorf("%s", out)
	}
	runLine(t, 2, "", "promote", "manifest", "images", "--manifests", dir, "--staging", host+"/other")
	runLine(t, 1, "", "promote", "manifest", "images", "--manifests", dir, "--staging", host+"/staging", "--tag", "v7")
	if out, _ := runLine(t, 0, "", "as", "kpromo", "cip", "--snapshot", host+"/staging", "--output=CSV", "--snapshot-tag=v1.10.0"); !strings.HasPrefix(out, "app@sha256:") || !strings.HasSuffix(out, ",app:v1.10.0\n") {
		t.Errorf("%s", out)
	}
	if out, _ := runLine(t, 0, "", "as", "kpromo", "cip", "--manifest-based-snapshot-of", "prod.example", "--thin-manifest-dir", dir); !strings.HasPrefix(out, "- name: app/app\n") {
		t.Errorf("%s", out)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "images/app")); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestKpromoLines shows what the tool's command lines become.
func TestKpromoLines(t *testing.T) {
	t.Setenv("PULL_BASE_SHA", "abc")
	for _, c := range []struct{ theirs, ours string }{
		{"kpromo cip --thin-manifest-dir=./registry.k8s.io --confirm", "promote run --manifests ./registry.k8s.io --nomock"},
		{"kpromo cip --manifest=m.yaml --threads=5 --sign=true --signer-account=a@b", "promote run --manifests m.yaml --parallel 5"},
		{"kpromo cip --thin-manifest-dir=d --parse-only", "promote manifest validate d"},
		{"kpromo cip --thin-manifest-dir=d --use-prow-manifest-diff", "promote run --manifests d --since abc"},
		{"kpromo cip --thin-manifest-dir d --manifest-diff-since 7days", "promote run --manifests d --since 7days"},
		{"kpromo cip --thin-manifest-dir d --vuln-severity-threshold 3", "error"},
		{"kpromo cip --thin-manifest-dir d --vuln-severity-threshold -1 --output yaml", "promote run --manifests d"},
		{"kpromo cip --thin-manifest-dir d --max-image-size 2048", "error"},
		{"kpromo cip --manifest m --key k --sign=false", "promote run --manifests m"},
		{"kpromo cip --manifest m --staging-policy p.yaml", "promote run --manifests m --staging-policy p.yaml"},
		{"kpromo cip --manifest m --key k --sign", "promote run --manifests m --key k"},
		{"kpromo cip --snapshot r --snapshot-tag v1 --minimal-snapshot --output CSV", "promote manifest snapshot --registry r --tag v1 --minimal --format csv"},
		{"kpromo cip --thin-manifest-dir d --manifest-based-snapshot-of r", "promote manifest snapshot --registry r --manifests d"},
		{"kpromo cip --thin-manifest-dir d --manifest m", "error"},
		{"kpromo cip", "error"},
		{"kpromo pr -i --fork=ada --tag v1 --tag v2", "promote pr --repo kubernetes/k8s.io --root registry.k8s.io --fork ada --project kubernetes --staging gcr.io/k8s-staging-kubernetes --tag v1 --tag v2 --reviewer @kubernetes/release-engineering --commit-prefix 'releng: ' --interactive --hold --nomock"},
		{"kpromo pr --project=kops --fork=ada -t v1 --use-ssh=false --image a --digests sha256:x", "promote pr --repo kubernetes/k8s.io --root registry.k8s.io --fork ada --project kops --staging gcr.io/k8s-staging-kops --tag v1 --image a --digest sha256:x --reviewer @kubernetes/release-engineering --hold --nomock"},
		{"kpromo run files --manifests d --confirm --use-service-account", "promote files --manifests d --nomock"},
		{"kpromo run files --filestores f --files g", "promote files --filestores f --files g"},
		{"kpromo manifest files --src d --prefix p", "promote manifest files --src d --prefix p"},
		{"kpromo manifest validate a b", "promote manifest validate a b"},
		{"kpromo gh --org o --repo r --bucket b", "mirror github-release --org o --repo r --bucket b --nomock"},
		{"kpromo sigcheck --from-days 5", "promote audit --manifests registry.k8s.io --signatures"},
		{"kpromo sigcheck --confirm", "error"},
		{"kpromo sigcheck --confirm --key k --manifests m", "promote run --manifests m --nomock --sign-all --key k"},
		{"kpromo sigcheck registry.example/app", "error"},
		{"kpromo run files --manifests d --confirm --dry-run", "promote files --manifests d"},
		{"kpromo run files d", "error"},
		{"kpromo manifest files d", "error"},
		{"kpromo pr --staging-repo https://r.example/s/ -t v1", "promote pr --repo kubernetes/k8s.io --root registry.k8s.io --project kubernetes --staging r.example/s --tag v1 --reviewer @kubernetes/release-engineering --commit-prefix 'releng: ' --hold --nomock"},
		{"kpromo pr v1", "error"},
		{"kpromo cip m.yaml", "error"},
		{"kpromo cip --manifest m --use-prow-manifest-diff --manifest-diff-since 1day", "promote run --manifests m --since 1day"},
		{"kpromo run", "error"},
		{"kpromo version", "version"},
		{"cip-mm --base_dir=d --staging_repo=s --filter_image=i --filter_tag=t --filter_digest=x", "promote manifest images --manifests d --staging s --image i --digest x --tag t"},
		{"cip-mm --base_dir=d", "error"},
	} {
		line, err := translate(strings.Fields(c.theirs))
		have := quoted(line)
		if err != nil {
			have = "error"
		}
		if have != c.ours {
			t.Errorf("%s became\n%s (%v), want\n%s", c.theirs, have, err, c.ours)
		}
	}
}

// TestUnheededFlagsAreTold: who gives a flag that says nothing here is told why.
func TestUnheededFlagsAreTold(t *testing.T) {
	t.Parallel()
	_, told, err := translated(strings.Fields("kpromo cip --manifest m --signer-account=a@b --key-files k --confirm --certificate-identity x"))
	if want := []string{"kpromo cip: --certificate-identity says nothing here: ", "kpromo cip: --key-files says nothing here: credentials", "kpromo cip: --signer-account says nothing here: the key"}; err != nil || len(told) != len(want) {
		t.Errorf("%q, %v", told, err)
	} else {
		for i, w := range want {
			if !strings.HasPrefix(told[i], w) {
				t.Errorf("%q does not begin with %q", told[i], w)
			}
		}
	}
	_, _, err = translated(strings.Fields("kpromo cip --manifest m --vuln-severity-threshold 3"))
	if err == nil || !strings.Contains(err.Error(), "promote plan") {
		t.Errorf("%v does not say what to do", err)
	}
}
