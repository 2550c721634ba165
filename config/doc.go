// Package config is seaworthy.yaml: what a project says of itself.
//
// Parse reads it strictly: whatever is wrong is reported at once, each problem
// with its line and what to write instead. Everything but the version has a
// default, so that a small file is enough, and a Go module without any file gets
// one from Default.
//
//	p, err := config.Load(os.DirFS("."))
//	if err != nil {
//		fmt.Fprintln(os.Stderr, err) // seaworthy.yaml:7: unknown field "tag_prefx": write tag_prefix
//		os.Exit(2)
//	}
//	jobs, problems := p.JobConfig("harbour/halyard", files)
//
// Example is the commented file that seaworthy init writes; Schema is the JSON
// schema by which editors complete and check it.
package config
