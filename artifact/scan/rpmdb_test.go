package scan

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rpmdb "github.com/knqyf263/go-rpmdb/pkg"

	"seaworthy/artifact/sbom"
)

// rpmHeader makes a header of texts, as the database keeps it.
func rpmHeader(values map[uint32]string) []byte {
	var index, data []byte
	for tag, text := range values {
		index = binary.BigEndian.AppendUint32(index, tag)
		kind := uint32(rpmString)
		if tag == rpmRequireName || tag == rpmProvideName {
			kind = rpmStringArray
		}
		index = binary.BigEndian.AppendUint32(index, kind)
		index = binary.BigEndian.AppendUint32(index, uint32(len(data)))
		index = binary.BigEndian.AppendUint32(index, 1)
		data = append(append(data, text...), 0)
	}
	blob := binary.BigEndian.AppendUint32(nil, uint32(len(values)))
	blob = binary.BigEndian.AppendUint32(blob, uint32(len(data)))
	return append(append(blob, index...), data...)
}

func TestParseRPMHeader(t *testing.T) {
	t.Parallel()
	p, err := parseRPMHeader(rpmHeader(map[uint32]string{rpmName: "bash", rpmVersion: "5.2", rpmRelease: "1.fc40", rpmArch: "x86_64", rpmVendor: "Fedora Project", rpmLicense: "GPLv3+ and ASL 2.0",
		rpmSourceRPM: "bash-5.2-1.fc40.src.rpm", rpmRequireName: "libc.so.6", rpmProvideName: "config(bash)"}))
	if err != nil {
		t.Fatal(err)
	}
	if p.version != "5.2-1.fc40" || p.licence != "GPL-3.0-or-later AND Apache-2.0" || p.supplier.Name != "Fedora Project" {
		t.Errorf("%+v", p)
	}
	p.epoch = "2"
	out := p.pkg(distro{id: "fedora", version: "40"})
	if out.PURL != "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&distro=fedora-40&epoch=2&upstream=bash-5.2-1.fc40.src.rpm" || out.Version != "2:5.2-1.fc40" {
		t.Errorf("%+v", out)
	}
	for _, bad := range [][]byte{nil, {0, 0, 0, 1}, []byte("\xff\xff\xff\xff\xff\xff\xff\xff"), rpmHeader(map[uint32]string{rpmName: "x"})} {
		if _, err := parseRPMHeader(bad); err == nil {
			t.Errorf("%q is a header", bad)
		}
	}
}

const specFile = `Name: NAME
Version: 1.2
Release: 3
Epoch: 4
Summary: A package
License: GPLv2+ and MIT
Vendor: The Harbour
URL: https://example.com
BuildArch: noarch
%description
DESCRIPTION
%files
`

// TestRealRPM has rpm itself make databases of each form it still writes.
func TestRealRPM(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("needs %s: run scripts/setup", tool)
			}
			t.Skipf("skipped: needs %s, run scripts/setup", tool)
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		c := exec.Command(name, args...)
		c.Env = append(os.Environ(), "HOME="+dir)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	for name, description := range map[string]string{"alpha": "Short.", "beta": strings.Repeat("A long description, so that its row goes on in other pages.\n", 400)} {
		spec := filepath.Join(dir, name+".spec")
		writeFile(t, spec, strings.NewReplacer("NAME", name, "DESCRIPTION", description).Replace(specFile))
		run("rpmbuild", "--quiet", "-bb", "--define", "_topdir "+dir, spec)
	}
	built, err := filepath.Glob(filepath.Join(dir, "RPMS", "noarch", "*.rpm"))
	if err != nil || len(built) != 2 {
		t.Fatalf("%v %v", built, err)
	}
	db := filepath.Join(dir, "db")
	run("rpm", "--define", "_db_backend sqlite", "--dbpath", db, "--initdb")
	run("rpm", append([]string{"--define", "_db_backend sqlite", "--dbpath", db, "-i", "--justdb", "--nodeps"}, built...)...)
	data, err := os.ReadFile(filepath.Join(db, "rpmdb.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseRPMs(data)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b osPackage) int { return strings.Compare(a.name, b.name) })
	if len(list) != 2 || list[0].name != "alpha" || list[1].name != "beta" {
		t.Fatalf("%+v", list)
	}
	b := list[1]
	if b.version != "1.2-3" || b.epoch != "4" || b.licence != "GPL-2.0-or-later AND MIT" || b.supplier != (sbom.Actor{Kind: sbom.Organization, Name: "The Harbour"}) || b.arch != "noarch" || !strings.Contains(b.comment, "SHA-256") {
		t.Errorf("%+v", b)
	}
	for _, cut := range []int{100, 4096, len(data) / 2} {
		if _, err := parseRPMs(data[:cut]); err != nil && !errors.Is(err, ErrBroken) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	// The same headers in the form that SUSE keeps.
	var headers [][]byte
	if headers, err = sqliteBlobs(data); err != nil {
		t.Fatal(err)
	}
	again, err := parseRPMs(ndbFile(headers...))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(again, func(a, b osPackage) int { return strings.Compare(a.name, b.name) })
	if diff := cmp.Diff(list, again, cmp.AllowUnexported(osPackage{})); diff != "" {
		t.Error(diff)
	}
}

// ndbFile makes an ndb database of headers.
func ndbFile(headers ...[]byte) []byte {
	db := make([]byte, ndbPage)
	copy(db, "RpmP")
	binary.LittleEndian.PutUint32(db[12:], 1)
	for at := ndbHeadSlots * ndbSlot; at < ndbPage; at += ndbSlot {
		copy(db[at:], "Slot")
	}
	for i, h := range headers {
		slot := db[(ndbHeadSlots+1+i)*ndbSlot:] // the first slot stays empty
		binary.LittleEndian.PutUint32(slot[4:], uint32(i+1))
		binary.LittleEndian.PutUint32(slot[8:], uint32(len(db)/ndbSlot))
		db = append(db, "BlbS"...)
		db = binary.LittleEndian.AppendUint32(db, uint32(i+1))
		db = binary.LittleEndian.AppendUint32(db, 7)
		db = binary.LittleEndian.AppendUint32(db, uint32(len(h)))
		db = append(db, h...)
		db = append(db, make([]byte, ndbSlot-len(db)%ndbSlot)...)
	}
	return db
}

// TestBerkeleyDB reads databases of CentOS as another reader does.
func TestBerkeleyDB(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/knqyf263/go-rpmdb").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata", "*plain", "Packages"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			t.Parallel()
			other, err := rpmdb.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := other.ListPackages()
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, p := range theirs {
				if p.Name != "gpg-pubkey" {
					want = append(want, p.Name+" "+p.Version+"-"+p.Release+" "+p.Arch)
				}
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ours, err := parseRPMs(data)
			if err != nil {
				t.Fatal(err)
			}
			var have []string
			for _, p := range ours {
				have = append(have, p.name+" "+p.version+" "+p.arch)
				if p.licence == "" || p.supplier.IsZero() {
					t.Errorf("%s: no licence or supplier", p.name)
				}
			}
			slices.Sort(want)
			slices.Sort(have)
			if diff := cmp.Diff(want, have); diff != "" || len(have) < 50 {
				t.Errorf("%d packages: %s", len(have), diff)
			}
		})
	}
}

func FuzzRPMs(f *testing.F) {
	header := rpmHeader(map[uint32]string{rpmName: "a", rpmVersion: "1"})
	f.Add(ndbFile(header, header))
	sqlite := make([]byte, 1024)
	copy(sqlite, "SQLite format 3\x00")
	sqlite[16], sqlite[100] = 2, sqliteLeaf
	f.Add(sqlite)
	bdb := make([]byte, 2048)
	binary.LittleEndian.PutUint32(bdb[12:], bdbHash)
	binary.LittleEndian.PutUint32(bdb[20:], 512)
	binary.LittleEndian.PutUint32(bdb[32:], 3)
	bdb[512+25], bdb[512+20] = bdbHashPage, 2
	f.Add(bdb)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseRPMs(data); err != nil && !errors.Is(err, ErrBroken) {
			t.Error(err)
		}
	})
}
