package packages

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ulikunitz/xz"
	"gocloud.dev/blob"
)

// debianTime is how Release gives times, which are UTC.
const debianTime = "Mon, 02 Jan 2006 15:04:05 UTC"

// listed is one file of a Release: its digests and size.
type listed struct {
	path           string // from the Release on
	sha256, sha512 string
	size           int
}

// apt adds packages to an apt repository: deb/pool and deb/dists/CHANNEL.
// Source: the Debian repository format.
func (s *shelf) apt(ctx context.Context, files []*File) (steps, error) {
	release, err := s.readRelease(ctx)
	if err != nil {
		return steps{}, err
	}
	stanzas, err := s.readPackages(ctx, release)
	if err != nil {
		return steps{}, err
	}
	for _, f := range files {
		stanzas[f.poolPath()] = f.stanza()
	}
	upload := func(ctx context.Context) error {
		return s.upload(ctx, files, func(f *File) []string { return []string{"deb/" + f.poolPath()} })
	}
	finish := func(ctx context.Context) error {
		var list []listed
		var objects []object
		for _, arch := range architecturesOf(stanzas) {
			more, out, err := renderPackages(stanzas, arch)
			if err != nil {
				return err
			}
			list, objects = append(list, more...), append(objects, out...)
		}
		return s.writeRelease(ctx, release, list, objects)
	}
	return steps{upload, finish}, nil
}

// poolPath is where a deb lies, from deb/ on.
func (f *File) poolPath() string {
	folder := f.Package[:1]
	if strings.HasPrefix(f.Package, "lib") && len(f.Package) > 3 {
		folder = f.Package[:4]
	}
	return path.Join("pool/main", folder, f.Package, f.standardName())
}

// ours are the fields of a stanza that the repository writes. A package that
// brought them along could point apt elsewhere.
var ours = []string{"filename", "size", "md5sum", "sha1", "sha256", "sha512", "description-md5"}

func (f *File) stanza() []field {
	fields := slices.DeleteFunc(slices.Clone(f.control), func(x field) bool { return slices.Contains(ours, strings.ToLower(x.name)) })
	return append(fields, field{"Filename", f.poolPath()}, field{"Size", strconv.FormatInt(f.Size, 10)},
		field{"SHA256", f.SHA256}, field{"SHA512", f.SHA512})
}

// readRelease returns what the channel's Release lists, after checking its
// signature; nil if there is none.
func (s *shelf) readRelease(ctx context.Context) ([]listed, error) {
	dist := "deb/dists/" + s.p.Channel + "/"
	data, err := s.read(ctx, dist+"InRelease")
	if err != nil {
		return nil, err
	}
	if data == nil {
		plain, err := s.read(ctx, dist+"Release")
		if err != nil || plain == nil {
			return nil, err
		}
		// A signed repository writes InRelease last, so a Release without it
		// is that of a first publication cut short, which nobody has seen.
		if !s.p.Unsigned {
			return nil, nil
		}
		return parseRelease(string(plain))
	}
	block, rest := clearsign.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("InRelease is not a signed text")
	}
	if len(s.keyring()) == 0 {
		return nil, errors.New("the repository is signed: give its key")
	}
	// Old signatures stay good: the key may have expired since.
	if _, err := block.VerifySignature(s.keyring(), nil); err != nil {
		return nil, fmt.Errorf("InRelease is not signed with this key (%w): name the key that signed it among the trusted ones, or begin a new repository", err)
	}
	return parseRelease(string(block.Plaintext))
}

// parseRelease reads the lists of a Release by SHA-256 and SHA-512.
func parseRelease(text string) ([]listed, error) {
	fields, err := parseControl(strings.TrimRight(text, "\n"))
	if err != nil {
		return nil, fmt.Errorf("reading Release: %w", err)
	}
	list, err := parseDigests(get(fields, "SHA256"), 64)
	if err != nil {
		return nil, err
	}
	long, err := parseDigests(get(fields, "SHA512"), 128)
	if err != nil {
		return nil, err
	}
	for i, l := range list {
		if at := slices.IndexFunc(long, func(o listed) bool { return o.path == l.path }); at >= 0 {
			list[i].sha512 = long[at].sha256
		}
	}
	return list, nil
}

// parseDigests reads lines of a digest, a size and a path.
func parseDigests(text string, digits int) ([]listed, error) {
	list := []listed{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 || len(words[0]) != digits || strings.ContainsFunc(words[0], func(r rune) bool { return !strings.ContainsRune("0123456789abcdef", r) }) {
			return nil, fmt.Errorf("reading Release: %.80q lists no file", line)
		}
		size, err := strconv.Atoi(words[1])
		if err != nil || size < 0 || path.Clean(words[2]) != words[2] || strings.HasPrefix(words[2], "/") || strings.HasPrefix(words[2], "..") {
			return nil, fmt.Errorf("reading Release: %.80q lists no file", line)
		}
		list = append(list, listed{path: words[2], sha256: words[0], size: size})
	}
	return list, nil
}

// readPackages reads the indexes a Release lists, by the names that hold their
// digest: the plain ones may be of a publication that was cut short.
func (s *shelf) readPackages(ctx context.Context, release []listed) (map[string][]field, error) {
	dist := "deb/dists/" + s.p.Channel + "/"
	stanzas := map[string][]field{}
	for _, l := range release {
		if path.Base(l.path) != "Packages" {
			continue
		}
		data, err := s.read(ctx, dist+path.Dir(l.path)+"/by-hash/SHA256/"+l.sha256)
		if err == nil && data == nil {
			data, err = s.read(ctx, dist+l.path)
		}
		if err != nil {
			return nil, err
		}
		if sha256Hex(data) != l.sha256 {
			return nil, fmt.Errorf("%s is not what Release says it is: the repository is damaged", dist+l.path)
		}
		if err := parsePackages(string(data), stanzas); err != nil {
			return nil, fmt.Errorf("reading %s: %w", dist+l.path, err)
		}
	}
	return stanzas, nil
}

// parsePackages reads stanzas into a map by file name.
func parsePackages(text string, into map[string][]field) error {
	for part := range strings.SplitSeq(text, "\n\n") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		fields, err := parseControl(strings.Trim(part, "\n"))
		if err != nil {
			return err
		}
		name := get(fields, "Filename")
		if name == "" || get(fields, "Package") == "" || get(fields, "Architecture") == "" {
			return errors.New("a stanza lacks Package, Architecture or Filename")
		}
		into[name] = fields
	}
	return nil
}

// architecturesOf lists the machines there are packages for. What runs
// everywhere is listed for each of them; if there is nothing else, for the
// usual two, since apt asks for its own.
func architecturesOf(stanzas map[string][]field) []string {
	set := map[string]bool{}
	for _, fields := range stanzas {
		set[get(fields, "Architecture")] = true
	}
	delete(set, "all")
	if len(set) == 0 {
		set["amd64"], set["arm64"] = true, true
	}
	return sortedKeys(set)
}

func sortedKeys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

// object is a file of the repository to be written.
type object struct {
	key  string
	data []byte
}

// renderPackages writes the index of one architecture, three times: plain, by
// gzip and by xz. Keys are from the channel's folder on.
func renderPackages(stanzas map[string][]field, arch string) ([]listed, []object, error) {
	var b bytes.Buffer
	for _, name := range sortedKeys(stanzas) {
		if a := get(stanzas[name], "Architecture"); a == arch || a == "all" {
			b.WriteString(writeControl(stanzas[name]))
			b.WriteByte('\n')
		}
	}
	zipped, err := gzipped(b.Bytes())
	if err != nil {
		return nil, nil, err
	}
	var x bytes.Buffer
	w, err := xz.NewWriter(&x)
	if err == nil {
		_, err = w.Write(b.Bytes())
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		return nil, nil, fmt.Errorf("compressing the index: %w", err)
	}
	folder := "main/binary-" + arch + "/"
	objects := []object{{folder + "Packages", b.Bytes()}, {folder + "Packages.gz", zipped}, {folder + "Packages.xz", x.Bytes()},
		{folder + "Release", fmt.Appendf(nil, "Component: main\nArchitecture: %s\n", arch)}}
	var list []listed
	for _, o := range objects {
		sum := sha512.Sum512(o.data)
		list = append(list, listed{path: o.key, sha256: sha256Hex(o.data), sha512: hex.EncodeToString(sum[:]), size: len(o.data)})
	}
	return list, objects, nil
}

// writeRelease puts the indexes in place and then what makes them visible.
func (s *shelf) writeRelease(ctx context.Context, before, list []listed, objects []object) error {
	dist := "deb/dists/" + s.p.Channel + "/"
	for i, o := range objects {
		byHash := dist + path.Dir(o.key) + "/by-hash/"
		if err := errors.Join(s.put(ctx, byHash+"SHA256/"+list[i].sha256, o.data), s.put(ctx, byHash+"SHA512/"+list[i].sha512, o.data)); err != nil {
			return err
		}
	}
	if err := s.writeSources(ctx); err != nil {
		return err
	}
	release := s.release(list)
	var signed, detached []byte
	if key := s.p.Signers.OpenPGP; key != nil {
		var err error
		if signed, err = key.signClear(release, s.p.Time); err != nil {
			return err
		}
		if detached, err = key.signArmored(bytes.NewReader(release), s.p.Time); err != nil {
			return err
		}
	}
	// From here on readers see something. Those who do not ask by digest may
	// see the new index beside the old Release for a moment, and ask again.
	if err := s.holds(ctx); err != nil {
		return err
	}
	for _, o := range objects {
		if err := s.put(ctx, dist+o.key, o.data); err != nil {
			return err
		}
	}
	if signed != nil {
		if err := s.put(ctx, dist+"Release.gpg", detached); err != nil {
			return err
		}
	}
	if err := s.put(ctx, dist+"Release", release); err != nil {
		return err
	}
	if signed != nil {
		if err := s.put(ctx, dist+"InRelease", signed); err != nil {
			return err
		}
	}
	return s.pruneByHash(ctx, append(slices.Clone(before), list...), list)
}

// release writes the Release file.
func (s *shelf) release(list []listed) []byte {
	archs := map[string]bool{}
	for _, l := range list {
		archs[strings.TrimPrefix(path.Dir(l.path), "main/binary-")] = true
	}
	var b bytes.Buffer
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\n", name, value) }
	line("Origin", s.p.Name)
	line("Label", s.p.Name)
	line("Suite", s.p.Channel)
	line("Codename", s.p.Channel)
	line("Date", s.p.Time.Format(debianTime))
	if s.p.ValidFor > 0 {
		line("Valid-Until", s.p.Time.Add(s.p.ValidFor).Format(debianTime))
	}
	line("Acquire-By-Hash", "yes")
	// What runs everywhere is in the index of each architecture.
	line("No-Support-for-Architecture-all", "Packages")
	line("Architectures", strings.Join(sortedKeys(archs), " "))
	line("Components", "main")
	b.WriteString("SHA256:\n")
	for _, l := range list {
		fmt.Fprintf(&b, " %s %d %s\n", l.sha256, l.size, l.path)
	}
	b.WriteString("SHA512:\n")
	for _, l := range list {
		fmt.Fprintf(&b, " %s %d %s\n", l.sha512, l.size, l.path)
	}
	return b.Bytes()
}

// pruneByHash removes indexes that neither this Release nor the one before it
// lists: a reader who has just fetched the old one still finds its files.
func (s *shelf) pruneByHash(ctx context.Context, keep, now []listed) error {
	wanted := map[string]bool{}
	for _, l := range keep {
		wanted[l.sha256], wanted[l.sha512] = true, true
	}
	for _, l := range now {
		if path.Base(l.path) != "Packages" {
			continue
		}
		folder := "deb/dists/" + s.p.Channel + "/" + path.Dir(l.path) + "/by-hash/"
		if err := prune(ctx, s.bucket, folder, func(key string) bool { return wanted[path.Base(key)] }); err != nil {
			return err
		}
	}
	return nil
}

func prune(ctx context.Context, bucket *blob.Bucket, folder string, keep func(string) bool) error {
	var old []string
	for o, err := range objectsBelow(ctx, bucket, folder) {
		if err != nil {
			return fmt.Errorf("listing %s: %w", folder, err)
		}
		if !keep(o) {
			old = append(old, o)
		}
	}
	for _, key := range old {
		if err := bucket.Delete(ctx, key); err != nil {
			return fmt.Errorf("removing an index that is out of use: %w", err)
		}
	}
	return nil
}

// writeSources tells apt where the repository is, key included.
func (s *shelf) writeSources(ctx context.Context) error {
	if s.p.BaseURL == "" {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s, %s: save as /etc/apt/sources.list.d/%s-%s.sources\n", s.p.Name, s.p.Channel, s.p.Name, s.p.Channel)
	fmt.Fprintf(&b, "Types: deb\nURIs: %s/deb\nSuites: %s\nComponents: main\n", strings.TrimSuffix(s.p.BaseURL, "/"), s.p.Channel)
	if s.p.Signers.OpenPGP == nil {
		b.WriteString("Trusted: yes\n")
	} else {
		asc, _, err := publicKeys(s.keyring())
		if err != nil {
			return err
		}
		b.WriteString("Signed-By:\n")
		for line := range strings.Lines(string(asc)) {
			b.WriteString(" " + or(strings.TrimSpace(line), ".") + "\n")
		}
	}
	return s.put(ctx, fmt.Sprintf("deb/%s-%s.sources", s.p.Name, s.p.Channel), []byte(b.String()))
}
