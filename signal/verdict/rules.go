package verdict

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rules are the thresholds of a report. Limits that are lists go by the age of
// the branch: the first is the default branch's, the second the newest release
// branch's and so on, and the last one holds for all older ones.
type Rules struct {
	// Greens is how many of a blocking job's newest runs must be green for a cut;
	// SameCommit asks that they be of one commit.
	Greens     int
	SameCommit bool
	// A blocking job runs this long at most: 75 percent of a week's runs are over
	// by then.
	Duration []time.Duration
	Interval []time.Duration // between two runs, the median of a week
	PassRate []float64       // percent of a week's runs that pass, at least
	InARow   []int           // failures in a row, at most
	// Urgent and Soon are the flake rates, in percent, above which a blocking
	// job's flakes are critical-urgent and important-soon.
	Urgent, Soon float64
	// Tolerated are labels of issues by which somebody has said that what they
	// tell of holds no release back.
	Tolerated []string
	// DefaultBranch is the oldest in age 0; ReleaseBranch is how the branch of a
	// series is called, with {major} and {minor}.
	DefaultBranch, ReleaseBranch string
}

// DefaultRules are Kubernetes', with the interval between runs growing with a
// branch's age, as there are ever fewer changes to test.
func DefaultRules() Rules {
	return Rules{
		Greens: 3, Duration: []time.Duration{120 * time.Minute},
		Interval: []time.Duration{3 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour},
		PassRate: []float64{75}, InARow: []int{10}, Urgent: 20, Soon: 2,
		DefaultBranch: "main", ReleaseBranch: "release-{major}.{minor}",
	}
}

// byAge picks the limit for an age.
func byAge[T any](limits []T, age int) T {
	var none T
	if len(limits) == 0 {
		return none
	}
	return limits[min(max(age, 0), len(limits)-1)]
}

// Board says what a dashboard decides about.
type Board struct {
	Dashboard string `json:"dashboard"`
	// Project is whose branch it is, where results of several are shown together:
	// sig-release of sig-release-1.36-blocking.
	Project  string `json:"project,omitempty"`
	Branch   string `json:"branch"`
	Blocking bool   `json:"blocking"` // else informing
}

var boardName = regexp.MustCompile(`^(?:.*-)?(blocking|informing)$`)

// Boards reads from the names of dashboards what they decide about:
// sig-release-1.36-blocking, sig-release-master-informing, halyard-blocking. One
// that names no branch speaks of the default branch, unless others name theirs:
// then it is another team's, and is left out. What stands before the branch is
// the project.
func (r Rules) Boards(names []string) []Board {
	var named, unnamed []Board
	for _, n := range names {
		m := boardName.FindStringSubmatch(n)
		if m == nil {
			continue
		}
		b := Board{Dashboard: n, Branch: r.DefaultBranch, Blocking: m[1] == "blocking"}
		branch := ""
		b.Project, branch = branchIn(strings.TrimSuffix(strings.TrimSuffix(n, m[1]), "-"))
		switch branch {
		case "":
			unnamed = append(unnamed, b)
			continue
		case "master", "main":
		default:
			major, minor, _ := strings.Cut(branch, ".")
			b.Branch = strings.NewReplacer("{major}", major, "{minor}", minor).Replace(r.ReleaseBranch)
		}
		named = append(named, b)
	}
	if len(named) == 0 {
		return unnamed
	}
	return named
}

var branchTail = regexp.MustCompile(`(?:^|-)(master|main|[0-9]+\.[0-9]+)$`)

// branchIn parts what stands before -blocking into a project and a branch, which
// may be empty.
func branchIn(prefix string) (project, branch string) {
	if m := branchTail.FindStringSubmatchIndex(prefix); m != nil {
		return prefix[:m[0]], prefix[m[2]:m[3]]
	}
	return prefix, ""
}

var numbers = regexp.MustCompile(`[0-9]+`)

// byNewest orders branches: the default branch, then those with the highest
// numbers, then the rest by name.
func (r Rules) byNewest(branches []string) []string {
	out := slices.Clone(branches)
	slices.SortFunc(out, func(a, b string) int {
		if a == r.DefaultBranch || b == r.DefaultBranch {
			return order(a != r.DefaultBranch) - order(b != r.DefaultBranch)
		}
		x, y := numbers.FindAllString(a, -1), numbers.FindAllString(b, -1)
		for i := range min(len(x), len(y)) {
			m, merr := strconv.Atoi(x[i])
			n, nerr := strconv.Atoi(y[i])
			if merr == nil && nerr == nil && m != n {
				return n - m
			}
		}
		return cmp.Or(len(y)-len(x), strings.Compare(a, b))
	})
	return slices.Compact(out)
}

func order(later bool) int {
	if later {
		return 1
	}
	return 0
}
