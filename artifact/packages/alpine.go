package packages

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// alpine adds packages to Alpine repositories: apk/CHANNEL/ARCH, each with an
// index of its own. A package without machine code goes into each of them, as
// apk looks nowhere else. Source: apk-repositories(5), abuild-sign.
func (s *shelf) alpine(ctx context.Context, files []*File) (steps, error) {
	root := "apk/" + s.p.Channel + "/"
	indexes, err := s.readAPKIndexes(ctx, root)
	if err != nil {
		return steps{}, err
	}
	for _, f := range files {
		if f.Arch != "noarch" && indexes[f.Arch] == nil {
			indexes[f.Arch] = map[string]string{}
		}
	}
	if len(indexes) == 0 {
		indexes["x86_64"], indexes["aarch64"] = map[string]string{}, map[string]string{}
	}
	everywhere := func(f *File) []string {
		if f.Arch != "noarch" {
			return []string{f.Arch}
		}
		return sortedKeys(indexes)
	}
	for _, f := range files {
		for _, arch := range everywhere(f) {
			indexes[arch][f.standardName()] = f.apkRecord(arch)
		}
	}
	upload := func(ctx context.Context) error {
		return s.upload(ctx, files, func(f *File) []string {
			var keys []string
			for _, arch := range everywhere(f) {
				keys = append(keys, root+arch+"/"+f.standardName())
			}
			return keys
		})
	}
	finish := func(ctx context.Context) error {
		for _, arch := range sortedKeys(indexes) {
			index, err := s.renderAPKIndex(indexes[arch])
			if err != nil {
				return err
			}
			// Index and signature are one object, so nobody sees them apart.
			if err := s.put(ctx, root+arch+"/APKINDEX.tar.gz", index); err != nil {
				return err
			}
		}
		return nil
	}
	return steps{upload, finish}, nil
}

// apkRecord is a package's paragraph of the index.
func (f *File) apkRecord(arch string) string {
	var b strings.Builder
	line := func(letter, value string) {
		if value != "" {
			b.WriteString(letter + ":" + strings.Map(func(r rune) rune {
				if r < ' ' {
					return ' '
				}
				return r
			}, value) + "\n")
		}
	}
	line("C", "Q1"+base64.StdEncoding.EncodeToString(f.controlSHA1))
	line("P", f.Package)
	line("V", f.Version)
	line("A", arch)
	line("S", strconv.FormatInt(f.Size, 10))
	line("I", strconv.FormatInt(f.Installed, 10))
	line("T", f.Summary)
	line("U", f.Homepage)
	line("L", f.License)
	line("o", get(f.packageInfo, "origin"))
	line("m", f.Maintainer)
	line("t", get(f.packageInfo, "builddate"))
	line("c", get(f.packageInfo, "commit"))
	line("k", get(f.packageInfo, "provider_priority"))
	depends := slices.Clone(f.Depends)
	for _, c := range f.Conflicts {
		depends = append(depends, "!"+c)
	}
	line("D", strings.Join(depends, " "))
	line("p", strings.Join(f.Provides, " "))
	line("r", strings.Join(f.Replaces, " "))
	line("i", get(f.packageInfo, "install_if"))
	return b.String()
}

// readAPKIndexes reads the records of every architecture, by file name.
func (s *shelf) readAPKIndexes(ctx context.Context, root string) (map[string]map[string]string, error) {
	indexes := map[string]map[string]string{}
	for key, err := range objectsBelow(ctx, s.bucket, root) {
		if err != nil {
			return nil, fmt.Errorf("listing %s: %w", root, err)
		}
		arch, name, ok := strings.Cut(strings.TrimPrefix(key, root), "/")
		if !ok || name != "APKINDEX.tar.gz" {
			continue
		}
		data, err := s.read(ctx, key)
		if err != nil {
			return nil, err
		}
		if indexes[arch], err = s.parseAPKIndex(data); err != nil {
			return nil, fmt.Errorf("reading %s: %w", key, err)
		}
	}
	return indexes, nil
}

func (s *shelf) parseAPKIndex(data []byte) (map[string]string, error) {
	signature, body, err := splitSigned(data)
	if err != nil {
		return nil, err
	}
	if len(s.apk) == 0 && signature != nil {
		return nil, errors.New("the repository is signed: give its RSA key")
	}
	sum := sha1.Sum(body)
	good := len(s.apk) == 0
	for _, key := range s.apk {
		good = good || rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature) == nil
	}
	if !good {
		return nil, errors.New("it is not signed with this key: give the one that signed it, or begin a new repository")
	}
	text := ""
	err = indexFiles(body, func(name string, r io.Reader) error {
		if name != "APKINDEX" {
			return nil
		}
		content, err := io.ReadAll(r)
		text = string(content)
		return err
	})
	if err != nil {
		return nil, err
	}
	return parseAPKRecords(text)
}

// parseAPKRecords cuts an index into its packages, by file name.
func parseAPKRecords(text string) (map[string]string, error) {
	records := map[string]string{}
	for part := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		if part == "" {
			continue
		}
		var name, version string
		for line := range strings.Lines(part) {
			letter, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
			if !ok || len(letter) != 1 {
				return nil, fmt.Errorf("%.80q is no line of an index", line)
			}
			switch letter {
			case "P":
				name = value
			case "V":
				version = value
			}
		}
		if !claimedName.MatchString(name) || !claimedVersion.MatchString(version) || strings.Contains(version, ":") {
			return nil, fmt.Errorf("a package has the name %.80q and the version %.80q", name, version)
		}
		records[name+"-"+version+".apk"] = strings.Trim(part, "\n") + "\n"
	}
	return records, nil
}

// splitSigned parts an index into the signature, nil if there is none, and
// the bytes it is of.
func splitSigned(data []byte) (signature, body []byte, err error) {
	in := &counted{r: bufio.NewReader(bytes.NewReader(data))}
	first, err := in.segment()
	if err != nil {
		return nil, nil, fmt.Errorf("it is no index: %w", err)
	}
	tr, err := unpack(first)
	if err != nil {
		return nil, nil, err
	}
	err = entries(tr, func(name string, size int64, r io.Reader) error {
		if !strings.HasPrefix(name, ".SIGN.RSA.") || size > 8<<10 {
			return nil
		}
		var err error
		signature, err = io.ReadAll(r)
		return err
	})
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, nil, err
	}
	if signature == nil {
		return nil, data, nil
	}
	return signature, data[len(first):], nil
}

func indexFiles(body []byte, f func(name string, r io.Reader) error) error {
	text, err := gunzipped(body)
	if err != nil {
		return err
	}
	return entries(tar.NewReader(bytes.NewReader(text)), func(name string, _ int64, r io.Reader) error { return f(name, r) })
}

// renderAPKIndex writes APKINDEX.tar.gz: the signature's stream, then the
// index's.
func (s *shelf) renderAPKIndex(records map[string]string) ([]byte, error) {
	var text strings.Builder
	for _, name := range sortedKeys(records) {
		text.WriteString(records[name] + "\n")
	}
	body, err := tarGz([]object{{"DESCRIPTION", []byte(s.p.Name + " " + s.p.Channel)}, {"APKINDEX", []byte(text.String())}}, true)
	if err != nil || s.p.Signers.APK == nil {
		return body, err
	}
	sum := sha1.Sum(body)
	signature, err := s.p.Signers.APK.signDigest(sum[:])
	if err != nil {
		return nil, err
	}
	head, err := tarGz([]object{{".SIGN.RSA." + s.p.Signers.APK.name, signature}}, false)
	return append(head, body...), err
}

// tarGz packs files. Without an end, the archive goes on in the next stream,
// which is how apk puts a signature before what it signs.
func tarGz(files []object, end bool) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.key, Size: int64(len(f.data)), Mode: 0o644, Format: tar.FormatUSTAR})
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", f.key, err)
		}
	}
	finish := w.Flush
	if end {
		finish = w.Close
	}
	if err := finish(); err != nil {
		return nil, fmt.Errorf("packing an index: %w", err)
	}
	return gzipped(b.Bytes())
}
