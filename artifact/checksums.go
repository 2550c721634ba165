package artifact

import (
	"fmt"
	"strings"
)

// Sum is one line of a checksum file.
type Sum struct {
	Name string
	Hex  string
}

// RenderChecksums writes the checksum file of the artifacts, sorted by name, in
// the format of sha256sum and sha512sum ("HEX  NAME"), which check it with -c.
func RenderChecksums(alg Algorithm, artifacts []Artifact) ([]byte, error) {
	if _, err := ParseAlgorithm(string(alg)); err != nil {
		return nil, err
	}
	sorted := append([]Artifact{}, artifacts...)
	Sort(sorted)
	var b strings.Builder
	for i, a := range sorted {
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("writing %s: %w", alg.File(), err)
		}
		if i > 0 && sorted[i-1].Name == a.Name {
			return nil, fmt.Errorf("writing %s: %s is listed twice", alg.File(), a.Name)
		}
		b.WriteString(a.Sum(alg) + "  " + a.Name + "\n")
	}
	return []byte(b.String()), nil
}

// ParseChecksums reads a checksum file strictly: every line is a sum of the
// algorithm's length, two spaces (or a space and the binary mark '*') and a
// plain file name, no file twice, and the last line is whole. A file that was
// cut off or tampered with should not verify by accident.
func ParseChecksums(alg Algorithm, data []byte) ([]Sum, error) {
	if _, err := ParseAlgorithm(string(alg)); err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s is empty", alg.File())
	}
	seen := map[string]bool{}
	var sums []Sum
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		text, whole := strings.CutSuffix(line, "\n")
		if !whole {
			return nil, fmt.Errorf("%s:%d: the line is cut off", alg.File(), n)
		}
		sum, name, ok := strings.Cut(text, " ")
		if !ok || name == "" || name[0] != ' ' && name[0] != '*' {
			return nil, fmt.Errorf("%s:%d: write HEX, two spaces, NAME", alg.File(), n)
		}
		name = name[1:]
		if err := alg.check(sum); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", alg.File(), n, err)
		}
		if err := CheckName(name); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", alg.File(), n, err)
		}
		if seen[name] {
			return nil, fmt.Errorf("%s:%d: %s is listed twice", alg.File(), n, name)
		}
		seen[name] = true
		sums = append(sums, Sum{Name: name, Hex: sum})
	}
	return sums, nil
}

// VerifyChecksums compares measured artifacts with the lines of a checksum
// file. Every artifact must be listed with its sum; the error wraps ErrMismatch.
// Lines about files that were not measured are passed over, as people download
// one file of many.
func VerifyChecksums(alg Algorithm, sums []Sum, artifacts []Artifact) error {
	listed := map[string]string{}
	for _, s := range sums {
		listed[s.Name] = s.Hex
	}
	for _, a := range artifacts {
		want, ok := listed[a.Name]
		switch have := a.Sum(alg); {
		case !ok:
			return fmt.Errorf("%s %w: %s does not list it", a.Name, ErrMismatch, alg.File())
		case have == "" || have != want:
			return fmt.Errorf("%s %w: its %s is %q, %s says %s", a.Name, ErrMismatch, alg, have, alg.File(), want)
		}
	}
	return nil
}
