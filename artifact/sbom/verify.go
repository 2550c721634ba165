package sbom

import (
	"slices"
	"strings"
)

// FileStatus is how a file compares with what a document says of it.
type FileStatus string

// Statuses of files.
const (
	Same       FileStatus = "same"
	Different  FileStatus = "different"  // a sum is not the one listed
	Unlisted   FileStatus = "unlisted"   // the document does not speak of it
	Missing    FileStatus = "missing"    // the document lists it, and it is not there
	Unprovable FileStatus = "unprovable" // listed without a sum of an algorithm at hand
)

// FileCheck is the result for one file.
type FileCheck struct {
	Name   string              `json:"name"`
	Status FileStatus          `json:"status"`
	Wrong  []ChecksumAlgorithm `json:"wrong,omitempty"` // sums that differ
}

// CheckFiles compares files that were measured with those a document lists, by
// name and sums. A name may lack leading folders, as when a document was made a
// folder above. With all, files that are listed and were not measured are
// Missing.
func CheckFiles(d Document, measured []File, all bool) []FileCheck {
	byBase := map[string][]File{}
	for _, f := range d.Files {
		byBase[lastPart(f.Name)] = append(byBase[lastPart(f.Name)], f)
	}
	met := map[ID]bool{}
	var checks []FileCheck
	for _, m := range measured {
		check := FileCheck{Name: m.Name, Status: Unlisted}
		name := cleanName(m.Name)
		for _, want := range candidates(byBase[lastPart(name)], name) {
			met[want.ID] = true
			status, wrong := compareSums(want, m)
			if check.Status == Unlisted || status == Same {
				check.Status, check.Wrong = status, wrong
			}
		}
		checks = append(checks, check)
	}
	for _, f := range d.Files {
		if all && !met[f.ID] {
			checks = append(checks, FileCheck{Name: f.Name, Status: Missing})
		}
	}
	slices.SortFunc(checks, func(a, b FileCheck) int { return strings.Compare(a.Name, b.Name) })
	return checks
}

func lastPart(name string) string {
	return name[strings.LastIndex(name, "/")+1:]
}

// candidates are the listed files a name can mean: those of the very name, or
// else those one of which names the other's end.
func candidates(listed []File, name string) []File {
	var exact, near []File
	for _, f := range listed {
		switch {
		case f.Name == name:
			exact = append(exact, f)
		case strings.HasSuffix(f.Name, "/"+name), strings.HasSuffix(name, "/"+f.Name):
			near = append(near, f)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return near
}

func compareSums(want, have File) (FileStatus, []ChecksumAlgorithm) {
	var wrong []ChecksumAlgorithm
	compared := false
	for _, sum := range want.Checksums {
		other := Sum(have.Checksums, sum.Algorithm)
		if other == "" {
			continue
		}
		compared = true
		if !strings.EqualFold(other, sum.Value) {
			wrong = append(wrong, sum.Algorithm)
		}
	}
	switch {
	case len(wrong) > 0:
		return Different, wrong
	case !compared:
		return Unprovable, nil
	}
	return Same, nil
}
