// Command triagepages serves the pages of clusters over triage's input, for
// looking at them and for measuring:
//
//	go run ./test/triagepages ADDRESS BUILDS FAILURES…
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"seaworthy/triage/live"
	"seaworthy/web"
)

// table answers as of the end of its data.
type table struct{ *live.Table }

func (t table) List(ctx context.Context, f live.Filter) (live.List, error) {
	return t.Table.List(ctx, f, time.Now())
}

func (t table) Cluster(ctx context.Context, id string, f live.Filter) (live.Detail, error) {
	return t.Table.Cluster(ctx, id, f, time.Now())
}

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: triagepages ADDRESS BUILDS FAILURES…")
	}
	var files []io.Reader
	for _, name := range args[1:] {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // it is only read
		files = append(files, f)
	}
	t, _, err := live.ReadRaw(context.Background(), files[0], files[1:]...)
	if err != nil {
		return err
	}
	pages, err := web.New(web.Options{Triage: table{t}, Hub: &web.Hub{}, Now: time.Now, Log: slog.Default(), Version: "test"})
	if err != nil {
		return err
	}
	fmt.Println("serving")
	server := &http.Server{Addr: args[0], Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}
