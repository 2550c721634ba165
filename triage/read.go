package triage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Build is a row of triage's builds file: a run of a job.
type Build struct {
	Path        string // of its folder, such as gs://bucket/logs/job/1234
	Job         string // for pull requests "pr:" and the name
	Number      int64  // within the job
	Started     int64  // seconds since 1970
	Elapsed     int    // seconds
	TestsRun    int
	TestsFailed int
	Result      string // such as SUCCESS
	Executor    string
	PR          string // number of the pull request, "" if there is none
}

// Row is a row of triage's failures files.
type Row struct {
	Build   string // the path of a Build
	Started int64  // seconds since 1970, 0 if it does not say
	Test    string
	Text    string
}

// Irregular counts what was odd about the rows of a file.
type Irregular struct {
	Rows  int               // that were read
	Kinds map[string]Oddity // by what was odd
}

// Oddity is how often something was odd, and the first line where it was.
type Oddity struct{ Count, Line int }

func (r *Irregular) add(line int, why string) {
	if r.Kinds == nil {
		r.Kinds = map[string]Oddity{}
	}
	o := r.Kinds[why]
	if o.Count++; o.Line == 0 || line < o.Line {
		o.Line = line
	}
	r.Kinds[why] = o
}

// Lines tells each kind in words, first in the file first.
func (r Irregular) Lines() []string {
	kinds := slices.Collect(maps.Keys(r.Kinds))
	slices.SortFunc(kinds, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Kinds[a].Line, r.Kinds[b].Line), strings.Compare(a, b))
	})
	for i, k := range kinds {
		o := r.Kinds[k]
		kinds[i] = fmt.Sprintf("line %d: %s", o.Line, k)
		if o.Count > 1 {
			kinds[i] += fmt.Sprintf(" (and %d more)", o.Count-1)
		}
	}
	return kinds
}

// mostBuilds bounds the builds of a file; Kubernetes has some 130,000 in a
// fortnight.
const mostBuilds = 4_000_000

// ReadBuilds reads triage's builds file: a JSON array or one object for each
// line, numbers as texts or numbers, plain or compressed with gzip. Builds
// without start or number are left out and counted, as triage does; of two
// with one path one is kept, whichever comes first. The builds are in order of
// job, number and path. The error is of r or of ctx, or says which bound r
// exceeds.
func ReadBuilds(ctx context.Context, r io.Reader) ([]Build, Irregular, error) {
	var found Irregular
	in, err := newObjects(r)
	if err != nil {
		return nil, found, err
	}
	paths := map[string]int{}
	var builds []Build
	for n := 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return nil, found, ctx.Err()
		}
		object, line, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		var b Build
		if err == nil {
			b, err = readBuild(object)
		}
		var broken brokenError
		if errors.As(err, &broken) {
			found.add(line, broken.why)
			continue
		}
		if err != nil {
			return nil, found, err
		}
		found.Rows++
		at, double := paths[b.Path]
		if !double {
			if len(builds) == mostBuilds {
				return nil, found, fmt.Errorf("line %d: there are more than %d builds: split them by their starts", line, mostBuilds)
			}
			paths[b.Path] = len(builds)
			builds = append(builds, b)
			continue
		}
		found.add(line, "a build whose path another has")
		if compareBuilds(b, builds[at]) > 0 {
			builds[at] = b
		}
	}
	slices.SortFunc(builds, compareBuilds)
	return builds, found, nil
}

// compareBuilds orders by job, number and path, and ends with everything else
// so that of two rows of one build the same wins wherever they are.
func compareBuilds(a, b Build) int {
	return cmp.Or(strings.Compare(a.Job, b.Job), cmp.Compare(a.Number, b.Number), strings.Compare(a.Path, b.Path),
		cmp.Compare(a.Started, b.Started), cmp.Compare(a.Elapsed, b.Elapsed), cmp.Compare(a.TestsRun, b.TestsRun),
		cmp.Compare(a.TestsFailed, b.TestsFailed), strings.Compare(a.Result, b.Result), strings.Compare(a.Executor, b.Executor), strings.Compare(a.PR, b.PR))
}

func readBuild(object []byte) (Build, error) {
	var b Build
	var started, number string
	err := eachField(object, func(name string, raw []byte) {
		switch name {
		case "path":
			b.Path = strings.TrimRight(value(raw), "/")
		case "job":
			b.Job = value(raw)
		case "number":
			number = value(raw)
		case "started":
			started = value(raw)
		case "elapsed":
			b.Elapsed = count(value(raw))
		case "tests_run":
			b.TestsRun = count(value(raw))
		case "tests_failed":
			b.TestsFailed = count(value(raw))
		case "result":
			b.Result = value(raw)
		case "executor":
			b.Executor = value(raw)
		case "pr":
			b.PR = value(raw)
		}
	})
	if err != nil {
		return b, err
	}
	from := buildOf(b.Path)
	b.Job = cmp.Or(b.Job, from.Job)
	b.PR = cmp.Or(from.PR, b.PR)
	b.Started = moment1970(started)
	b.Number, _ = strconv.ParseInt(number, 10, 64)
	switch {
	case b.Path == "":
		return b, brokenError{"a build without path"}
	case b.Started == 0:
		return b, brokenError{"a build without a start between 1970 and 9999"}
	case b.Number <= 0:
		return b, brokenError{"a build without number"}
	case b.Job == "":
		return b, brokenError{"a build without job"}
	}
	return b, nil
}

// buildOf reads what the path of a build's folder tells of it: job and number
// from its end, the pull request from Prow's pr-logs/pull/…/PR/JOB/NUMBER.
func buildOf(path string) Build {
	parts := strings.Split(strings.TrimRight(path, "/"), "/")
	b := Build{Path: path}
	if len(parts) < 3 {
		return b
	}
	b.Number, _ = strconv.ParseInt(parts[len(parts)-1], 10, 64)
	b.Job = parts[len(parts)-2]
	if slices.Contains(parts, "pr-logs") && len(parts) > 3 {
		b.PR = parts[len(parts)-3]
		b.Job = "pr:" + b.Job
	}
	return b
}

// moment1970 reads seconds since 1970, as BigQuery writes integers and floats;
// 0 is none, and what is outside of the years people have.
func moment1970(text string) int64 {
	n := number(text)
	if !(n > 0 && n < 253402300800) {
		return 0
	}
	return int64(n)
}

// count reads a number of something; what is none is 0.
func count(text string) int {
	n := number(text)
	if !(n > 0 && n < math.MaxInt32) {
		return 0
	}
	return int(n)
}

func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return n
}

// batchSize is how many bytes of rows go to a worker at once.
const batchSize = 256 << 10

// batch is rows on their way to a worker.
type batch struct {
	text  []byte
	ends  []int
	lines []int
}

// ReadFailures reads one of triage's failures files: an object for each line
// or an array, plain or compressed with gzip. It calls add for each row, from
// several goroutines at once and in no order. Rows without build or test are
// left out and counted; rows without text are counted. The error is of r or of
// ctx, or says which bound r exceeds.
func ReadFailures(ctx context.Context, r io.Reader, workers int, add func(Row)) (Irregular, error) {
	var found Irregular
	in, err := newObjects(r)
	if err != nil {
		return found, err
	}
	var lock sync.Mutex
	work := make(chan batch, workers)
	var running sync.WaitGroup
	for range max(workers, 1) {
		running.Go(func() {
			for b := range work {
				readBatch(b, add, func(rows int) { lock.Lock(); found.Rows += rows; lock.Unlock() }, func(line int, why string) {
					lock.Lock()
					defer lock.Unlock()
					found.add(line, why)
				})
			}
		})
	}
	err = func() error {
		defer running.Wait()
		defer close(work)
		var b batch
		for {
			object, line, err := in.next()
			var broken brokenError
			switch {
			case errors.As(err, &broken):
				lock.Lock()
				found.add(line, broken.why)
				lock.Unlock()
				continue
			case err != nil && !errors.Is(err, io.EOF):
				return err
			case err == nil:
				b.text = append(b.text, object...)
				b.ends, b.lines = append(b.ends, len(b.text)), append(b.lines, line)
				if len(b.text) < batchSize {
					continue
				}
			}
			select {
			case work <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
			if err != nil {
				return nil
			}
			b = batch{}
		}
	}()
	return found, err
}

func readBatch(b batch, add func(Row), read func(rows int), odd func(line int, why string)) {
	from, rows := 0, 0
	for i, end := range b.ends {
		row, err := readRow(b.text[from:end])
		from = end
		switch {
		case err != nil:
			odd(b.lines[i], err.Error())
			continue
		case row.Build == "":
			odd(b.lines[i], "a failure without build")
			continue
		case row.Test == "":
			odd(b.lines[i], "a failure without name of a test")
			continue
		case row.Text == "":
			odd(b.lines[i], "a failure without text")
		case row.Started == 0:
			odd(b.lines[i], "a failure without a start between 1970 and 9999")
		}
		rows++
		add(row)
	}
	read(rows)
}

func readRow(object []byte) (Row, error) {
	var r Row
	err := eachField(object, func(name string, raw []byte) {
		switch name {
		case "build":
			r.Build = strings.TrimRight(value(raw), "/")
		case "name":
			r.Test = value(raw)
		case "failure_text":
			r.Text = value(raw)
		case "started":
			r.Started = moment1970(value(raw))
		}
	})
	return r, err
}

// Places gives each path of a build its index, adding builds that failures name
// and the builds file lacks, as far as their path tells job and number.
type Places struct {
	lock  sync.RWMutex
	at    map[string]int
	list  []Build
	known int // builds of the file
}

// NewPlaces takes the builds as ReadBuilds returns them.
func NewPlaces(builds []Build) *Places {
	p := &Places{at: make(map[string]int, len(builds)), list: slices.Clone(builds), known: len(builds)}
	for i, b := range builds {
		p.at[b.Path] = i
	}
	return p
}

// Failure returns a row as a failure whose Build is an index of Builds. It may
// be called by many at once.
func (p *Places) Failure(r Row) Failure {
	p.lock.RLock()
	i, ok := p.at[r.Build]
	var started int64
	if ok {
		started = p.list[i].Started
	}
	p.lock.RUnlock()
	if !ok || i >= p.known {
		p.lock.Lock()
		if i, ok = p.at[r.Build]; !ok {
			i = len(p.list)
			b := buildOf(r.Build)
			p.at[r.Build] = i
			p.list = append(p.list, b)
		}
		b := &p.list[i]
		if i >= p.known && (b.Started == 0 || r.Started > 0 && r.Started < b.Started) {
			b.Started = r.Started
		}
		p.lock.Unlock()
		started = r.Started
	}
	return Failure{Build: i, Test: r.Test, Text: r.Text, Started: time.Unix(cmp.Or(r.Started, started), 0)}
}

// Builds returns all builds, those of the file first, and how many of them the
// file lacked.
func (p *Places) Builds() (builds []Build, added int) {
	return p.list, len(p.list) - p.known
}
