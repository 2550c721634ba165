package cloudbuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"seaworthy/strict"
)

// Variant is a set of substitutions under a name.
type Variant struct {
	Name string
	// Substitutions as a build takes them: the file's CONFIG is _CONFIG.
	Substitutions map[string]string
}

// variantsFile is variants.yaml.
type variantsFile struct {
	Variants map[string]map[string]string `json:"variants"`

	Lines strict.Lines `json:"-"`
}

// ParseVariants reads variants.yaml, sorted by name.
func ParseVariants(name string, data []byte) ([]Variant, []strict.Problem) {
	if len(data) > maxFile {
		return nil, []strict.Problem{{File: name, Message: fmt.Sprintf("the file has %d bytes, at most %d are read", len(data), maxFile)}}
	}
	var f variantsFile
	problems := strict.Unmarshal(name, data, &f)
	var all []Variant
	for _, key := range slices.Sorted(maps.Keys(f.Variants)) {
		v := Variant{Name: key, Substitutions: map[string]string{}}
		if key == "" || strings.ContainsAny(key, "\x00\n") {
			problems = append(problems, strict.Problem{File: name, Line: f.Lines.Of("variants"), Message: fmt.Sprintf("variant %q: write a name", key)})
		}
		for _, sub := range slices.Sorted(maps.Keys(f.Variants[key])) {
			if !userKey.MatchString("_" + sub) {
				problems = append(problems, strict.Problem{File: name, Line: f.Lines.Of("variants"),
					Message: fmt.Sprintf("variant %s has %q: a substitution's name is of A-Z, 0-9 and _", key, sub)})
			}
			v.Substitutions["_"+sub] = f.Variants[key][sub]
		}
		all = append(all, v)
	}
	if len(all) == 0 && len(problems) == 0 {
		problems = append(problems, strict.Problem{File: name, Line: max(f.Lines.Start, 1), Message: "no variants: write them below variants:, or remove the file"})
	}
	return all, strict.Sort(problems)
}

// GitTag is the value of _GIT_TAG: the day, and what git describe says.
func GitTag(describe string, at time.Time) string {
	clean := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, describe)
	return fmt.Sprintf("v%s-%s", at.UTC().Format("20060102"), clean)
}
