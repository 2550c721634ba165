package live

import (
	"context"
	"runtime"
	"slices"
	"sync"
)

// matchMemo remembers which texts the last filters matched: whoever turns a page,
// sorts anew or adds to a filter asks the same again. Texts are only ever added
// to a table, behind the others, and those alone are looked at then.
type matchMemo struct {
	mu    sync.Mutex
	asked []asked // the one asked last stands last
}

type asked struct {
	include, exclude expression
	ok               []bool // of the first texts; never changed
}

// mostAsked bounds the filters that are remembered.
const mostAsked = 24

// texts says of each text whether it matches one expression and not the other;
// nil if neither says anything. The expressions' names tell which texts these
// are.
func (m *matchMemo) texts(ctx context.Context, texts []string, include, exclude expression) ([]bool, error) {
	in, err := compile(include.name, include.value)
	if err != nil {
		return nil, err
	}
	out, err := compile(exclude.name, exclude.value)
	if err != nil || in == nil && out == nil {
		return nil, err
	}
	known := m.find(include, exclude)
	if len(known) >= len(texts) {
		return known[:len(texts)], nil
	}
	ok := make([]bool, len(texts))
	copy(ok, known)
	if err := each(ctx, len(known), len(texts), func(i int) {
		s := texts[i]
		ok[i] = (in == nil || in(s)) && (out == nil || !out(s))
	}); err != nil {
		return nil, err
	}
	m.keep(asked{include, exclude, ok})
	return ok, nil
}

// each calls one for every number from one to before another, on all processors.
func each(ctx context.Context, from, to int, one func(int)) error {
	workers := runtime.GOMAXPROCS(0)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := from + w; i < to; i += workers {
				if (i-from)/workers%16 == 0 && ctx.Err() != nil { // whoever asked has gone
					return
				}
				one(i)
			}
		})
	}
	running.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (m *matchMemo) find(include, exclude expression) []bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.asked {
		if a := m.asked[i]; a.include == include && a.exclude == exclude {
			m.asked = append(slices.Delete(m.asked, i, i+1), a)
			return a.ok
		}
	}
	return nil
}

func (m *matchMemo) keep(a asked) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = slices.DeleteFunc(m.asked, func(b asked) bool { return a.include == b.include && a.exclude == b.exclude && len(b.ok) <= len(a.ok) })
	m.asked = append(m.asked, a)
	if len(m.asked) > mostAsked {
		m.asked = slices.Delete(m.asked, 0, 1)
	}
}
