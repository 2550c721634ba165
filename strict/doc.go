// Package strict reads YAML into Go structs and says everything that is wrong
// with it at once, each problem with its line and what to write instead.
//
// A field nobody knows is a problem that names the nearest field there is; a
// key given twice, a value of the wrong kind, a second document and a tab used
// for indentation are problems too. Where a reader can tell what was meant, the
// value is taken and the problem is only a warning.
//
//	type settings struct {
//		Lines   strict.Lines  `json:"-"`
//		Name    string        `json:"name"`
//		Timeout time.Duration `json:"timeout"`
//	}
//	var s settings
//	problems := strict.Unmarshal("s.yaml", []byte("nmae: a\ntimeout: 5m\n"), &s)
//	// s.yaml:1: unknown field "nmae": write name
//
// Set and Append change a file and leave everything else in it as it is written.
//
// Fields are named by their json tags, so that the same struct prints as JSON.
// Booleans may be YAML 1.1's yes, no, on and off, as programs around Kubernetes
// accept them. Aliases and merge keys are followed up to a bound, so that a
// small file cannot unfold into a large one.
package strict
