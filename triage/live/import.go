package live

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"seaworthy/triage"
)

// Import gathers failures of triage's files by their builds, so that a Service
// can take them up. It keeps one text for each statement and some bytes for each
// failure, whatever the files' size.
type Import struct {
	places *triage.Places

	mu    sync.Mutex
	tests names
	texts []importText
	at    map[string]int32 // texts by hash
	rows  []importRow
	seed  maphash.Seed
}

type importRow struct {
	build, test, text int32
	raw               uint64 // tells texts of one statement apart
}

// importText is a statement, and of its failures the text of the earliest one
// and the last by the alphabet: what differs between them varies.
type importText struct {
	hash, sample, other string
	at                  time.Time
}

// NewImport takes the builds as triage.ReadBuilds returns them.
func NewImport(builds []triage.Build) *Import {
	return &Import{places: triage.NewPlaces(builds), at: map[string]int32{}, seed: maphash.MakeSeed()}
}

// mostText bounds a text in bytes; of one that is longer the beginning is kept.
const mostText = 100_000

// Add takes a failure. Many goroutines may add at once, in any order.
func (x *Import) Add(r triage.Row) {
	f := x.places.Failure(r)
	h, raw := hash(triage.Normalise(f.Text)), maphash.String(x.seed, f.Text)
	sample := f.Text
	if len(sample) > mostText {
		sample = strings.ToValidUTF8(sample[:mostText], "")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	i, ok := x.at[h]
	if !ok {
		i = int32(len(x.texts))
		x.at[h] = i
		x.texts = append(x.texts, importText{hash: h, sample: strings.Clone(sample), at: f.Started})
	}
	if t := &x.texts[i]; cmp.Or(f.Started.Compare(t.at), strings.Compare(sample, t.sample)) < 0 {
		t.sample, t.at = strings.Clone(sample), f.Started
	}
	if t := &x.texts[i]; sample > t.other {
		t.other = strings.Clone(sample)
	}
	x.rows = append(x.rows, importRow{int32(f.Build), x.tests.number(f.Test), i, raw})
}

// Imported says what came of an import.
type Imported struct {
	Recorded
	// Unplaced counts builds whose path tells no job, or of which nothing tells
	// when they began: they are passed over.
	Unplaced int `json:"unplaced"`
	// Builds are all that the files tell of.
	Builds int `json:"builds"`
}

// At most so many builds and about so many failures are written at once: others
// wait for it, and what was written is there if the rest is not.
const (
	importBuilds   = 2000
	importFailures = 10_000
)

// Into records everything, oldest first. It may be done again after it failed,
// or with files of which parts were recorded before: builds that are known stay
// as they are. After each write progress is called with how many builds were
// looked at. It must not run beside Add.
func (x *Import) Into(ctx context.Context, s *Service, progress func(done, of int)) (Imported, error) {
	slices.SortFunc(x.rows, func(a, b importRow) int {
		return cmp.Or(cmp.Compare(a.build, b.build), cmp.Compare(a.test, b.test), cmp.Compare(a.text, b.text), cmp.Compare(a.raw, b.raw))
	})
	x.rows = slices.Compact(x.rows)
	builds, _ := x.places.Builds()
	done := Imported{Builds: len(builds)}
	order := make([]int32, 0, len(builds))
	for i := range builds {
		if builds[i].Job == "" || builds[i].Started == 0 {
			done.Unplaced++
			continue
		}
		order = append(order, int32(i))
	}
	slices.SortFunc(order, func(a, b int32) int { return earlier(&builds[a], &builds[b]) })
	looked, failures := done.Unplaced, 0
	var batch []Result
	flush := func() error {
		recorded, err := s.RecordAll(ctx, batch)
		if err != nil {
			return err
		}
		done.Recorded.add(recorded)
		looked += len(batch)
		progress(looked, len(builds))
		batch, failures = batch[:0], 0
		return nil
	}
	for _, i := range order {
		r := x.result(i, &builds[i])
		failures += len(r.Failures)
		if batch = append(batch, r); len(batch) < importBuilds && failures < importFailures {
			continue
		}
		if err := flush(); err != nil {
			return done, err
		}
	}
	return done, flush()
}

// earlier orders builds by when they began.
func earlier(a, b *triage.Build) int {
	return cmp.Or(cmp.Compare(a.Started, b.Started), strings.Compare(a.Path, b.Path))
}

// result is one build with its failures, in the order of their tests' names.
func (x *Import) result(place int32, b *triage.Build) Result {
	from, _ := slices.BinarySearchFunc(x.rows, place, func(r importRow, place int32) int { return cmp.Compare(r.build, place) })
	r := Result{Build: foreignBuild(b)}
	for ; from < len(x.rows) && x.rows[from].build == place; from++ {
		text := &x.texts[x.rows[from].text]
		r.Failures = append(r.Failures, Failure{Test: x.tests.all[x.rows[from].test], Text: text.sample, hash: text.hash, other: text.other})
	}
	slices.SortStableFunc(r.Failures, func(a, b Failure) int {
		return cmp.Or(strings.Compare(a.Test, b.Test), strings.Compare(a.hash, b.hash))
	})
	return r
}

// foreignBuild is a build of triage's files as a table holds it.
func foreignBuild(b *triage.Build) Build {
	return Build{
		Path: b.Path, Job: strings.TrimPrefix(b.Job, "pr:"), Pull: pullOf(b.Job, b.PR), Started: time.Unix(b.Started, 0).UTC(),
		Elapsed: time.Duration(b.Elapsed) * time.Second, Tests: b.TestsRun, Passed: b.Result == "SUCCESS",
	}
}
