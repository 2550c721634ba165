package artifact

import (
	"fmt"
	"regexp"
	"strings"
)

// Platform is an operating system and a processor in Go's and OCI's words. The
// zero value means "any".
type Platform struct {
	OS      string // linux, darwin, windows, …
	Arch    string // amd64, arm64, arm, …
	Variant string // v7 for linux/arm/v7; mostly empty
}

var platformPart = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// ParsePlatform reads OS/ARCH or OS/ARCH/VARIANT.
func ParsePlatform(s string) (Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 2 && len(parts) != 3 {
		return Platform{}, fmt.Errorf("%q is not a platform: write OS/ARCH or OS/ARCH/VARIANT, as in linux/arm64", s)
	}
	for _, p := range parts {
		if !platformPart.MatchString(p) {
			return Platform{}, fmt.Errorf("%q is not a platform: %q holds something else than a-z and 0-9", s, p)
		}
	}
	p := Platform{OS: parts[0], Arch: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// ParsePlatforms reads a list and refuses one that names a platform twice.
func ParsePlatforms(list []string) ([]Platform, error) {
	seen := map[Platform]bool{}
	var platforms []Platform
	for _, s := range list {
		p, err := ParsePlatform(s)
		if err != nil {
			return nil, err
		}
		if seen[p] {
			return nil, fmt.Errorf("platform %s is listed twice", p)
		}
		seen[p] = true
		platforms = append(platforms, p)
	}
	return platforms, nil
}

// String returns OS/ARCH[/VARIANT], or the empty string for any platform.
func (p Platform) String() string { return p.join("/") }

// Slug returns OS_ARCH[_VARIANT], the form in file names.
func (p Platform) Slug() string { return p.join("_") }

func (p Platform) join(sep string) string {
	if p.IsZero() {
		return ""
	}
	s := p.OS + sep + p.Arch
	if p.Variant != "" {
		s += sep + p.Variant
	}
	return s
}

// IsZero reports whether p means any platform.
func (p Platform) IsZero() bool { return p == Platform{} }

// MarshalText writes OS/ARCH[/VARIANT].
func (p Platform) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (p *Platform) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*p = Platform{}
		return nil
	}
	parsed, err := ParsePlatform(string(b))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}
