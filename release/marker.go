package release

import "fmt"

// Marker is a small file that names the newest version of its kind: stable,
// latest, and both for a major (latest-1) and a series (latest-1.4). The
// layout is that of dl.k8s.io/release.
type Marker struct {
	Name  string // without ".txt"
	Value string // the version with its prefix
}

// File returns the marker's file name.
func (m Marker) File() string { return m.Name + ".txt" }

// MarkerNames lists the markers a version is a candidate for: the latest ones,
// and for a final release the stable ones before them.
func MarkerNames(v Version) []string {
	var names []string
	bases := []string{"stable", "latest"}
	if !v.Final() {
		bases = bases[1:]
	}
	for _, base := range bases {
		names = append(names, base, fmt.Sprintf("%s-%d", base, v.Major), base+"-"+v.Series())
	}
	return names
}

// RaiseMarkers returns the markers that v raises, given what they hold now by
// name; a marker that is missing or empty is raised. A marker only ever rises:
// one that holds v or something newer is left alone. A marker that holds no
// version is an error, because overwriting it might lower it.
func RaiseMarkers(v Version, current map[string]string) ([]Marker, error) {
	var raise []Marker
	for _, name := range MarkerNames(v) {
		higher, err := RaiseMarker(v, name, current[name])
		if err != nil {
			return nil, err
		}
		if !higher {
			continue
		}
		raise = append(raise, Marker{Name: name, Value: v.String()})
	}
	return raise, nil
}
