package cut_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"gocloud.dev/blob/fileblob"

	"seaworthy/artifact/registry"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/git"
	"seaworthy/release/cut"
	"seaworthy/store"
)

// childEnv tells this test binary that it is the process to be killed, and
// carries its orders.
const childEnv = "SEAWORTHY_CUT_CHILD"

// orders are what a child process does: drive one flow in one place, and die at
// one point, by SIGKILL, which nothing can catch.
type orders struct {
	Dir   string
	Forge string // address of the parent's forge
	Flow  string // "stage" or "cut"
	Die   string // the boundary to die at; empty lives
	Build string // to cut
	// Registry is the address of the parent's registry.
	Registry string
}

func TestMain(m *testing.M) {
	if given := os.Getenv(branchChildEnv); given != "" {
		if err := branchChild(context.Background(), given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if given := os.Getenv(childEnv); given != "" {
		if err := child(context.Background(), given); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is the process that makes the release. Its journal is SQLite on disk,
// its bucket a folder, its forge in the parent process.
func child(ctx context.Context, given string) (err error) {
	var o orders
	if err := json.Unmarshal([]byte(given), &o); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: "sqlite:" + filepath.Join(o.Dir, "journal.db")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	bucket, err := fileblob.OpenBucket(filepath.Join(o.Dir, "bucket"), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	conn, err := net.Dial("tcp", o.Forge)
	if err != nil {
		return err
	}
	client := &farForge{rpc: jsonrpc.NewClient(conn), origin: filepath.Join(o.Dir, "origin.git")}
	defer func() { err = errors.Join(err, client.rpc.Close()) }()

	options := serviceOptions(o.Dir, client, client, bucket, db)
	options.Registry = cut.Registry{Address: func() string { return o.Registry }}
	options.Project = func(context.Context, forge.RepoName, string) (cut.Project, error) { return supplied(), nil }
	options.NewID = func(name string) string { return name + "-1" } // which the provenance holds
	points, err := os.OpenFile(filepath.Join(o.Dir, "points"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, points.Close()) }()
	options.Engine.Boundary = func(point string) {
		if point == o.Die {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err == nil {
				select {} // the signal is on its way
			}
		}
		if _, err := fmt.Fprintln(points, point); err != nil {
			options.Engine.Owner = "cannot write " + err.Error()
		}
	}
	s, err := cut.New(options)
	if err != nil {
		return err
	}
	return goOn(ctx, s, o)
}

// goOn takes up the run that is there, or begins one.
func goOn(ctx context.Context, s *cut.Service, o orders) error {
	unfinished, err := s.Recover(ctx)
	if err != nil {
		return err
	}
	run := flow.Run{}
	if _, err := s.Status(ctx, o.Flow+"-1"); err == nil && len(unfinished) == 0 {
		return nil // it died with everything done
	}
	switch {
	case len(unfinished) > 0:
		run = unfinished[0]
	case o.Flow == "stage":
		run, err = s.Stage(ctx, stageRC())
	case o.Flow == "ci":
		run, err = s.CI(ctx, cut.CIRequest{Repo: halyard, Images: true, ValidateImages: true, Actor: "ada"})
	default:
		run, err = s.Cut(ctx, cut.CutRequest{Repo: halyard, BuildVersion: o.Build, Actor: "ada"})
	}
	if err != nil {
		return err
	}
	state, err := s.Drive(ctx, run.ID, flow.DriveOptions{})
	if err == nil && state != flow.Succeeded {
		err = fmt.Errorf("the run is %s", state)
	}
	return err
}

// nearForge serves a fakeForge's pages to the child, and outlives it.
type nearForge struct{ fake *fakeForge }

// Upload, Edit and Pages are what travels; net/rpc wants them exported.
type Upload struct {
	ID      int64
	Name    string
	Type    string
	Size    int64
	Content []byte
}

// Edit is a change of a page.
type Edit struct {
	ID   int64
	Edit forge.EditRelease
}

// Pages are all pages.
type Pages struct{ List []forge.Release }

func (n *nearForge) Releases(_ int, out *Pages) (err error) {
	out.List, err = n.fake.Releases(context.Background(), halyard)
	return err
}

func (n *nearForge) Create(in forge.NewRelease, out *forge.Release) (err error) {
	*out, err = n.fake.CreateRelease(context.Background(), halyard, in)
	return err
}

func (n *nearForge) Edit(in Edit, out *forge.Release) (err error) {
	*out, err = n.fake.EditRelease(context.Background(), halyard, in.ID, in.Edit)
	return err
}

func (n *nearForge) Upload(in Upload, out *forge.Asset) (err error) {
	*out, err = n.fake.UploadAsset(context.Background(), halyard, in.ID, in.Name, in.Type, in.Size, bytes.NewReader(in.Content))
	return err
}

func (n *nearForge) Delete(id int64, _ *int) error {
	return n.fake.DeleteAsset(context.Background(), halyard, id)
}

func (n *nearForge) Download(id int64, out *[]byte) error {
	r, err := n.fake.DownloadAsset(context.Background(), halyard, id)
	if err != nil {
		return err
	}
	*out, err = io.ReadAll(r)
	return err
}

func (n *nearForge) Branch(in [2]string, _ *int) error {
	return n.fake.CreateBranch(context.Background(), halyard, in[0], in[1])
}

// farForge is the child's end.
type farForge struct {
	rpc    *rpc.Client
	origin string
}

func (f *farForge) Repo(context.Context, forge.RepoName) (forge.Repo, error) {
	return forge.Repo{RepoName: halyard, DefaultBranch: "main", CloneURL: f.origin}, nil
}

func (f *farForge) Branches(ctx context.Context, repo forge.RepoName) ([]forge.Branch, error) {
	return (&fakeForge{origin: f.origin}).Branches(ctx, repo)
}

func (f *farForge) CreateBranch(_ context.Context, _ forge.RepoName, name, sha string) error {
	return f.rpc.Call("nearForge.Branch", [2]string{name, sha}, new(int))
}

func (f *farForge) Releases(context.Context, forge.RepoName) (out []forge.Release, err error) {
	var pages Pages
	err = f.rpc.Call("nearForge.Releases", 0, &pages)
	return pages.List, err
}

func (f *farForge) CreateRelease(_ context.Context, _ forge.RepoName, n forge.NewRelease) (out forge.Release, err error) {
	err = f.rpc.Call("nearForge.Create", n, &out)
	return out, err
}

func (f *farForge) EditRelease(_ context.Context, _ forge.RepoName, id int64, e forge.EditRelease) (out forge.Release, err error) {
	err = f.rpc.Call("nearForge.Edit", Edit{id, e}, &out)
	return out, err
}

func (f *farForge) UploadAsset(_ context.Context, _ forge.RepoName, id int64, name, kind string, size int64, r io.Reader) (out forge.Asset, err error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return out, err
	}
	err = f.rpc.Call("nearForge.Upload", Upload{id, name, kind, size, content}, &out)
	return out, err
}

func (f *farForge) DeleteRelease(context.Context, forge.RepoName, int64) error {
	return errors.New("nothing that is killed aborts")
}

func (f *farForge) DeleteAsset(_ context.Context, _ forge.RepoName, id int64) error {
	return f.rpc.Call("nearForge.Delete", id, new(int))
}

func (f *farForge) DownloadAsset(_ context.Context, _ forge.RepoName, id int64) (io.ReadCloser, error) {
	var content []byte
	err := f.rpc.Call("nearForge.Download", id, &content)
	return io.NopCloser(bytes.NewReader(content)), err
}

// serve makes the fake reachable until the test ends.
func serve(t *testing.T, fake *fakeForge) string {
	t.Helper()
	server := rpc.NewServer()
	must(t, server.RegisterName("nearForge", &nearForge{fake}))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { server.ServeCodec(jsonrpc.NewServerCodec(conn)) })
		}
	})
	t.Cleanup(func() {
		must(t, listener.Close())
		wg.Wait()
	})
	return listener.Addr().String()
}

// runChild runs a child to its end, which is its death if it was told to die.
func runChild(t *testing.T, o orders) {
	t.Helper()
	given, err := json.Marshal(o)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(given))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	switch {
	case o.Die == "" && err != nil:
		t.Fatalf("the process did not end well: %v\n%s", err, out)
	case o.Die != "" && !killed:
		t.Fatalf("the process did not die at %q: %v\n%s", o.Die, err, out)
	}
}

// serveRegistry serves the registry of a place, which outlives the child.
func serveRegistry(t *testing.T, dir string) string {
	t.Helper()
	folder := filepath.Join(dir, "registry")
	must(t, os.MkdirAll(folder, 0o755))
	bucket, err := fileblob.OpenBucket(folder, &fileblob.Options{NoTempDir: true})
	must(t, err)
	r, err := registry.New(registry.Options{Bucket: bucket, Authorizer: everybody{}, Secret: bytes.Repeat([]byte{1}, 32)})
	must(t, err)
	server := httptest.NewServer(r)
	t.Cleanup(func() {
		server.Close()
		must(t, bucket.Close())
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// imagesIn lists every tag of a registry with its digest, and how many
// signatures and statements hang on it.
func imagesIn(t *testing.T, address string) map[string]string {
	t.Helper()
	host, err := name.NewRegistry(address)
	must(t, err)
	repositories, err := remote.Catalog(t.Context(), host)
	must(t, err)
	images := map[string]string{}
	for _, repository := range repositories {
		repo := host.Repo(strings.Split(repository, "/")...)
		tags, err := remote.List(repo)
		must(t, err)
		for _, tag := range tags {
			d, err := remote.Head(repo.Tag(tag))
			must(t, err)
			referrers, err := remote.Referrers(repo.Digest(d.Digest.String()))
			must(t, err)
			index, err := referrers.IndexManifest()
			must(t, err)
			images[repository+":"+tag] = fmt.Sprintf("%s with %d referrers", d.Digest, len(index.Manifests))
		}
	}
	return images
}

// outcome is all that a release leaves for the world to see.
type outcome struct {
	Bucket map[string]string
	Images map[string]string // digest by repository:tag
	Refs   []git.Ref
	Pages  []forge.Release
	Work   []string // left over
}

func look(t *testing.T, dir string, fake *fakeForge) outcome {
	t.Helper()
	o := outcome{Bucket: tree(t, filepath.Join(dir, "bucket"), isJournal), Images: imagesIn(t, serveRegistry(t, dir))}
	repo, err := git.Open(t.Context(), filepath.Join(dir, "origin.git"))
	must(t, err)
	o.Refs, err = repo.Refs(t.Context())
	must(t, err)
	o.Pages, err = fake.Releases(t.Context(), halyard)
	must(t, err)
	left, err := os.ReadDir(filepath.Join(dir, "work"))
	must(t, err)
	for _, e := range left {
		o.Work = append(o.Work, e.Name())
	}
	return o
}

// acts are the things done to the world that must not happen twice.
func acts(t *testing.T, dir string, fake *fakeForge) []string {
	t.Helper()
	done := fake.done()
	pushes, err := os.ReadFile(filepath.Join(dir, "origin.git", "pushes.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(pushes)) {
		done = append(done, "push "+strings.Fields(line)[2])
	}
	slices.Sort(done)
	return done
}

// scenario is a place from which a flow can be begun over and over.
type scenario struct {
	flow   string
	from   string // folder to copy
	build  string
	want   outcome
	acts   []string
	points []string // every boundary, in the order of the undisturbed run
}

// undisturbed runs a flow once without dying, as the measure for the others.
func undisturbed(t *testing.T, name, from, build string) *scenario {
	t.Helper()
	sc := &scenario{flow: name, from: from, build: build}
	dir, fake := sc.place(t)
	runChild(t, orders{Dir: dir, Forge: serve(t, fake), Registry: serveRegistry(t, dir), Flow: name, Build: build})
	sc.want, sc.acts = look(t, dir, fake), acts(t, dir, fake)
	points, err := os.ReadFile(filepath.Join(dir, "points"))
	must(t, err)
	sc.points = strings.Split(strings.TrimSpace(string(points)), "\n")
	must(t, os.Remove(filepath.Join(dir, "points")))
	sc.from = dir // for who goes on from here
	return &scenario{flow: name, from: from, build: build, want: sc.want, acts: sc.acts, points: sc.points}
}

func (sc *scenario) place(t *testing.T) (string, *fakeForge) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.CopyFS(dir, os.DirFS(sc.from)))
	must(t, os.Chmod(filepath.Join(dir, "origin.git", "hooks", "post-receive"), 0o755))
	return dir, newFake(dir)
}

// survives kills the process at one point, starts it again, and compares.
func (sc *scenario) survives(t *testing.T, point string) {
	dir, fake := sc.place(t)
	o := orders{Dir: dir, Forge: serve(t, fake), Registry: serveRegistry(t, dir), Flow: sc.flow, Build: sc.build, Die: point}
	runChild(t, o)
	o.Die = ""
	runChild(t, o)
	if diff := cmp.Diff(sc.want, look(t, dir, fake)); diff != "" {
		t.Errorf("killed at %q and resumed, the release differs from an undisturbed one:\n%s", point, diff)
	}
	if diff := cmp.Diff(sc.acts, acts(t, dir, fake)); diff != "" {
		t.Errorf("killed at %q and resumed, other things were done than once each:\n%s", point, diff)
	}
}

// TestKilledAnywhereAndResumed kills the process at every point before and
// after every attempt, act and journal entry of a stage and a cut, and between
// any two things that a step does to the world. Short runs take a sample.
func TestKilledAnywhereAndResumed(t *testing.T) {
	t.Parallel()
	fresh := newPlace(t)
	stage := undisturbed(t, "stage", fresh.dir, "")

	// Every cut begins from the same stage.
	stagedDir, fake := stage.place(t)
	runChild(t, orders{Dir: stagedDir, Forge: serve(t, fake), Registry: serveRegistry(t, stagedDir), Flow: "stage"})
	must(t, os.Remove(filepath.Join(stagedDir, "points")))
	if images := imagesIn(t, serveRegistry(t, stagedDir)); len(images) != 1 {
		t.Fatalf("staged are the images %v", images)
	}
	plan, err := newService(t, fresh.options(&flow.Memory{})).Plan(t.Context(), stageRC())
	must(t, err)
	whole := undisturbed(t, "cut", stagedDir, plan.BuildVersion)

	for _, sc := range []*scenario{stage, whole} {
		if len(sc.points) < 70 {
			t.Fatalf("only %d points in %s: %v", len(sc.points), sc.flow, sc.points)
		}
		for i, point := range sc.points {
			if testing.Short() && i%16 != 5 {
				continue
			}
			t.Run(sc.flow+" "+point, func(t *testing.T) {
				t.Parallel()
				sc.survives(t, point)
			})
		}
	}
}
