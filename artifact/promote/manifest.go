package promote

import (
	"seaworthy/artifact"
)

// Manifest is what one project asks to be promoted.
type Manifest struct {
	// File is where the registries are written, as a person would open it.
	File string
	// ImagesFile is where the images are written: File for a thick manifest.
	ImagesFile string
	// Project names a thin manifest's folder; it is empty for a thick one.
	Project    string
	Registries []Registry
	Images     []Image
}

// Registry is one registry of a manifest: where images come from, or a place
// they are published in.
type Registry struct {
	// Name is a host with a path, such as eu.gcr.io/k8s-artifacts-prod/kas.
	Name   string `json:"name"`
	Source bool   `json:"src,omitempty"`
	// ServiceAccount is the account that writes there; it may be empty.
	ServiceAccount string `json:"service-account,omitempty"`
	// Line is where the registry stands in its file.
	Line int `json:"-"`
}

// Image is one image name of a manifest, with the digests promoted under it.
type Image struct {
	// Name is the path below the registry: kube-apiserver, addons/proxy.
	Name    string
	Entries []Entry
	// Line is where the image stands in its file.
	Line int
}

// Entry is one digest of an image with its tags; a digest without tags is
// promoted all the same and can be pulled by digest.
type Entry struct {
	Digest artifact.Digest
	Tags   []string
	Line   int
	// Fault says why the entry cannot be promoted whatever the registries
	// hold: its digest or a tag is none. In a folder of thin manifests such
	// an entry is refused alone; it must not hold up other projects.
	Fault string
}

// Source returns the registry that images come from. A manifest that was read
// without problems has exactly one.
func (m Manifest) Source() Registry {
	for _, r := range m.Registries {
		if r.Source {
			return r
		}
	}
	return Registry{}
}

// Destinations returns the registries that images are published in.
func (m Manifest) Destinations() []Registry {
	var all []Registry
	for _, r := range m.Registries {
		if !r.Source {
			all = append(all, r)
		}
	}
	return all
}
