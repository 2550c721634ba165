package local

import (
	"net/http"
	"net/url"
	"strings"
)

// router finds the route of a request. GitHub's paths are ambiguous in a way
// that http.ServeMux refuses (/pulls/comments/{id} and /pulls/{number}/files),
// so at each part of a path what is written out is tried first, then {name},
// then {name...}, which takes all that is left. A part is unescaped after the
// path was cut, so an escaped slash does not separate.
type router struct {
	handlers map[string]handler // by method
	parts    map[string]*router
	one      *router // {name}
	rest     *router // {name...}
}

// handler is what is at a path, and the names of the path's variables.
type handler struct {
	http.Handler
	names []string
}

// add registers a handler for "METHOD /path/{variable}".
func (rt *router) add(method, path string, h http.Handler) {
	var names []string
	at := rt
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		name, variable := strings.CutPrefix(part, "{")
		if !variable {
			if at.parts == nil {
				at.parts = map[string]*router{}
			}
			if at.parts[part] == nil {
				at.parts[part] = &router{}
			}
			at = at.parts[part]
			continue
		}
		name, greedy := strings.CutSuffix(strings.TrimSuffix(name, "}"), "...")
		next := &at.one
		if greedy {
			next = &at.rest
		}
		if *next == nil {
			*next = &router{}
		}
		at = *next
		names = append(names, name)
	}
	if at.handlers == nil {
		at.handlers = map[string]handler{}
	}
	at.handlers[method] = handler{h, names}
}

// find returns what is at the parts of a path, and its variables' values.
func (rt *router) find(method string, parts, values []string) (handler, []string, bool) {
	if len(parts) == 0 {
		h, ok := rt.handlers[method]
		if !ok && method == http.MethodHead {
			h, ok = rt.handlers[http.MethodGet]
		}
		if !ok && rt.rest != nil { // nothing is left for {name...}
			return rt.rest.find(method, nil, append(values, ""))
		}
		return h, values, ok
	}
	if next := rt.parts[parts[0]]; next != nil {
		if h, v, ok := next.find(method, parts[1:], values); ok {
			return h, v, true
		}
	}
	if rt.one != nil && parts[0] != "" {
		if h, v, ok := rt.one.find(method, parts[1:], append(values[:len(values):len(values)], parts[0])); ok {
			return h, v, true
		}
	}
	if rt.rest != nil {
		return rt.rest.find(method, nil, append(values, strings.Join(parts, "/")))
	}
	return handler{}, nil, false
}

// serve answers a request with what is at its path, or otherwise.
func (rt *router) serve(w http.ResponseWriter, r *http.Request, otherwise http.Handler) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, p := range parts {
		plain, err := url.PathUnescape(p)
		if err != nil {
			otherwise.ServeHTTP(w, r)
			return
		}
		parts[i] = plain
	}
	if n := len(parts); n > 1 && parts[n-1] == "" {
		parts = parts[:n-1] // a slash at the end means nothing
	}
	h, values, ok := rt.find(r.Method, parts, nil)
	if !ok {
		otherwise.ServeHTTP(w, r)
		return
	}
	for i, name := range h.names {
		r.SetPathValue(name, values[i])
	}
	h.ServeHTTP(w, r)
}
