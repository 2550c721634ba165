package promote

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"seaworthy/artifact"
)

// Snapshot returns what the manifests say a registry has: the images of every
// manifest that promotes to it or to a path below it, named as seen from it,
// sorted by name, digest and tag.
func Snapshot(manifests []Manifest, registry string) []Image {
	registry = strings.TrimRight(registry, "/")
	v := NewInventory()
	for _, m := range manifests {
		for _, d := range m.Destinations() {
			if d.Name != registry && !strings.HasPrefix(d.Name, registry+"/") {
				continue
			}
			for _, i := range m.Images {
				for _, e := range i.Entries {
					if e.Fault == "" {
						v.Add(d.Name+"/"+i.Name, e.Digest, e.Tags...)
					}
				}
			}
		}
	}
	return v.Images(registry)
}

// Images returns what an inventory holds below a registry, sorted by name,
// digest and tag.
func (v *Inventory) Images(registry string) []Image {
	var all []Image
	for repository, h := range v.repositories {
		name, below := strings.CutPrefix(repository, strings.TrimRight(registry, "/")+"/")
		if !below || len(h.digests) == 0 {
			continue
		}
		tags := map[artifact.Digest][]string{}
		for _, p := range h.tags {
			d := artifact.Digest(v.names.known[p.digest])
			tags[d] = append(tags[d], v.names.known[p.tag])
		}
		digests := make([]artifact.Digest, len(h.digests))
		for i, d := range h.digests {
			digests[i] = artifact.Digest(v.names.known[d])
		}
		slices.Sort(digests)
		image := Image{Name: name}
		for _, d := range digests {
			slices.SortFunc(tags[d], CompareVersions)
			image.Entries = append(image.Entries, Entry{Digest: d, Tags: tags[d]})
		}
		all = append(all, image)
	}
	slices.SortFunc(all, func(a, b Image) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// RenderImages writes images as an images.yaml.
func RenderImages(images []Image) []byte {
	if len(images) == 0 {
		return []byte("[]\n")
	}
	var b bytes.Buffer
	l := layout{digest: `"`, tag: `"`, comma: ", "}
	for _, i := range images {
		fmt.Fprintf(&b, "- name: %s\n  dmap:\n", quote("").around(i.Name))
		for _, e := range i.Entries {
			b.WriteString(l.lines(4, Change{Digest: e.Digest, Tags: e.Tags})[0] + "\n")
		}
	}
	return b.Bytes()
}

// RenderImagesCSV writes images as lines of name@digest,name:tag, one for each
// tag; a digest without tags has nothing behind the comma.
func RenderImagesCSV(images []Image) []byte {
	var b bytes.Buffer
	for _, i := range images {
		for _, e := range i.Entries {
			for _, t := range tagsOf(e.Tags) {
				fmt.Fprintf(&b, "%s@%s,", i.Name, e.Digest)
				if t != "" {
					b.WriteString(i.Name + ":" + t)
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.Bytes()
}

// RenderFiles writes a list of files as a file promotion manifest has it,
// sorted by name.
func RenderFiles(files []File) []byte {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	if len(files) == 0 {
		return []byte("files: []\n")
	}
	var b bytes.Buffer
	b.WriteString("files:\n")
	for _, f := range files {
		sum := strings.TrimPrefix(string(f.Digest), "sha256:")
		if numeric.MatchString(sum) {
			sum = "'" + sum + "'"
		}
		fmt.Fprintf(&b, "- name: %s\n  sha256: %s\n", fileName(f.Name), sum)
	}
	return b.Bytes()
}

// numeric is a sum that YAML would take for a number.
var numeric = regexp.MustCompile(`^[0-9]+(e[0-9]+)?$`)

// fileName quotes a path that YAML would read otherwise.
func fileName(name string) string {
	for _, r := range name {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+", r) {
			return "'" + strings.ReplaceAll(name, "'", "''") + "'"
		}
	}
	if !plain(name) || strings.ContainsAny(name[:1], ".-+/") {
		return "'" + name + "'"
	}
	return name
}
