// Package cli is the command line: one file per command, which parses its
// flags, calls a service and prints what it says.
//
// Data goes to stdout, progress and logs to stderr. What lists or shows takes
// -o table|json|yaml. The exit code is 0 for success, 1 for a failure, 2 for
// usage or configuration that must be corrected, 3 for a negative verdict.
//
//	os.Exit(cli.Main(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
package cli
