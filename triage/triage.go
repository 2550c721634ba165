package triage

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// Failure is a test that failed in a build.
type Failure struct {
	Build   int       // whatever identifies the build to the caller, such as an index
	Test    string    // the test's full name
	Text    string    // what it said
	Started time.Time // when its build began; the text shown is of the earliest failure
}

// Member is a failure of a cluster.
type Member struct {
	Build int    // of the Failure
	Test  string // of the Failure
}

// Cluster is failures that look like one cause.
type Group struct {
	// ID is 20 hexadecimal digits, more if two clusters would share them. It
	// depends on Key alone.
	ID string
	// Key is the statement of the cluster's most frequent group, as Normalise
	// returns it.
	Key string
	// Text is the failure text shown for the cluster: the one whose build began
	// first, at most Options.TextLimit bytes long.
	Text string
	// Spans are alternating lengths in bytes of Text: what all texts of the
	// cluster share, what they do not, and so on. They sum up to len(Text).
	Spans []int
	// Members are the failures, by build, then test.
	Members []Member
	// Statements are the keys of all groups in the cluster, most frequent first.
	Statements []string

	parts []*group
}

// Options are how to cluster. The zero value is right for most.
type Options struct {
	Workers   int // goroutines; 0 is one for each processor
	TextLimit int // bytes of a text to keep for display; 0 is 100,000
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

func (o Options) textLimit() int {
	if o.TextLimit > 0 {
		return o.TextLimit
	}
	return 100_000
}

// Cluster sorts failures into clusters, largest first, those of one failure
// included. It returns an error only when ctx ends.
func Cluster(ctx context.Context, failures []Failure, options Options) ([]Group, error) {
	c := NewClusterer(options)
	workers := options.workers()
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(failures) && ctx.Err() == nil; i += workers {
				c.Add(failures[i])
			}
		})
	}
	running.Wait()
	return c.Clusters(ctx)
}

// shards is how many locks the groups of a Clusterer are spread over.
const shards = 64

// Clusterer takes failures one by one and keeps of each only what clustering
// needs, so that many gigabytes of text can pass through it.
type Clusterer struct {
	options Options
	shards  [shards]struct {
		sync.Mutex
		groups map[uint64]*group
	}
	names   names
	readers sync.Pool
}

// NewClusterer returns one without failures.
func NewClusterer(options Options) *Clusterer {
	c := &Clusterer{options: options}
	for i := range c.shards {
		c.shards[i].groups = map[uint64]*group{}
	}
	c.names.number = map[string]int32{}
	c.readers.New = func() any { return &scanner{} }
	return c
}

// Add takes a failure. Many goroutines may add at once. A failure that was
// added before, with the same build, test and text, counts once.
func (c *Clusterer) Add(f Failure) {
	s := c.readers.Get().(*scanner)
	defer c.readers.Put(s)
	s.read(f.Text)
	raw := hashText(f.Text)
	m := member{build: f.Build, test: c.names.of(f.Test), raw: raw}
	shard := &c.shards[s.statement%shards]
	shard.Lock()
	defer shard.Unlock()
	g := shard.groups[s.statement]
	if g == nil {
		g = newGroup(s)
		shard.groups[s.statement] = g
	}
	g.add(s, m, f.Started, c.options.textLimit())
}

// Clusters returns what the failures added so far amount to, largest first. It
// must not run beside Add.
func (c *Clusterer) Clusters(ctx context.Context) ([]Group, error) {
	var all []*group
	for i := range c.shards {
		for _, g := range c.shards[i].groups {
			g.settle()
			all = append(all, g)
		}
	}
	slices.SortFunc(all, larger)
	joined, err := join(ctx, all)
	if err != nil {
		return nil, fmt.Errorf("clustering %d statements: %w", len(all), err)
	}
	clusters := make([]Group, len(joined))
	var running sync.WaitGroup
	workers := c.options.workers()
	for w := range workers {
		running.Go(func() {
			for i := w; i < len(joined) && ctx.Err() == nil; i += workers {
				clusters[i] = c.cluster(joined[i])
			}
		})
	}
	running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("describing %d clusters: %w", len(joined), err)
	}
	identify(clusters)
	slices.SortFunc(clusters, func(a, b Group) int {
		return cmp.Or(cmp.Compare(len(b.Members), len(a.Members)), strings.Compare(a.ID, b.ID))
	})
	return clusters, nil
}

// cluster describes groups that were joined, the largest of them first.
func (c *Clusterer) cluster(parts []*group) Group {
	out := Group{Key: parts[0].key, parts: parts}
	first := parts[0]
	for _, p := range parts {
		out.Statements = append(out.Statements, p.key)
		for _, m := range p.members {
			out.Members = append(out.Members, Member{Build: m.build, Test: c.names.list[m.test]})
		}
		if p.before(first.started, first.raw) {
			first = p
		}
	}
	slices.SortFunc(out.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Build, b.Build), strings.Compare(a.Test, b.Test))
	})
	out.Text = first.text
	out.Spans = spans(first, parts)
	return out
}

// names gives each test's name a number, for names are long and repeat.
type names struct {
	sync.RWMutex
	number map[string]int32
	list   []string
}

func (n *names) of(name string) int32 {
	n.RLock()
	id, ok := n.number[name]
	n.RUnlock()
	if ok {
		return id
	}
	n.Lock()
	defer n.Unlock()
	if id, ok := n.number[name]; ok {
		return id
	}
	id = int32(len(n.list))
	name = strings.Clone(name)
	n.number[name] = id
	n.list = append(n.list, name)
	return id
}
