// Command seaworthy takes a project from commit to published release.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"seaworthy/cli"
)

func main() {
	// The first signal asks everything to stop in order; the second one, no
	// longer caught, ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	code := cli.Main(ctx, cli.Invoked(os.Args), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
