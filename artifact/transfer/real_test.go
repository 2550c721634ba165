package transfer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"gocloud.dev/blob/fileblob"
	"golang.org/x/sync/errgroup"

	"seaworthy/artifact/promote"
	ownregistry "seaworthy/artifact/registry"
)

// program finds a program tests need: without it they are skipped, but fail
// where everything must be there.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is needed: run scripts/setup", name)
	}
	t.Skipf("skipped: needs %s, run scripts/setup", name)
	return ""
}

// dockerRegistry starts Debian's docker-registry on a free port. settings are
// added to its environment.
func dockerRegistry(t testing.TB, settings ...string) *shop {
	t.Helper()
	path := program(t, "docker-registry")
	folder := t.TempDir()
	config := filepath.Join(folder, "config.yml")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: {rootdirectory: %s, maxthreads: 100}\n  delete: {enabled: true}\nhttp: {addr: %s}\n", filepath.Join(folder, "data"), addr)
	text += strings.Join(settings, "\n") + "\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "serve", config)
	cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it says that it was killed
	})
	answers(t, "http://"+addr+"/v2/")
	return &shop{Server: reached("http://" + addr), host: addr, pid: cmd.Process.Pid}
}

// answers waits until an address answers at all.
func answers(t testing.TB, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not answer", url)
		}
	}
}

// stockUp pushes small images to a registry: repositories times tags, each with
// a config and a layer of its own, and returns the manifest that promotes them.
func stockUp(t testing.TB, s *shop, target string, repositories, tags int) promote.Manifest {
	t.Helper()
	m := from(s.host+"/staging", target+"/prod")
	var g errgroup.Group
	g.SetLimit(16)
	digests := make([]artifactDigest, repositories*tags)
	for n := range digests {
		g.Go(func() (err error) {
			defer func() {
				if p := recover(); p != nil {
					err = errors.New(fmt.Sprint(p))
				}
			}()
			repo := fmt.Sprintf("staging/app%03d", n/tags)
			digests[n] = s.pushImage(t, repo, fmt.Sprint(n), [][]byte{random(fmt.Sprint(n), 1000)}, fmt.Sprintf("v%d", n%tags))
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for n, d := range digests {
		m = with(m, fmt.Sprintf("app%03d", n/tags), d, fmt.Sprintf("v%d", n%tags))
	}
	return m
}

// embedded serves the platform's own registry from a folder.
func embedded(t testing.TB, o ownregistry.Options) *shop {
	t.Helper()
	b, err := fileblob.OpenBucket(t.TempDir(), &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	o.Bucket = b
	handler, err := ownregistry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	t.Cleanup(func() {
		s.Close()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return &shop{Server: s, host: strings.TrimPrefix(s.URL, "http://")}
}

// kinds are the registries that images are moved between.
func kinds(t *testing.T) map[string]func() *shop {
	return map[string]func() *shop{
		"docker-registry": func() *shop { return dockerRegistry(t) },
		"embedded":        func() *shop { return embedded(t, ownregistry.Options{}) },
	}
}

// TestRealRegistries promotes between every two of them: an index with two
// images, signatures in both forms, a large layer that two images share.
func TestRealRegistries(t *testing.T) {
	t.Parallel()
	for from := range kinds(t) {
		for to := range kinds(t) {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				between(t, kinds(t)[from](), kinds(t)[to]())
			})
		}
	}
}

func between(t *testing.T, source, target *shop) {
	shared := random("shared", 5*inMemory)
	a := source.pushImage(t, "s/app", "amd64", [][]byte{shared, random("a", 10)})
	b := source.pushImage(t, "s/app", "arm64", [][]byte{shared})
	index := source.pushIndex(t, "s/app", []artifactDigest{a, b}, "v1")
	other := source.pushImage(t, "s/other", "other", [][]byte{shared}, "v1")
	source.legacy(t, "s/app", index, ".sig", "signature")
	bundle := source.attach(t, "s/app", index, "bundle")
	if list := source.referring(t, "s/app", index); len(list) == 0 {
		l := []descriptor{bundle} // a registry that keeps no list
		source.pushManifest(t, "s/app", written{SchemaVersion: 2, MediaType: ociIndex, Manifests: &l}, ociIndex, companionTag(index))
	}
	m := with(with(from(source.host+"/s", target.host+"/p", target.host+"/mirror/p"), "app", index, "v1", "latest"), "other", other, "v1")
	j := testJournal(t, t.TempDir())
	_, r := runs(t, Options{Journal: j}, m)
	if r.Done != 2 {
		t.Fatal(complaints(r))
	}
	for _, repo := range []string{"p/app", "mirror/p/app"} {
		target.whole(t, repo, "v1")
		target.whole(t, repo, "latest")
		target.whole(t, repo, companionTag(index)+".sig")
		if got := target.referring(t, repo, index); len(got) != 1 || got[0] != bundle.Digest {
			t.Errorf("%s: what refers to the index is %v", repo, got)
		}
	}
	target.whole(t, "p/other", "v1")
	if r.Traffic.Mounted == 0 {
		t.Errorf("nothing was mounted: %+v", r.Traffic)
	}
	if again, _ := runs(t, Options{Journal: j, Trust: -1}, m); len(again.Plan.Items) != 0 {
		t.Errorf("%d items the second time", len(again.Plan.Items))
	}
	if found, _ := audit(t, false, m); len(found) != 0 {
		t.Errorf("the audit finds %v", found)
	}
	reads(t, target, "p/app", index)
}

// reads has real clients read what was promoted.
func reads(t *testing.T, s *shop, repo string, want artifactDigest) {
	skopeo := program(t, "skopeo")
	raw, err := exec.CommandContext(t.Context(), skopeo, "inspect", "--raw", "--tls-verify=false", "docker://"+s.host+"/"+repo+":v1").Output()
	if err != nil || digestOf(raw) != want {
		t.Errorf("skopeo reads %s (%v)", digestOf(raw), err)
	}
	folder := t.TempDir()
	copied, err := exec.CommandContext(t.Context(), skopeo, "copy", "--all", "--insecure-policy", "--src-tls-verify=false", "docker://"+s.host+"/"+repo+":v1", "dir:"+folder).CombinedOutput()
	if err != nil {
		t.Errorf("skopeo copy: %v\n%s", err, copied)
	}
}

// TestContainerd has containerd fetch all of what was promoted.
func TestContainerd(t *testing.T) {
	t.Parallel()
	daemon, ctr := program(t, "containerd"), program(t, "ctr")
	source, target := newShop(t), dockerRegistry(t)
	a := source.pushImage(t, "s/app", "amd64", [][]byte{random("a", 1000)})
	b := source.pushImage(t, "s/app", "arm64", [][]byte{random("b", 1000)})
	index := source.pushIndex(t, "s/app", []artifactDigest{a, b}, "v1")
	if _, r := runs(t, Options{}, with(from(source.host+"/s", target.host+"/p"), "app", index, "v1")); r.Done != 1 {
		t.Fatal(complaints(r))
	}
	folder := t.TempDir()
	socket := filepath.Join(folder, "socket")
	config := filepath.Join(folder, "config.toml")
	text := "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.snapshotter.v1.btrfs\", \"io.containerd.snapshotter.v1.zfs\", \"io.containerd.snapshotter.v1.devmapper\"]\n" +
		"root = \"" + folder + "/root\"\nstate = \"" + folder + "/state\"\n[grpc]\n  address = \"" + socket + "\"\n[ttrpc]\n  address = \"" + socket + ".ttrpc\"\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		t.Skip("skipped: containerd has to be started by root")
	}
	cmd := exec.Command(daemon, "--config", config, "--log-level", "error")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it says that it was told to stop
	})
	client := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), ctr, append([]string{"--address", socket, "--connect-timeout", "1s"}, args...)...).CombinedOutput()
		return string(out), err
	}
	ready := time.NewTicker(50 * time.Millisecond)
	defer ready.Stop()
	for n := 0; ; n++ {
		if said, err := client("version"); err == nil {
			break
		} else if n == 200 {
			t.Fatalf("containerd does not answer: %s", said)
		}
		<-ready.C
	}
	if said, err := client("content", "fetch", "--plain-http", "--all-platforms", target.host+"/p/app:v1"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	said, err := client("content", "ls", "-q")
	if err != nil {
		t.Fatal(said)
	}
	for _, d := range []artifactDigest{index, a, b, digestOf(random("a", 1000)), digestOf(random("b", 1000))} {
		if !strings.Contains(said, string(d)) {
			t.Errorf("containerd does not have %s", d)
		}
	}
}

// TestLoggingIn promotes from and to registries that want credentials: Basic,
// and tokens for each repository.
func TestLoggingIn(t *testing.T) {
	t.Parallel()
	// As htpasswd -B writes it: bcrypt of "lovelace".
	line := []byte("ada:$2y$05$vV26yPdOedmeWBp.q/.v8.xzWObcdcE6Vjd.ZBZDUKCKoRV1dQSjO\n")
	file := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(file, line, 0o600); err != nil {
		t.Fatal(err)
	}
	basic := dockerRegistry(t, "auth: {htpasswd: {realm: test, path: "+file+"}}")
	tokens := embedded(t, ownregistry.Options{Authorizer: onlyAda{}, Secret: []byte("0123456789abcdef0123456789abcdef")})
	start := newShop(t)
	d := start.pushImage(t, "s/app", "app", [][]byte{random("l", 100), random("big", 3*inMemory)}, "v1")
	keys := keyring{"ada", "lovelace"}
	promoted := func(keychain authn.Keychain, m promote.Manifest) (*Promotion, Result) {
		return runs(t, Options{Registries: NewRegistries(RegistryOptions{Keychain: keychain, RetryPause: time.Millisecond})}, m)
	}
	for _, way := range []promote.Manifest{
		with(from(start.host+"/s", basic.host+"/p"), "app", d, "v1"),
		with(from(basic.host+"/p", tokens.host+"/q", tokens.host+"/r"), "app", d, "v1"),
		with(from(tokens.host+"/r", basic.host+"/t"), "app", d, "v1"),
	} {
		p, r := promoted(keys, way)
		if r.Done != 1 || p.Lost() != 0 {
			t.Fatalf("%+v %s", p.Plan.Refusals, complaints(r))
		}
	}
	for _, keychain := range []authn.Keychain{authn.NewMultiKeychain(), keyring{"ada", "wrong-password"}} {
		for _, s := range []*shop{basic, tokens} {
			p, r := promoted(keychain, with(from(start.host+"/s", s.host+"/new"), "app", d, "v1"))
			all := fmt.Sprint(p.Plan.Refusals, complaints(r))
			if r.Done != 0 || !strings.Contains(all, "401") && !strings.Contains(all, "log in") || strings.Contains(all, "wrong-password") {
				t.Errorf("%s without the right password: %s", s.host, all)
			}
		}
	}
}

type keyring struct{ user, password string }

// Resolve implements authn.Keychain.
func (k keyring) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

// onlyAda lets one person do everything.
type onlyAda struct{}

func (onlyAda) Account(_ context.Context, user, password string) (string, error) {
	if user == "ada" && password == "lovelace" {
		return user, nil
	}
	return "", ownregistry.ErrCredentials
}

func (onlyAda) Allowed(_ context.Context, account, _ string, _ ownregistry.Action) (bool, error) {
	return account == "ada", nil
}
