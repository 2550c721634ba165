package packages

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"gocloud.dev/blob"

	"seaworthy/artifact"
)

// Entry is a package a repository lists.
type Entry struct {
	Format  artifact.PackageFormat `json:"format"`
	Channel string                 `json:"channel"`
	Package string                 `json:"package"`
	Version string                 `json:"version"`
	Arch    string                 `json:"arch"`
	SHA256  string                 `json:"sha256,omitempty"` // apk's index has none of the whole file
	File    string                 `json:"file"`
}

// List returns what a repository lists, by format, channel, name and file.
// Signatures are checked with the trusted keys; without any, with the keys the
// repository itself hands out, which finds damage but not a forger.
func List(ctx context.Context, bucket *blob.Bucket, trusted openpgp.EntityList) ([]Entry, error) {
	s := &shelf{bucket: bucket, p: Publication{Trusted: trusted}, report: &Report{}}
	channels := map[artifact.PackageFormat]map[string]bool{artifact.Deb: {}, artifact.RPM: {}, artifact.APK: {}}
	for key, err := range objectsBelow(ctx, bucket, "") {
		if err != nil {
			return nil, fmt.Errorf("listing the repository: %w", err)
		}
		switch part := strings.Split(key, "/"); {
		case len(part) == 4 && part[0] == "deb" && part[1] == "dists" && (part[3] == "InRelease" || part[3] == "Release"):
			channels[artifact.Deb][part[2]] = true
		case len(part) == 4 && part[0] == "rpm" && part[3] == "repomd.xml":
			channels[artifact.RPM][part[1]] = true
		case len(part) == 4 && part[0] == "apk" && part[3] == "APKINDEX.tar.gz":
			channels[artifact.APK][part[1]] = true
		case len(part) == 1 && strings.HasSuffix(key, ".rsa.pub"):
			if err := s.trustAPK(ctx, key); err != nil {
				return nil, err
			}
		}
	}
	if len(trusted) == 0 {
		if err := s.trustItsKeys(ctx); err != nil {
			return nil, err
		}
	}
	s.p.Unsigned = len(s.p.Trusted) == 0
	list := []Entry{}
	for _, format := range artifact.PackageFormats() {
		for _, channel := range sortedKeys(channels[format]) {
			s.p.Channel = channel
			found, err := s.list(ctx, format)
			if err != nil {
				return nil, fmt.Errorf("reading the %s packages of %s: %w", format, channel, err)
			}
			list = append(list, found...)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("there is no package repository here")
	}
	return list, nil
}

func (s *shelf) trustAPK(ctx context.Context, key string) error {
	data, err := s.read(ctx, key)
	if err != nil {
		return err
	}
	public, err := readAPKPublic(data)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	s.apk = append(s.apk, public)
	return nil
}

func (s *shelf) trustItsKeys(ctx context.Context) error {
	data, err := s.read(ctx, "key.gpg")
	if err != nil || data == nil {
		return err
	}
	s.p.Trusted, err = readKeys(data)
	return err
}

func (s *shelf) list(ctx context.Context, format artifact.PackageFormat) ([]Entry, error) {
	var list []Entry
	var err error
	switch format {
	case artifact.Deb:
		list, err = s.listApt(ctx)
	case artifact.RPM:
		list, err = s.listYum(ctx)
	default:
		list, err = s.listAPK(ctx)
	}
	for i := range list {
		list[i].Format, list[i].Channel = format, s.p.Channel
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Package+"\x00"+a.File, b.Package+"\x00"+b.File) })
	return list, err
}

func (s *shelf) listApt(ctx context.Context) ([]Entry, error) {
	release, err := s.readRelease(ctx)
	if err != nil {
		return nil, err
	}
	stanzas, err := s.readPackages(ctx, release)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for name, f := range stanzas {
		list = append(list, Entry{Package: get(f, "Package"), Version: get(f, "Version"), Arch: get(f, "Architecture"), SHA256: get(f, "SHA256"), File: "deb/" + name})
	}
	return list, nil
}

func (s *shelf) listYum(ctx context.Context) ([]Entry, error) {
	root := "rpm/" + s.p.Channel + "/"
	packages, _, err := s.readRepomd(ctx, root)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for id, p := range packages {
		var x struct {
			Name    string `xml:"name"`
			Arch    string `xml:"arch"`
			Version struct {
				Epoch string `xml:"epoch,attr"`
				Ver   string `xml:"ver,attr"`
				Rel   string `xml:"rel,attr"`
			} `xml:"version"`
		}
		if err := xml.Unmarshal([]byte(p.parts["primary"]), &x); err != nil {
			return nil, fmt.Errorf("reading %s: %w", p.location, err)
		}
		version := x.Version.Ver + "-" + x.Version.Rel
		if x.Version.Epoch != "" && x.Version.Epoch != "0" {
			version = x.Version.Epoch + ":" + version
		}
		list = append(list, Entry{Package: x.Name, Version: version, Arch: x.Arch, SHA256: id, File: root + p.location})
	}
	return list, nil
}

func (s *shelf) listAPK(ctx context.Context) ([]Entry, error) {
	root := "apk/" + s.p.Channel + "/"
	indexes, err := s.readAPKIndexes(ctx, root)
	if err != nil {
		return nil, err
	}
	var list []Entry
	for arch, records := range indexes {
		for name, record := range records {
			e := Entry{Arch: arch, File: root + arch + "/" + name}
			for line := range strings.Lines(record) {
				if text, ok := strings.CutPrefix(line, "P:"); ok {
					e.Package = strings.TrimSpace(text)
				} else if text, ok := strings.CutPrefix(line, "V:"); ok {
					e.Version = strings.TrimSpace(text)
				}
			}
			list = append(list, e)
		}
	}
	return list, nil
}

// Channel returns the channel the package's version belongs to.
func (f *File) Channel() (string, error) {
	_, version, _ := splitVersion(f.Version)
	v, err := artifact.ParsePackageVersion(strings.NewReplacer("~~", "-", "~", "-", "_", "-").Replace(version))
	if err != nil {
		return "", fmt.Errorf("%s says nothing of its channel: name one (%w)", f.Name, err)
	}
	return v.Channel(), nil
}
