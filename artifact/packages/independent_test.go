package packages

import (
	"path/filepath"
	"strings"
	"testing"

	"seaworthy/artifact"
)

// independentPackages are of no machine, with an epoch and a second revision.
func independentPackages(t *testing.T) []string {
	t.Helper()
	r := halyard(t)
	r.Version, r.Signers = "v1.2.0", signers(t)
	r.Spec.Platforms = []string{artifact.AnyPlatform}
	r.Spec.Contents = r.Spec.Contents[1:]
	r.Spec.Name, r.Spec.Epoch, r.Spec.Revision = "libhalyard-data", 1, 2
	var paths []string
	for _, a := range build(t, r) {
		if !a.Platform.IsZero() {
			t.Errorf("%s is for %s", a.Name, a.Platform)
		}
		paths = append(paths, filepath.Join(r.OutDir, a.Name))
	}
	return paths
}

// What runs everywhere is found on every machine, whichever was published
// first, and a repository of nothing else serves the usual two.
func TestIndependentOfMachines(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	p := publication(t)
	report := mustPublish(t, b, independentPackages(t), p)
	want := []string{
		"deb/pool/main/libh/libhalyard-data/libhalyard-data_1.2.0-2_all.deb",
		"rpm/release/noarch/libhalyard-data-1.2.0-2.noarch.rpm",
		"apk/release/aarch64/libhalyard-data-1.2.0-r2.apk", "apk/release/x86_64/libhalyard-data-1.2.0-r2.apk",
	}
	if strings.Join(report.Added, "\n") != strings.Join(want, "\n") {
		t.Errorf("added %q", report.Added)
	}
	have := listing(t, b)
	contains(t, have["deb/dists/release/Release"], "Architectures: amd64 arm64\n")
	for _, arch := range []string{"amd64", "arm64"} {
		contains(t, have["deb/dists/release/main/binary-"+arch+"/Packages"], "Package: libhalyard-data\nVersion: 1:1.2.0-2\n", "Architecture: all\n")
	}
	list, err := List(t.Context(), b, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[artifact.PackageFormat]string{artifact.Deb: "1:1.2.0-2", artifact.RPM: "1:1.2.0-2", artifact.APK: "1.2.0-r2"}
	for _, e := range list {
		if e.Version != versions[e.Format] {
			t.Errorf("%+v", e)
		}
	}
	mustPublish(t, b, packaged(t, "v1.2.0"), p)
	for arch, n := range map[string]int{"amd64": 2, "arm64": 2} {
		if got := strings.Count(listing(t, b)["deb/dists/release/main/binary-"+arch+"/Packages"], "Package: "); got != n {
			t.Errorf("%s lists %d packages, want %d", arch, got, n)
		}
	}
}
