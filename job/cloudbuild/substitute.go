package cloudbuild

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Values of options.substitutionOption. The first is the default: every name
// that is used must be given, and every name that is given used.
const (
	mustMatch  = "MUST_MATCH"
	allowLoose = "ALLOW_LOOSE"
)

// BuiltIns returns the names that Cloud Build itself gives a value. Of those
// that have none here, an empty text is put in, as there.
func BuiltIns() []string {
	return []string{"PROJECT_ID", "PROJECT_NUMBER", "BUILD_ID", "LOCATION", "TRIGGER_NAME", "COMMIT_SHA", "REVISION_ID", "SHORT_SHA", "REPO_NAME",
		"REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH", "SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT"}
}

// settable are the built-in names that a command line may give a value.
func settable() []string {
	return []string{"PROJECT_ID", "COMMIT_SHA", "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME", "BRANCH_NAME", "TAG_NAME", "REF_NAME"}
}

// CheckName reports a substitution that cannot be given on a command line.
func CheckName(name string) error {
	if userKey.MatchString(name) || slices.Contains(settable(), name) {
		return nil
	}
	return fmt.Errorf("%q is no substitution: write a name of one's own, such as _TAG, or one of %s", name, strings.Join(settable(), ", "))
}

// maxText bounds what a text may grow to by substitution.
const maxText = 1 << 20

var errTooLong = fmt.Errorf("it grows beyond %d bytes", maxText)

// substituter puts values in for names.
type substituter struct {
	values map[string]string
	loose  bool
	// dynamic allows values that refer to others, and bash's expansions.
	dynamic bool
	used    map[string]bool
	// resolving are the names whose values are being worked out.
	resolving []string
	resolved  map[string]string
}

func newSubstituter(values map[string]string, o Options) *substituter {
	return &substituter{values: values, loose: o.SubstitutionOption == allowLoose, dynamic: o.DynamicSubstitutions,
		used: map[string]bool{}, resolved: map[string]string{}}
}

// expand puts values in for $NAME and ${NAME}; $$ is a dollar. A dollar before
// anything else stays, as in $(date).
func (s *substituter) expand(text string) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(text, '$')
		if i < 0 || i+1 == len(text) {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		value, rest, err := s.reference(text[i+1:])
		if err != nil {
			return "", err
		}
		b.WriteString(value)
		text = rest
		if b.Len() > maxText {
			return "", errTooLong
		}
	}
	if b.Len() > maxText {
		return "", errTooLong
	}
	return b.String(), nil
}

// reference reads what follows a dollar: the value, and what comes after.
func (s *substituter) reference(text string) (value, rest string, err error) {
	switch {
	case text[0] == '$':
		return "$", text[1:], nil
	case text[0] == '{':
		inner, rest, ok := braced(text)
		if !ok {
			return "", "", fmt.Errorf("${%s has no closing brace: write $${ for these characters themselves", clip(text[1:]))
		}
		value, err := s.parameter(inner)
		return value, rest, err
	}
	n := nameLength(text)
	if n == 0 {
		return "$", text, nil
	}
	value, _, err = s.value(text[:n])
	return value, text[n:], err
}

// braced cuts "{…}" off a text, braces within counted.
func braced(text string) (inner, rest string, ok bool) {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[1:i], text[i+1:], true
			}
		}
	}
	return "", "", false
}

func nameLength(text string) int {
	n := 0
	for n < len(text) && (text[n] == '_' || 'A' <= text[n] && text[n] <= 'Z' || 'a' <= text[n] && text[n] <= 'z' || n > 0 && '0' <= text[n] && text[n] <= '9') {
		n++
	}
	return n
}

// parameter gives the value of what stands in braces.
func (s *substituter) parameter(inner string) (string, error) {
	n := nameLength(inner)
	if n > 0 && n == len(inner) {
		value, _, err := s.value(inner)
		return value, err
	}
	if !s.dynamic {
		return "", fmt.Errorf("${%s} is one of bash's expansions: set options.dynamicSubstitutions to true, or write $${%[1]s} to leave it to the shell", clip(inner))
	}
	return s.bash(inner)
}

// value gives the value of a name, and whether it has one.
func (s *substituter) value(name string) (value string, given bool, err error) {
	if !userKey.MatchString(name) && !slices.Contains(BuiltIns(), name) {
		return "", false, fmt.Errorf("$%s is no substitution: write $$%[1]s to leave it to the shell, or a name of one's own such as $_%s", name, strings.ToUpper(strings.Trim(name, "_")))
	}
	s.used[name] = true
	value, given = s.values[name]
	switch {
	case !given && strings.HasPrefix(name, "_") && !s.loose:
		return "", false, fmt.Errorf("$%s has no value: give it one in substitutions or on the command line, or set options.substitutionOption to %s", name, allowLoose)
	case !given || !s.dynamic || !strings.HasPrefix(name, "_"):
		return value, given, nil
	}
	value, err = s.resolve(name, value)
	return value, true, err
}

// resolve works out a value that may refer to others.
func (s *substituter) resolve(name, value string) (string, error) {
	if known, ok := s.resolved[name]; ok {
		return known, nil
	}
	if slices.Contains(s.resolving, name) {
		return "", fmt.Errorf("$%s refers to itself: %s", name, strings.Join(append(s.resolving, name), " → "))
	}
	s.resolving = append(s.resolving, name)
	out, err := s.expand(value)
	s.resolving = s.resolving[:len(s.resolving)-1]
	if err == nil {
		s.resolved[name] = out
	}
	return out, err
}

// all gives every substitution that has a value, for steps that see them as
// variables.
func (s *substituter) all() ([]string, error) {
	var env []string
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		value, _, err := s.value(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		env = append(env, name+"="+value)
	}
	return env, errors.Join(errs...)
}

// unused lists the names of one's own that were given and not used.
func (s *substituter) unused() []string {
	var names []string
	for name := range s.values {
		if strings.HasPrefix(name, "_") && !s.used[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
