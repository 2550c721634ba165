package merge

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// realOwners reads the OWNERS files of a large project, and the list of all its
// files, from the folder in SEAWORTHY_DATA.
func realOwners(t *testing.T) (files map[string][]byte, all []string) {
	t.Helper()
	dir := os.Getenv("SEAWORTHY_DATA")
	if dir == "" {
		t.Skip("SEAWORTHY_DATA is not set")
	}
	f, err := os.Open(filepath.Join(dir, "owners.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(path.Clean(h.Name), "owners/")
		if name == "files.txt" {
			all = strings.Fields(string(content))
			continue
		}
		files[name] = content
	}
	return files, all
}

func TestRealOwners(t *testing.T) {
	t.Parallel()
	files, all := realOwners(t)
	o, problems := Load(files)
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	// Every irregularity of 234 files, found by reading them.
	want := []string{
		"config/testgrids/conformance/OWNERS: warning: names no approver, reviewer or label; it has no effect",
		"config/tests/jobs/OWNERS:3: warning: no_parent_owners has no effect here; it belongs below options:",
		`gcsweb/OWNERS:6: warning: reviewers: "thockin" is listed twice`,
		"robots/coverage/OWNERS: warning: names no approver, reviewer or label; it has no effect",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if n := len(o.Dirs()); n != 234 {
		t.Errorf("%d folders have OWNERS, want 234", n)
	}
	if len(all) != 1865 {
		t.Fatalf("%d files, want 1865", len(all))
	}
	for _, f := range all {
		if len(o.ApproversFor(f)) == 0 {
			t.Errorf("%s: nobody can approve it", f)
		}
		if dir := o.OwnersDir(f); dir != "" && !strings.HasPrefix(f, dir+"/") {
			t.Errorf("%s is owned by %s", f, dir)
		}
	}
}

// The expectations were derived by hand from the files.
func TestRealOwnersExplain(t *testing.T) {
	t.Parallel()
	files, _ := realOwners(t)
	o, _ := Load(files)
	root := "aojea bentheelder dims michelle192837 upodroid"
	config := "cblecker chases2 dims madhavjivrajani priyankasaggu11929 wojtek-t"
	infra := "ameukam genpage hakman upodroid xmudrii"
	tests := []struct {
		path, dir string
		approvers string // any order, duplicates allowed
		required  string
		labels    string
	}{
		{"Makefile", "", root, "", "sig/testing"},
		{"experiment/kind-coverage-dump.sh", "experiment", root + " aojea", "", "sig/testing"},
		{"label_sync/labels.yaml", "label_sync", root + " cblecker madhavjivrajani priyankasaggu11929",
			"madhavjivrajani priyankasaggu11929", "area/label_sync sig/contributor-experience sig/testing"},
		{"label_sync/main.go", "label_sync", root + " cblecker madhavjivrajani priyankasaggu11929",
			"", "area/label_sync sig/contributor-experience sig/testing"},
		// Its OWNERS file has required_reviewers only: the folder above decides.
		{"config/prow/config.yaml", "config", root + " " + config, "cblecker madhavjivrajani priyankasaggu11929", "area/config sig/testing"},
		{"config/prow/Makefile", "config", root + " " + config, "", "area/config sig/testing"},
		// no_parent_owners below options: shuts the folders above out.
		{"config/jobs/image-pushing/k8s-staging-bom.yaml", "config/jobs/image-pushing", "ameukam upodroid xmudrii hakman", "", ""},
		// At the top of the file it has no effect.
		{"config/tests/jobs/jobs_test.go", "config/tests/jobs", root + " " + config + " ameukam", "", "area/config sig/testing"},
		{"config/jobs/kubernetes/kops/Makefile", "config/jobs/kubernetes/kops",
			root + " " + config + " hakman johngmyers justinsb olemarkus rifelpet zetaab", "", "area/config area/jobs sig/cluster-lifecycle sig/testing"},
		{"config/jobs/kubernetes/sig-k8s-infra/trusted/sig-contribex-peribolos.yaml", "config/jobs/kubernetes/sig-k8s-infra/trusted",
			infra, "madhavjivrajani priyankasaggu11929", ""},
		{"config/jobs/kubernetes/sig-k8s-infra/trusted/sig-k8s-infra-dns.yaml", "config/jobs/kubernetes/sig-k8s-infra/trusted", infra, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			if got := o.OwnersDir(tt.path); got != tt.dir {
				t.Errorf("owned by %q, want %q", got, tt.dir)
			}
			if diff := cmp.Diff(union(nil, strings.Fields(tt.approvers)), o.ApproversFor(tt.path)); diff != "" {
				t.Errorf("approvers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(union(nil, strings.Fields(tt.required)), o.RequiredReviewersFor(tt.path)); diff != "" {
				t.Errorf("required reviewers (-want +got):\n%s", diff)
			}
			if tt.labels == "" {
				return
			}
			if diff := cmp.Diff(strings.Fields(tt.labels), o.LabelsFor(tt.path)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
	a := Approve(o, Change{Author: "someone", Files: []string{"config/prow/config.yaml", "config/jobs/image-pushing/README.md", "jobs/e2e_node/crio/OWNERS"}}, ApprovalPolicy{})
	var dirs []string
	for _, d := range a.Dirs {
		dirs = append(dirs, d.Dir)
	}
	if diff := cmp.Diff([]string{"config", "config/jobs/image-pushing", "jobs/e2e_node/crio"}, dirs); diff != "" {
		t.Errorf("deciding folders (-want +got):\n%s", diff)
	}
	if a.Approved || len(a.Suggested) != 3 {
		t.Errorf("approved %v, suggested %v: want one person for each of three folders", a.Approved, a.Suggested)
	}
}
