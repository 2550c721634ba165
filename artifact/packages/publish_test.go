package packages

import (
	"context"
	"crypto/rsa"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"seaworthy/artifact"
)

func folder(t testing.TB) (string, *blob.Bucket) {
	t.Helper()
	dir := t.TempDir()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return dir, b
}

func publication(t testing.TB) Publication {
	t.Helper()
	return Publication{Channel: artifact.ChannelRelease, Name: "halyard", Signers: signers(t), Time: commitTime.Add(time.Hour), Holder: "a test"}
}

// packaged builds a version and returns its files, those of a format first if
// one is given.
func packaged(t testing.TB, version string, formats ...artifact.PackageFormat) []string {
	t.Helper()
	r := halyard(t)
	r.Version, r.Formats, r.Signers = version, formats, signers(t)
	var paths []string
	for _, a := range build(t, r) {
		paths = append(paths, filepath.Join(r.OutDir, a.Name))
	}
	return paths
}

func mustPublish(t testing.TB, b *blob.Bucket, paths []string, p Publication) *Report {
	t.Helper()
	report, err := Publish(t.Context(), b, paths, p)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func listing(t testing.TB, b *blob.Bucket) map[string]string {
	t.Helper()
	all := map[string]string{}
	for key, err := range objectsBelow(t.Context(), b, "") {
		if err != nil {
			t.Fatal(err)
		}
		data, err := b.ReadAll(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		all[key] = string(data)
	}
	return all
}

func TestPublish(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	p := publication(t)
	p.BaseURL, p.ValidFor = "https://example.org/packages", 24*time.Hour
	first := packaged(t, "v1.2.0-rc.1")
	report := mustPublish(t, b, first, p)
	if len(report.Added) != 6 || len(report.Present) != 0 {
		t.Errorf("%+v", report)
	}
	have := listing(t, b)
	for _, key := range []string{
		"key.asc", "key.gpg", p.Signers.APK.Name(),
		"deb/pool/main/h/halyard/halyard_1.2.0~rc.1-1_amd64.deb", "deb/dists/release/InRelease", "deb/dists/release/Release", "deb/dists/release/Release.gpg",
		"deb/dists/release/main/binary-amd64/Packages", "deb/dists/release/main/binary-arm64/Packages.xz", "deb/halyard-release.sources",
		"rpm/release/x86_64/halyard-1.2.0~rc.1-1.x86_64.rpm", "rpm/release/repodata/repomd.xml", "rpm/release/repodata/repomd.xml.asc", "rpm/halyard-release.repo",
		"apk/release/x86_64/halyard-1.2.0_rc1-r1.apk", "apk/release/aarch64/APKINDEX.tar.gz",
	} {
		if have[key] == "" {
			t.Errorf("there is no %s", key)
		}
	}
	if _, locked := have[lockKey]; locked {
		t.Error("the lock is still there")
	}
	contains(t, have["deb/dists/release/Release"], "Suite: release\n", "Date: Wed, 04 Mar 2026 06:06:07 UTC\n", "Valid-Until: Thu, 05 Mar 2026 06:06:07 UTC\n",
		"Acquire-By-Hash: yes\n", "Architectures: amd64 arm64\n", "\nSHA512:\n")

	// The same again changes nothing at all.
	report = mustPublish(t, b, first, p)
	if len(report.Added) != 0 || len(report.Present) != 6 || len(report.Written) != 0 {
		t.Errorf("published again: %+v", report)
	}
	// A further version keeps the old one, wherever it is published from.
	p.Time = p.Time.Add(time.Hour)
	if report := mustPublish(t, b, packaged(t, "v1.2.0"), p); len(report.Added) != 6 {
		t.Errorf("%+v", report)
	}
	have = listing(t, b)
	packages := have["deb/dists/release/main/binary-amd64/Packages"]
	contains(t, packages, "Version: 1.2.0~rc.1-1\n", "Version: 1.2.0-1\n")
	if strings.Count(packages, "Package: halyard\n") != 2 || strings.Contains(packages, "arm64") {
		t.Errorf("not the two packages of the architecture:\n%s", packages)
	}
	// The indexes of the Release before remain for those who just read it.
	byHash := func() (n int) {
		for key := range listing(t, b) {
			if strings.HasPrefix(key, "deb/dists/release/main/binary-amd64/by-hash/") {
				n++
			}
		}
		return n
	}
	before := byHash()
	p.Time = p.Time.Add(time.Hour)
	mustPublish(t, b, packaged(t, "v1.3.0"), p)
	p.Time = p.Time.Add(time.Hour)
	mustPublish(t, b, packaged(t, "v1.4.0"), p)
	if after := byHash(); before != 14 || after != before {
		t.Errorf("%d, then %d indexes by digest: two generations of three, and the folder's Release, each by two digests are 14", before, after)
	}
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	good := packaged(t, "v1.2.0")
	deb := packaged(t, "v1.2.0", artifact.Deb)
	other := halyard(t)
	other.Formats, other.Spec.Summary = []artifact.PackageFormat{artifact.Deb}, "Something else"
	build(t, other)
	unsigned := halyard(t)
	unsigned.Formats = []artifact.PackageFormat{artifact.RPM}
	build(t, unsigned)
	stranger := unsigned
	stranger.OutDir = t.TempDir()
	text, err := GenerateKey("Mallory", "mallory@example.org", nil, commitTime)
	if err != nil {
		t.Fatal(err)
	}
	if stranger.Signers.OpenPGP, err = ReadKey(text, nil); err != nil {
		t.Fatal(err)
	}
	build(t, stranger)
	for want, try := range map[string]func(*Publication, *blob.Bucket) []string{
		"cannot be a channel":    func(p *Publication, _ *blob.Bucket) []string { p.Channel = "../x"; return good },
		"cannot be a repository": func(p *Publication, _ *blob.Bucket) []string { p.Name = "a\nb"; return good },
		"the time of the":        func(p *Publication, _ *blob.Bucket) []string { p.Time = time.Time{}; return good },
		"no OpenPGP key":         func(p *Publication, _ *blob.Bucket) []string { p.Signers.OpenPGP = nil; return deb },
		"no RSA key":             func(p *Publication, _ *blob.Bucket) []string { p.Signers.APK = nil; return good },
		"is not signed, and dnf": func(_ *Publication, _ *blob.Bucket) []string {
			return []string{filepath.Join(unsigned.OutDir, "halyard-1.2.0~rc.1-1.x86_64.rpm")}
		},
		"is not signed with the rep": func(_ *Publication, _ *blob.Bucket) []string {
			return []string{filepath.Join(stranger.OutDir, "halyard-1.2.0~rc.1-1.x86_64.rpm")}
		},
		"no such file": func(_ *Publication, _ *blob.Bucket) []string { return []string{"/nowhere.deb"} },
		"published already": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, packaged(t, "v1.2.0-rc.1", artifact.Deb), *p)
			return []string{filepath.Join(other.OutDir, "halyard_1.2.0~rc.1-1_amd64.deb")}
		},
		"the same package with different": func(_ *Publication, _ *blob.Bucket) []string {
			return append(packaged(t, "v1.2.0-rc.1", artifact.Deb), filepath.Join(other.OutDir, "halyard_1.2.0~rc.1-1_amd64.deb"))
		},
		"InRelease is not signed with this key": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, deb, *p)
			p.Signers.OpenPGP = stranger.Signers.OpenPGP
			return packaged(t, "v1.3.0", artifact.Deb)
		},
		"the repository is signed: give its key": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, deb, *p)
			p.Signers, p.Unsigned = Signers{}, true
			return deb
		},
		"main/binary-amd64/Packages is not what Release": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, deb, *p)
			for key := range listing(t, b) {
				if strings.HasSuffix(key, "/Packages") || strings.Contains(key, "/by-hash/SHA256/") {
					put(t, b, key, "Package: evil\n")
				}
			}
			return packaged(t, "v1.3.0", artifact.Deb)
		},
		"repomd.xml is not signed with this key": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, good, *p)
			put(t, b, "rpm/release/repodata/repomd.xml", "<repomd/>")
			return packaged(t, "v1.3.0", artifact.RPM)
		},
		"primary.xml.gz is not what repomd": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, good, *p)
			for key := range listing(t, b) {
				if strings.HasSuffix(key, "primary.xml.gz") {
					put(t, b, key, "x")
				}
			}
			return packaged(t, "v1.3.0", artifact.RPM)
		},
		"x86_64/APKINDEX.tar.gz: it is not signed": func(p *Publication, b *blob.Bucket) []string {
			mustPublish(t, b, good, *p)
			index, err := tarGz([]object{{"APKINDEX", []byte("P:evil\nV:1\n")}}, true)
			if err != nil {
				t.Error(err)
			}
			put(t, b, "apk/release/x86_64/APKINDEX.tar.gz", string(index))
			return packaged(t, "v1.3.0", artifact.APK)
		},
	} {
		t.Run(want, func(t *testing.T) {
			b := memblob.OpenBucket(nil)
			p := publication(t)
			paths := try(&p, b)
			before := listing(t, b)
			_, err := Publish(t.Context(), b, paths, p)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
			after := listing(t, b)
			for key, text := range before {
				if after[key] != text {
					t.Errorf("%s is another after a refusal", key)
				}
			}
			for key := range after {
				if _, was := before[key]; !was && !strings.HasPrefix(key, "key.") && !strings.HasSuffix(key, ".pub") {
					t.Errorf("%s is there after a refusal", key)
				}
			}
		})
	}
}

func put(t testing.TB, b *blob.Bucket, key, text string) {
	t.Helper()
	if err := b.WriteAll(t.Context(), key, []byte(text), nil); err != nil {
		t.Fatal(err)
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	p := publication(t)
	deb := packaged(t, "v1.2.0", artifact.Deb)
	put(t, b, lockKey, `{"holder":"ada on knot","started":"2026-03-04T05:06:07Z","token":"x"}`)
	_, err := Publish(t.Context(), b, deb, p)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "ada on knot since 2026-03-04T05:06:07Z") {
		t.Errorf("locked, but: %v", err)
	}
	if len(listing(t, b)) != 1 {
		t.Error("something was written under another's lock")
	}
	if who, err := Unlock(t.Context(), b); err != nil || who != "ada on knot" {
		t.Errorf("%q, %v", who, err)
	}
	if _, err := Unlock(t.Context(), b); err == nil {
		t.Error("unlocked what is not locked")
	}
	mustPublish(t, b, deb, p)

	// Of many at once, each either publishes or is refused, and nothing of
	// those who published is lost.
	versions := []string{"v2.0.0", "v2.1.0", "v2.2.0", "v2.3.0"}
	paths := map[string][]string{}
	for _, v := range versions {
		paths[v] = packaged(t, v, artifact.Deb)
	}
	errs := make(chan error, len(versions))
	for _, v := range versions {
		go func() {
			_, err := Publish(context.WithoutCancel(t.Context()), b, paths[v], p)
			errs <- err
		}()
	}
	published := 1
	for range versions {
		if err := <-errs; err == nil {
			published++
		} else if !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
	}
	index := listing(t, b)["deb/dists/release/main/binary-amd64/Packages"]
	if n := strings.Count(index, "Package: halyard\n"); n != published || published < 2 {
		t.Errorf("%d versions are listed, %d were published", n, published)
	}
}

// A rehearsal finds what publishing would add, and what it would refuse.
func TestMock(t *testing.T) {
	t.Parallel()
	_, b := folder(t)
	p := publication(t)
	mock := p
	mock.Mock = true
	paths := packaged(t, "v1.2.0")
	planned := mustPublish(t, b, paths, mock)
	if len(planned.Added) < 3 || len(planned.Written) > 0 || !planned.Mock || len(listing(t, b)) > 0 {
		t.Fatalf("%+v, and the bucket holds %d objects", planned, len(listing(t, b)))
	}
	done := mustPublish(t, b, paths, p)
	if !slices.Equal(planned.Added, done.Added) || done.Mock {
		t.Errorf("planned %v, added %v", planned.Added, done.Added)
	}
	before := listing(t, b)
	if again := mustPublish(t, b, paths, mock); len(again.Added) > 0 || !slices.Equal(again.Present, done.Added) {
		t.Errorf("again: %+v", again)
	}
	deb := done.Added[slices.IndexFunc(done.Added, func(k string) bool { return strings.HasSuffix(k, ".deb") })]
	put(t, b, deb, "another")
	if _, err := Publish(t.Context(), b, paths, mock); !errors.Is(err, ErrChanged) {
		t.Errorf("a taken name: %v", err)
	}
	put(t, b, deb, before[deb])
	put(t, b, lockKey, `{"holder":"ada on knot","started":"2026-03-04T05:06:07Z","token":"x"}`)
	if _, err := Publish(t.Context(), b, paths, mock); !errors.Is(err, ErrLocked) {
		t.Errorf("a locked repository: %v", err)
	}
}

// A publisher that dies between any two writes leaves a repository that is as
// it was or as it should be, and that can be published to again. The report
// tells the order of the writes.
func TestCutShort(t *testing.T) {
	t.Parallel()
	for _, format := range artifact.PackageFormats() {
		t.Run(string(format), func(t *testing.T) {
			t.Parallel()
			old, next := packaged(t, "v1.2.0", format), packaged(t, "v1.3.0", format)
			p := publication(t)
			later := p
			later.Time = p.Time.Add(time.Hour)
			b := memblob.OpenBucket(nil)
			mustPublish(t, b, old, p)
			before := listing(t, b)
			report := mustPublish(t, b, next, later)
			after := listing(t, b)
			order := append(slices.Clone(report.Added), report.Written...)
			if len(order) < 4 {
				t.Fatalf("only %q was written", order)
			}
			for n := range len(order) + 1 {
				b := memblob.OpenBucket(nil)
				for key, text := range before {
					put(t, b, key, text)
				}
				for _, key := range order[:n] {
					put(t, b, key, after[key])
				}
				visible(t, b, format, n == len(order))
				later.Time = later.Time.Add(time.Minute)
				mustPublish(t, b, next, later)
				visible(t, b, format, true)
			}
		})
	}
}

// visible checks that everything a reader is led to is there, whole, and that
// the new version is among it if it must be.
func visible(t *testing.T, b *blob.Bucket, format artifact.PackageFormat, mustBeNew bool) {
	t.Helper()
	p := publication(t)
	s := &shelf{bucket: b, p: p, report: &Report{}, apk: []*rsa.PublicKey{&p.Signers.APK.key.PublicKey}}
	var names []string
	switch format {
	case artifact.Deb:
		release, err := s.readRelease(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stanzas, err := s.readPackages(t.Context(), release)
		if err != nil {
			t.Fatal(err)
		}
		for name, fields := range stanzas {
			if sum, err := s.digest(t.Context(), "deb/"+name); err != nil || sum != get(fields, "SHA256") {
				t.Errorf("%s is listed and is not there: %v", name, err)
			}
			names = append(names, name)
		}
	case artifact.RPM:
		packages, _, err := s.readRepomd(t.Context(), "rpm/release/")
		if err != nil {
			t.Fatal(err)
		}
		for id, one := range packages {
			if sum, err := s.digest(t.Context(), "rpm/release/"+one.location); err != nil || sum != id {
				t.Errorf("%s is listed and is not there: %v", one.location, err)
			}
			names = append(names, one.location)
		}
	default:
		indexes, err := s.readAPKIndexes(t.Context(), "apk/release/")
		if err != nil {
			t.Fatal(err)
		}
		for arch, records := range indexes {
			for name := range records {
				if sum, err := s.digest(t.Context(), "apk/release/"+arch+"/"+name); err != nil || sum == "" {
					t.Errorf("%s is listed and is not there: %v", name, err)
				}
				names = append(names, name)
			}
		}
	}
	isNew := slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "1.3.0") })
	if len(names) < 2 || mustBeNew && !isNew {
		t.Errorf("a reader sees %q", names)
	}
}
