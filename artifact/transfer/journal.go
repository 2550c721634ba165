package transfer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"seaworthy/artifact"
)

// State is how far an image has come at one destination.
type State string

// States, in the order they are reached.
const (
	Planned State = "planned" // it is about to be copied
	Copied  State = "copied"  // its content is there, and what belongs to it
	Signed  State = "signed"  // our signature is there
	Tagged  State = "tagged"  // its tags are there
	Checked State = "checked" // the destination was seen to have what was wanted
)

// entry is one line of the journal.
type entry struct {
	Time       time.Time       `json:"t"`
	Repository string          `json:"r"`
	Digest     artifact.Digest `json:"d"`
	State      State           `json:"s"`
	Tags       []string        `json:"g,omitempty"`
}

// progress is what the journal knows of one digest at one destination.
type progress struct {
	state  State
	begun  bool // it was promoted from here
	signed bool
	tags   map[string]time.Time // when each was last seen or written
	seen   time.Time            // when the digest was
}

type place struct {
	repository string
	digest     artifact.Digest
}

// Journal remembers what was done, in a file that is only appended to. It
// saves looking twice at what was just seen and tells what was begun; what is
// true is what the destinations hold. It is safe for concurrent use.
type Journal struct {
	mu    sync.Mutex
	file  *os.File // nil: nothing is written
	lock  *os.File
	lines int
	known map[place]*progress
}

// ErrBusy: another run works on the same state.
var ErrBusy = errors.New("another promotion is running on this state folder; wait for it to end")

const journalFile = "journal.jsonl"

// OpenJournal opens the journal of a state folder for writing, and makes it if
// needed. One process at a time may have it open: ErrBusy to the others.
func OpenJournal(folder string) (*Journal, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("making the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the state folder: %w", err)
	}
	// The kernel drops the lock when the process ends, however it ends.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%s: %w", folder, ErrBusy)
		}
		return nil, errors.Join(err, lock.Close())
	}
	j, err := ReadJournal(folder)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	j.lock = lock
	name := filepath.Join(folder, journalFile)
	if j.lines > 2*len(j.known)+1000 {
		if err := j.compact(name); err != nil {
			return nil, errors.Join(err, lock.Close())
		}
	}
	if j.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644); err == nil {
		err = trim(j.file)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the journal: %w", err), lock.Close())
	}
	return j, nil
}

// trim removes a last line that a crash left unfinished and goes to the end.
func trim(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, min(end, 1<<20))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return err
	}
	keep := end - int64(len(tail)) + int64(bytes.LastIndexByte(tail, '\n')+1)
	if keep < end {
		if err := f.Truncate(keep); err != nil {
			return err
		}
	}
	_, err = f.Seek(keep, io.SeekStart)
	return err
}

// ReadJournal reads the journal of a state folder, which need not exist.
// Nothing can be written to it.
func ReadJournal(folder string) (*Journal, error) {
	j := &Journal{known: map[place]*progress{}}
	f, err := os.Open(filepath.Join(folder, journalFile))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	if err := errors.Join(j.read(f), f.Close()); err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return j, nil
}

// read takes in the lines. A line that cannot be read is as if it had not been
// written: the destination is looked at instead.
func (j *Journal) read(r io.Reader) error {
	lines := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		j.lines++
		var e entry
		if json.Unmarshal(line, &e) == nil && e.Repository != "" && e.Digest != "" {
			j.learn(e)
		}
	}
}

func (j *Journal) learn(e entry) {
	k := place{e.Repository, e.Digest}
	p := j.known[k]
	if p == nil {
		p = &progress{}
		j.known[k] = p
	}
	switch e.State {
	case Planned:
		p.begun = true
	case Signed:
		p.signed = true
	case Copied, Tagged, Checked:
		p.seen = e.Time
	}
	if e.State == Tagged || e.State == Checked {
		if p.tags == nil {
			p.tags = make(map[string]time.Time, len(e.Tags))
		}
		for _, t := range e.Tags {
			p.tags[t] = e.Time
		}
	}
	p.state = e.State
}

// compact rewrites the journal with a line or two for each image.
func (j *Journal) compact(name string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".journal-")
	if err != nil {
		return fmt.Errorf("rewriting the journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("rewriting the journal: %w", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	w := bufio.NewWriter(f)
	j.lines = 0
	for k, p := range j.known {
		for _, e := range p.entries(k) {
			j.lines++
			// A write that fails is told of by Flush.
			_ = json.NewEncoder(w).Encode(e)
		}
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func (p *progress) entries(k place) []entry {
	var all []entry
	if p.begun {
		all = append(all, entry{p.seen, k.repository, k.digest, Planned, nil})
	}
	if p.signed {
		all = append(all, entry{p.seen, k.repository, k.digest, Signed, nil})
	}
	byTime := map[time.Time][]string{}
	for t, seen := range p.tags {
		byTime[seen] = append(byTime[seen], t)
	}
	for seen, tags := range byTime {
		slices.Sort(tags)
		all = append(all, entry{seen, k.repository, k.digest, Checked, tags})
	}
	if len(byTime) == 0 && p.state != Planned && p.state != Signed {
		all = append(all, entry{p.seen, k.repository, k.digest, p.state, nil})
	}
	return all
}

// note appends lines. They are in the file, though perhaps not yet on the
// disk, when it returns.
func (j *Journal) note(entries ...entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var text bytes.Buffer
	for _, e := range entries {
		e.Time = e.Time.UTC()
		if err := json.NewEncoder(&text).Encode(e); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
		j.learn(e)
	}
	if j.file == nil || text.Len() == 0 {
		return nil
	}
	if _, err := j.file.Write(text.Bytes()); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// sync makes sure that what was noted outlives the machine.
func (j *Journal) sync() error {
	if j.file == nil {
		return nil
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// saw reports whether a tag was seen on a digest, or the digest alone if the
// tag is empty, no longer ago than the time given.
func (j *Journal) saw(repository string, d artifact.Digest, tag string, since time.Time) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.known[place{repository, d}]
	if p == nil {
		return false
	}
	if tag == "" {
		return p.seen.After(since)
	}
	return p.tags[tag].After(since)
}

// unsigned reports a digest that was promoted from here and has no signature
// of ours at the destination.
func (j *Journal) unsigned(repository string, d artifact.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.known[place{repository, d}]
	return p != nil && p.begun && !p.signed
}

// signed reports whether our signature of a digest was put there.
func (j *Journal) signed(repository string, d artifact.Digest) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	p := j.known[place{repository, d}]
	return p != nil && p.signed
}

// Close writes out the journal and lets others have it.
func (j *Journal) Close() error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.sync(), j.file.Close())
	}
	if j.lock != nil {
		// Closing alone lets a program that is being started right now keep
		// the lock until it runs.
		errs = append(errs, syscall.Flock(int(j.lock.Fd()), syscall.LOCK_UN), j.lock.Close())
	}
	return errors.Join(errs...)
}
