package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"seaworthy/artifact"
)

// need skips a test where a program is missing, but not on the machine that
// decides.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s: run scripts/setup", p)
		}
		t.Skipf("skipped: needs %s, run scripts/setup", p)
	}
}

// output runs a program and returns what it writes.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var failed *exec.ExitError
	out, err := cmd.Output()
	if errors.As(err, &failed) {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, failed.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// begin starts a program and ends it with the test; ready says when it serves.
func begin(t *testing.T, ready func() bool, program string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil {
			<-ended
		}
		log.Close()
	})
	again, patience := time.NewTicker(50*time.Millisecond), time.NewTimer(time.Minute)
	defer again.Stop()
	defer patience.Stop()
	for !ready() {
		select {
		case <-again.C:
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%s ended: %v\n%s", program, err, said)
		case <-patience.C:
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%s is not ready\n%s", program, said)
		}
	}
}

// dockerRegistry starts Docker's registry program.
func dockerRegistry(t *testing.T) string {
	t.Helper()
	need(t, "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %s}\n", t.TempDir(), address)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	begin(t, func() bool {
		answer, err := http.Get("http://" + address + "/v2/")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, "docker-registry", "serve", config)
	return address
}

// skopeo reads everything we write, and what it makes of it we read.
func TestSkopeo(t *testing.T) {
	t.Parallel()
	need(t, "skopeo")
	host := dockerRegistry(t)
	x := mustBuild(t, sample(t))
	dir := t.TempDir()
	layout, oci, docker := filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	if err := errors.Join(
		x.WriteLayout(layout, "v1.2.0"), x.WriteTarball(oci, Tarball{Tags: []string{"v1.2.0"}}),
		x.WriteTarball(docker, Tarball{Form: DockerArchive, Platform: amd64, Tags: []string{"v1.2.0"}}),
		x.Push(t.Context(), host+"/tools/halyard", []string{"v1.2.0"}, Remote{}),
	); err != nil {
		t.Fatal(err)
	}
	amd := []string{"--override-os", "linux", "--override-arch", "amd64"}
	for _, from := range []string{"oci:" + layout, "oci:" + layout + ":v1.2.0", "oci-archive:" + oci, "oci-archive:" + oci + ":v1.2.0", "docker-archive:" + docker, "docker://" + host + "/tools/halyard:v1.2.0"} {
		var said struct {
			Architecture, Os string
			Created          time.Time
			Labels           map[string]string
			Layers           []string
			Env              []string
		}
		inspect := append(append([]string{}, amd...), "inspect", "--tls-verify=false", from)
		if err := json.Unmarshal([]byte(output(t, "skopeo", inspect...)), &said); err != nil {
			t.Fatal(err)
		}
		if said.Architecture != "amd64" || said.Os != "linux" || said.Labels["org.opencontainers.image.version"] != "v1.2.0" || len(said.Layers) != 2 || !slices.Contains(said.Env, "A=b") || !said.Created.Equal(when.Truncate(time.Second)) {
			t.Errorf("of %s skopeo says %+v", from, said)
		}
	}
	var raw struct{ MediaType string }
	if err := json.Unmarshal([]byte(output(t, "skopeo", "inspect", "--tls-verify=false", "--raw", "docker://"+host+"/tools/halyard:v1.2.0")), &raw); err != nil || raw.MediaType != x.Built().MediaType {
		t.Errorf("in the registry is %+v (%v)", raw, err)
	}
	// From a registry into a folder by skopeo, and back by us: the same digest.
	copied := filepath.Join(dir, "copied")
	output(t, "skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", "docker://"+host+"/tools/halyard:v1.2.0", "oci:"+copied+":v1.2.0")
	output(t, "skopeo", "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", "oci-archive:"+oci, "docker://"+host+"/copied:v1")
	for _, from := range []string{copied, host + "/copied:v1"} {
		back, err := Open(t.Context(), from, Remote{})
		if err != nil {
			t.Fatal(err)
		}
		if back.Built().Digest != x.Built().Digest {
			t.Errorf("%s is %s, was %s", from, back.Built().Digest, x.Built().Digest)
		}
	}
	// skopeo's own docker archive, of the kind programs wrote before layouts.
	output(t, "skopeo", append(slices.Clone(amd), "copy", "oci:"+layout, "docker-archive:"+filepath.Join(dir, "old.tar")+":halyard:v1.2.0")...)
	old, err := Open(t.Context(), filepath.Join(dir, "old.tar"), Remote{})
	if err != nil {
		t.Fatal(err)
	}
	if p := old.Built().Platforms; len(p) != 1 || p[0].Platform != amd64 || p[0].Entrypoint[0] != "/usr/bin/halyard" {
		t.Errorf("skopeo's docker archive holds %+v", p)
	}
	if err := errors.Join(old.Push(t.Context(), host+"/old", []string{"v1"}, Remote{}), old.Close()); err != nil {
		t.Error(err)
	}
}

// hello is a program for this machine that says who and where it is.
const hello = `package main

import (
	"fmt"
	"os"
)

func main() {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	err = os.WriteFile("/data/mine", []byte("x"), 0o644)
	fmt.Println(os.Args[1:], os.Getuid(), os.Getgid(), dir, os.Getenv("MOTTO"), err, os.WriteFile("/usr/x", nil, 0o644) != nil)
	os.Exit(3)
}
`

// containerd imports the archive and runs what is in it, as the image says.
func TestContainerd(t *testing.T) {
	t.Parallel()
	need(t, "containerd", "ctr", "runc", "go")
	if os.Getuid() != 0 {
		t.Skip("skipped: containerd needs root")
	}
	source := writeFiles(t, map[string]string{"main.go": hello, "go.mod": "module hello\n\ngo 1.24\n"})
	build := exec.CommandContext(t.Context(), "go", "build", "-o", "hello", ".")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	here := artifact.Platform{OS: "linux", Arch: runtime.GOARCH}
	for _, compression := range []string{"gzip", "zstd"} {
		x := mustBuild(t, Request{
			Spec: artifact.ImageSpec{
				Name: "hello", Platforms: []artifact.Platform{here, {OS: "linux", Arch: "s390x"}}, Compression: compression,
				Files:      []artifact.ImageFile{{Source: "hello", Path: "/usr/bin/hello"}, {Path: "/data", Owner: "65532", Mode: 0o700}, {Path: "/proc"}},
				Entrypoint: []string{"/usr/bin/hello"}, Cmd: []string{"a", "b"}, Workdir: "/data", Env: map[string]string{"MOTTO": "fair"},
			},
			Created: when, Folders: []string{source},
		})
		oci, docker := filepath.Join(t.TempDir(), "hello.tar"), filepath.Join(t.TempDir(), "hello-docker.tar")
		if err := errors.Join(x.WriteTarball(oci, Tarball{Tags: []string{"v1"}}),
			x.WriteTarball(docker, Tarball{Form: DockerArchive, Platform: here, Tags: []string{"v2"}})); err != nil {
			t.Fatal(err)
		}
		ctr := startContainerd(t)
		for tag, file := range map[string]string{"v1": oci, "v2": docker} {
			ref := "docker.io/library/hello:" + tag
			ctr(t, 0, "images", "import", "--snapshotter", "native", file)
			if list := ctr(t, 0, "images", "list"); !strings.Contains(list, ref) || tag == "v1" && !strings.Contains(list, string(x.Built().Digest)) {
				t.Errorf("containerd lists\n%s", list)
			}
			said := ctr(t, 3, "run", "--rm", "--snapshotter", "native", "--runc-binary", "runc", ref, "hello-"+tag)
			if want := "[a b] 65532 65532 /data fair <nil> true\n"; said != want {
				t.Errorf("it says %q, want %q", said, want)
			}
		}
	}
}

// startContainerd runs a containerd of the test's own and returns its client.
func startContainerd(t *testing.T) func(t *testing.T, code int, args ...string) string {
	t.Helper()
	// A socket's path has to be short.
	dir, err := os.MkdirTemp("", "ctd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) // runs after containerd has ended
	socket, config := filepath.Join(dir, "s"), filepath.Join(dir, "config.toml")
	text := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n", filepath.Join(dir, "root"), filepath.Join(dir, "state"), socket)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	begin(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return exec.CommandContext(ctx, "ctr", "-a", socket, "version").Run() == nil
	}, "containerd", "-c", config)
	return func(t *testing.T, code int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "ctr", append([]string{"-a", socket}, args...)...)
		var errors strings.Builder
		cmd.Stderr = &errors
		out, err := cmd.Output()
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
			t.Fatalf("ctr %s: %v\n%s%s", strings.Join(args, " "), err, out, errors.String())
		}
		return string(out)
	}
}
