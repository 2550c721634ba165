package packages

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"seaworthy/artifact"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	want := map[artifact.PackageFormat]File{
		artifact.Deb: {Version: "1.2.0~rc.1-1", Arch: "amd64", Description: "  It pulls.\n .\n  Then it holds.", Installed: 0, ConfigFiles: []string{"/etc/halyard/halyard.yaml"},
			Scripts: []string{"postinst", "postrm", "prerm"}, Provides: []string{"hoist (= 1)"}, Conflicts: []string{"winch (<< 2)"}, Replaces: []string{"old-halyard"}},
		artifact.RPM: {Version: "1.2.0~rc.1-1", Arch: "x86_64", Description: "It pulls.\n\nThen it holds.", Vendor: "Example", License: "Apache-2.0", ConfigFiles: []string{"/etc/halyard/halyard.yaml"},
			Scripts: []string{"postin", "postun", "preun"}, Provides: []string{"hoist = 1", "halyard = 1.2.0~rc.1-1"}, Conflicts: []string{"winch < 2"}, Replaces: []string{"old-halyard"}},
		artifact.APK: {Version: "1.2.0_rc1-r1", Arch: "x86_64", License: "Apache-2.0",
			Scripts: []string{"post-deinstall", "post-install", "post-upgrade", "pre-deinstall"}, Provides: []string{"hoist=1"}, Conflicts: []string{"winch<2"}, Replaces: []string{"old-halyard"}},
	}
	for _, path := range packaged(t, "v1.2.0-rc.1") {
		p, err := Inspect(path)
		if err != nil {
			t.Error(err)
			continue
		}
		w := want[p.Format]
		if p.Package != "halyard" || p.Version != w.Version || p.Summary != "Hoists sails" || p.Vendor != w.Vendor || p.License != w.License ||
			p.Maintainer != "Ada Ash <ada@example.org>" || p.Homepage != "https://example.org/halyard" || p.Signed != (p.Format != artifact.Deb) {
			t.Errorf("%s: %+v", path, p)
		}
		if p.Format != artifact.Deb && p.Description != w.Description {
			t.Errorf("%s: description %q", path, p.Description)
		}
		for _, l := range []struct{ have, want []string }{{p.Scripts, w.Scripts}, {p.Provides, w.Provides}, {p.Conflicts, w.Conflicts}, {p.Replaces, w.Replaces}, {p.ConfigFiles, w.ConfigFiles}} {
			if !slices.Equal(l.have, l.want) {
				t.Errorf("%s: %q, want %q", path, l.have, l.want)
			}
		}
		if err := p.Validate(); err != nil || p.Kind != artifact.Package {
			t.Errorf("%s: %v", path, err)
		}
		if channel, err := p.Channel(); err != nil || channel != artifact.ChannelTesting {
			t.Errorf("%s belongs to %q (%v)", path, channel, err)
		}
		if !strings.Contains(path, p.Package) || p.Format != artifact.APK && filepath.Base(path) != p.standardName() {
			t.Errorf("%s is called %s", path, p.standardName())
		}
	}
}

// One byte changed anywhere in the payload of an rpm or apk is seen; in a deb,
// which has no digest of its own, the repository's index is what tells.
func TestDamageIsSeen(t *testing.T) {
	t.Parallel()
	for _, path := range packaged(t, "v1.2.0", artifact.RPM, artifact.APK) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)-30] ^= 1
		if _, err := inspect(bytes.NewReader(data), "x"); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestCutOff(t *testing.T) {
	t.Parallel()
	for _, path := range packaged(t, "v1.2.0") {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 400 {
			// A deb's last member is not looked into, so only its metadata counts.
			if _, err := inspect(bytes.NewReader(data[:n]), "x"); err == nil {
				t.Errorf("the first %d bytes of %s are a package", n, path)
			}
		}
	}
}

// ar packs members as an ar archive.
func ar(members ...object) []byte {
	var b bytes.Buffer
	b.WriteString(arMagic)
	for _, m := range members {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", m.key, 0, 0, 0, "100644", len(m.data))
		b.Write(m.data)
		if len(m.data)%2 == 1 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func tarOf(t testing.TB, files ...object) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.key, Size: int64(len(f.data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const control = "Package: rope\nVersion: 1.0-1\nArchitecture: all\nMaintainer: Ada <ada@example.org>\nDescription: Is long\n"

func debOf(t testing.TB, text string) []byte {
	t.Helper()
	return ar(object{"debian-binary", []byte("2.0\n")}, object{"control.tar", tarOf(t, object{"./control", []byte(text)})}, object{"data.tar", nil})
}

// Packages of other tools: other compressions, names with a slash, unusual order.
func TestOtherDebs(t *testing.T) {
	t.Parallel()
	plain := tarOf(t, object{"control", []byte(control)})
	pack := func(open func(io.Writer) (io.WriteCloser, error)) []byte {
		var b bytes.Buffer
		w, err := open(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, data := range map[string][]byte{
		"control.tar":      plain,
		"control.tar.xz":   pack(func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }),
		"control.tar.zst":  pack(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		"control.tar.zst/": pack(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
	} {
		p, err := inspect(bytes.NewReader(ar(object{"debian-binary", []byte("2.0\n")}, object{name, data}, object{"data.tar", []byte("x")})), "x")
		if err != nil || p.Package != "rope" || p.Arch != "all" {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	need(t, "dpkg-deb")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "DEBIAN/control"), control)
	for _, z := range []string{"gzip", "xz", "none"} {
		file := filepath.Join(t.TempDir(), "rope.deb")
		run(t, "dpkg-deb", "--uniform-compression", "-Z"+z, "--build", dir, file)
		if p, err := Inspect(file); err != nil || p.Package != "rope" {
			t.Errorf("by dpkg-deb with %s: %v", z, err)
		}
	}
}

func TestHostileDebs(t *testing.T) {
	t.Parallel()
	binary := object{"debian-binary", []byte("2.0\n")}
	bomb := func() []byte {
		z, err := gzipped(tarOf(t, object{"control", []byte(control)}, object{"x", make([]byte, maxUnpacked)}))
		if err != nil {
			t.Fatal(err)
		}
		return z
	}()
	dictionary := func() []byte {
		var b bytes.Buffer
		w, err := xz.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(tarOf(t, object{"control", []byte(control)})); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data := b.Bytes()
		at := bytes.Index(data, []byte{0x21, 0x01})
		data[at+2] = 40 // asks for 4 GiB
		return data
	}()
	for want, data := range map[string][]byte{
		"neither a deb":             []byte("PK\x03\x04 and more"),
		"too short":                 []byte("!<ar"),
		"no whole deb":              []byte(arMagic),
		"no deb of version 2":       ar(object{"debian-binary", []byte("3.0\n")}),
		"holds \"data.tar\" where":  ar(binary, object{"data.tar", nil}),
		"header is damaged":         append(ar(binary), bytes.Repeat([]byte("x"), 60)...),
		"the size of":               []byte(strings.Replace(string(ar(binary)), "4         `", "-4        `", 1)),
		"no control file":           ar(binary, object{"control.tar", tarOf(t, object{"other", nil})}),
		"unpacks to more than":      ar(binary, object{"control.tar.gz", bomb}),
		"packed by xz in an unus":   ar(binary, object{"control.tar.xz", dictionary}),
		"its control has 1048577":   ar(binary, object{"control.tar", tarOf(t, object{"control", make([]byte, maxText+1)})}),
		"which is no package's":     debOf(t, strings.Replace(control, "rope", "../../etc/rope", 1)),
		"that its version is":       debOf(t, strings.Replace(control, "1.0-1", "1/../2", 1)),
		"which is no architecture":  debOf(t, strings.Replace(control, ": all", ": ../all", 1)),
		"package is given twice":    debOf(t, control+"package: other\n"),
		"more than one paragraph":   debOf(t, control+"\nPackage: evil\n"),
		"a continuation":            debOf(t, " x\n"+control),
		"is no field":               debOf(t, control+"nonsense\n"),
		"holds a control character": debOf(t, control+"X: a\x00b\n"),
	} {
		if _, err := inspect(bytes.NewReader(data), "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// A package that brings the repository's own fields does not get them in.
func TestStanzaIsOurs(t *testing.T) {
	t.Parallel()
	p, err := inspect(bytes.NewReader(debOf(t, control+"Filename: ../../evil.deb\nSHA256: 00\nSize: 1\nX-Own: stays\n")), "x")
	if err != nil {
		t.Fatal(err)
	}
	text := writeControl(p.stanza())
	contains(t, text, "Filename: pool/main/r/rope/rope_1.0-1_all.deb\n", "X-Own: stays\n", "SHA256: "+p.SHA256+"\n")
	if strings.Contains(text, "evil") || strings.Count(text, "SHA256:") != 1 || strings.Count(text, "Size:") != 1 {
		t.Error(text)
	}
}

func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	header := func(count, size uint32, rest ...uint32) []byte {
		b := []byte{0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0}
		for _, n := range append([]uint32{count, size}, rest...) {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	for want, data := range map[string][]byte{
		"cut off":         header(1, 1000),
		"does not begin":  make([]byte, 16),
		"too many":        header(1<<31, 4),
		"000 bytes, too":  header(1, 2000000000),
		"leads out of it": header(1, 4, 1000, 6, 5, 1, 0),
		"is there twice":  header(2, 4, 1000, 6, 0, 1, 1000, 6, 0, 1, 0),
	} {
		if _, err := readHeader(bytes.NewReader(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	h, err := readHeader(bytes.NewReader(header(3, 8, 1, 8, 0, 8, 2, 4, 4, 2, 3, 5, 0, 1, 0x61006200, 7)))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.texts(1); !slices.Equal(got, []string{"a", "b", "", "", "", ""}[:len(got)]) || h.numbers(2) != nil || h.number(3) != 0x6100620000000007 {
		t.Errorf("%q %v %x: what leads beyond the store is not given", got, h.numbers(2), h.number(3))
	}
}

func TestHostileAPKs(t *testing.T) {
	t.Parallel()
	pack := func(end bool, files ...object) []byte {
		data, err := tarGz(files, end)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	info := "pkgname = rope\npkgver = 1-r0\narch = x86_64\n"
	for want, data := range map[string][]byte{
		"it is no apk":           {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0},
		"no .PKGINFO":            pack(true, object{"x", nil}),
		"is no field":            pack(false, object{".PKGINFO", []byte(info + "nonsense\n")}),
		"which is no package's":  pack(false, object{".PKGINFO", []byte(strings.Replace(info, "rope", "../rope", 1))}),
		"unpacks to more than":   pack(true, object{".PKGINFO", []byte(info)}, object{"x", make([]byte, maxUnpacked)}),
		"its .PKGINFO has":       pack(false, object{".PKGINFO", make([]byte, maxText+1)}),
		"its payload is not":     append(pack(false, object{".PKGINFO", []byte(info + "datahash = 00\n")}), pack(true, object{"x", nil})...),
		"its metadata: unexpect": pack(false, object{".SIGN.RSA.x.rsa.pub", []byte("x")}),
	} {
		if _, err := inspect(bytes.NewReader(data), "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if p, err := inspect(bytes.NewReader(pack(false, object{".PKGINFO", []byte("# by hand\n" + info + "url =\n")})), "x"); err != nil || p.Package != "rope" || p.Signed {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestControlRoundTrip(t *testing.T) {
	t.Parallel()
	text := "Package: rope\nDescription: Is long\n Very\n .\n long\nConffiles:\n /etc/rope 0123\n"
	fields, err := parseControl(text)
	if err != nil || writeControl(fields) != text {
		t.Errorf("%v\n%s", err, writeControl(fields))
	}
}

// seeds are real packages, for the fuzzers to damage.
func seeds(f *testing.F, format artifact.PackageFormat) {
	f.Helper()
	r := halyard(f)
	r.Formats, r.Platforms = []artifact.PackageFormat{format}, []artifact.Platform{{OS: "linux", Arch: "amd64"}}
	for _, a := range build(f, r) {
		data, err := os.ReadFile(filepath.Join(r.OutDir, a.Name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

func fuzzInspect(t *testing.T, data []byte) {
	p, err := inspect(bytes.NewReader(data), "x")
	if err != nil {
		return
	}
	if artifact.CheckName(p.standardName()) != nil || strings.ContainsAny(p.standardName(), "/\n") {
		t.Fatalf("a package would be called %q", p.standardName())
	}
	switch p.Format {
	case artifact.Deb:
		into := map[string][]field{}
		if err := parsePackages(writeControl(p.stanza())+"\n", into); err != nil || len(into) != 1 || into[p.poolPath()] == nil {
			t.Fatalf("its stanza is not read back: %v\n%s", err, writeControl(p.stanza()))
		}
	case artifact.RPM:
		parts, err := p.yumParts()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range yumDocuments {
			zipped, err := gzipped(fmt.Appendf(nil, d.open+"%s</"+d.root+">", 1, parts[d.kind]))
			if err != nil {
				t.Fatal(err)
			}
			into := map[string]yumPackage{}
			if err := readYumDocument(d.kind, zipped, into); err != nil || len(into) != 1 || into[p.SHA256].parts[d.kind] != parts[d.kind] {
				t.Fatalf("its part of %s is not read back: %v\n%s", d.kind, err, parts[d.kind])
			}
		}
	default:
		records, err := parseAPKRecords(p.apkRecord("x86_64"))
		if err != nil || len(records) != 1 || records[p.standardName()] == "" {
			t.Fatalf("its record is not read back: %v\n%s", err, p.apkRecord("x86_64"))
		}
	}
}

func FuzzDeb(f *testing.F) {
	seeds(f, artifact.Deb)
	f.Add(debOf(f, control))
	f.Fuzz(fuzzInspect)
}

func FuzzRPM(f *testing.F) {
	seeds(f, artifact.RPM)
	f.Fuzz(fuzzInspect)
}

func FuzzAPK(f *testing.F) {
	seeds(f, artifact.APK)
	f.Fuzz(fuzzInspect)
}

func FuzzControl(f *testing.F) {
	f.Add(control)
	f.Fuzz(func(t *testing.T, text string) {
		fields, err := parseControl(text)
		if err != nil {
			return
		}
		again, err := parseControl(writeControl(fields))
		if err != nil || !slices.Equal(fields, again) {
			t.Fatalf("%q is written as %q, which is %q (%v)", text, writeControl(fields), again, err)
		}
	})
}

func FuzzRelease(f *testing.F) {
	f.Add("Origin: x\nSHA256:\n " + strings.Repeat("0", 64) + " 12 main/binary-amd64/Packages\n")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseRelease(text)
		if err != nil {
			return
		}
		for _, l := range list {
			if strings.HasPrefix(l.path, "/") || strings.HasPrefix(l.path, "..") || len(l.sha256) != 64 {
				t.Fatalf("%+v", l)
			}
		}
	})
}

func FuzzAPKRecords(f *testing.F) {
	f.Add("C:Q1x\nP:rope\nV:1-r0\n\nC:Q1y\nP:sail\nV:2-r0\n")
	f.Fuzz(func(t *testing.T, text string) {
		records, err := parseAPKRecords(text)
		if err != nil {
			return
		}
		for name := range records {
			if artifact.CheckName(name) != nil {
				t.Fatalf("%q", name)
			}
		}
	})
}

func FuzzYumDocument(f *testing.F) {
	f.Add([]byte(`<metadata xmlns:rpm="x"><package type="rpm"><checksum pkgid="YES">` + strings.Repeat("0", 64) + `</checksum><location href="a.rpm"/></package></metadata>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		zipped, err := gzipped(text)
		if err != nil {
			t.Fatal(err)
		}
		into := map[string]yumPackage{}
		if err := readYumDocument("primary", zipped, into); err != nil {
			return
		}
		for id, p := range into {
			if len(id) != 64 || !strings.HasPrefix(p.parts["primary"], "<") || !strings.HasSuffix(p.parts["primary"], ">") {
				t.Fatalf("%q: %q", id, p.parts)
			}
		}
	})
}
