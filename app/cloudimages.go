package app

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"seaworthy/artifact/image"
)

// images finds the images that a build names in its workspace, as an OCI layout
// or an archive that bears the name, and pushes them if that is wanted. One
// that is nowhere fails the build: there is no daemon that could have it.
func (c CloudBuild) images(ctx context.Context, b variantBuild) ([]string, error) {
	if len(b.options.Plan.Images) == 0 {
		return nil, nil
	}
	have, err := producedImages(b.options.Workspace)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, name := range b.options.Plan.Images {
		from, ok := have[name]
		if !ok {
			return all, fmt.Errorf("images: no step left %s in the workspace as an OCI layout or an archive with that name, so it cannot be pushed", name)
		}
		done, err := c.image(ctx, from, name)
		if err != nil {
			return all, err
		}
		all = append(all, done)
	}
	return all, nil
}

func (c CloudBuild) image(ctx context.Context, from, name string) (_ string, err error) {
	x, err := image.Open(ctx, from, image.Remote{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	digest := string(x.Built().Digest)
	if !c.Push {
		fmt.Fprintf(c.Log, "%s is there as %s; it is not pushed\n", name, digest)
		return name + "@" + digest, nil
	}
	repository, tag, err := image.SplitReference(name)
	if err != nil {
		return "", err
	}
	if err := x.Push(ctx, repository, []string{tag}, image.Remote{}); err != nil {
		return "", err
	}
	fmt.Fprintf(c.Log, "%s is pushed as %s\n", name, digest)
	return name + "@" + digest, nil
}

// Bounds of what is read of a layout or an archive to learn its names.
const (
	mostIndex   = 4 << 20
	mostEntries = 100_000
)

// producedImages lists the images below a folder by name, each as image.Open
// takes it.
func producedImages(dir string) (map[string]string, error) {
	have := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case d.Name() == "oci-layout" && d.Type().IsRegular():
			layout := filepath.Dir(p)
			text, err := readBounded(filepath.Join(layout, "index.json"))
			if err != nil {
				return nil // it is called so, and is none
			}
			for name, tag := range layoutNames(text) {
				have[name] = "oci:" + layout + tag
			}
		case strings.HasSuffix(d.Name(), ".tar") && d.Type().IsRegular():
			return archiveNames(p, have)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for images: %w", err)
	}
	return have, nil
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, mostIndex))
}

// layoutNames are the full names in an OCI layout's index, with the part that
// chooses each when it is opened.
func layoutNames(index []byte) map[string]string {
	var x struct {
		Manifests []struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	names := map[string]string{}
	if json.Unmarshal(index, &x) != nil {
		return names
	}
	for _, m := range x.Manifests {
		tag := m.Annotations["org.opencontainers.image.ref.name"]
		full := m.Annotations["io.containerd.image.name"]
		if full == "" {
			full = tag // some tools write the whole name there
		}
		if full == "" {
			continue
		}
		choice := ""
		if len(x.Manifests) > 1 && tag != "" {
			choice = ":" + tag
		}
		names[full] = choice
	}
	return names
}

// archiveNames adds the images of a tar, if it is one of docker save's or an
// OCI layout.
func archiveNames(file string, have map[string]string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r := tar.NewReader(f)
	for range mostEntries {
		h, err := r.Next()
		if err != nil {
			return nil // the end, or no such archive
		}
		name := path.Clean(h.Name)
		if name != "manifest.json" && name != "index.json" {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, mostIndex))
		if err != nil {
			return nil // cut short: no image can be read of it
		}
		if name == "index.json" {
			for full, tag := range layoutNames(text) {
				have[full] = "oci-archive:" + file + tag
			}
			continue
		}
		var saved []struct{ RepoTags []string }
		if json.Unmarshal(text, &saved) == nil {
			for _, s := range saved {
				for _, full := range s.RepoTags {
					if _, better := have[full]; !better {
						have[full] = "docker-archive:" + file
					}
				}
			}
		}
	}
	return nil
}
