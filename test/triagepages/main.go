// Command triagepages serves the pages of clusters over triage's input, for
// looking at them and for measuring:
//
//	go run ./test/triagepages [ADDRESS BUILDS FAILURES…]
//
// Without arguments it serves a sample, and says where. It ends with its input.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
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
	address, files, err := input(args)
	if err != nil {
		return err
	}
	t, _, err := live.ReadRaw(context.Background(), files[0], files[1:]...)
	if err != nil {
		return err
	}
	pages, err := web.New(web.Options{Triage: table{t}, Hub: &web.Hub{}, Now: time.Now, Log: slog.Default(), Version: "test"})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("http://%s\n", listener.Addr())
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// input is where to serve, and what: builds first, then failures.
func input(args []string) (address string, files []io.Reader, err error) {
	if len(args) == 0 {
		builds, failures, err := sample(time.Now())
		return "127.0.0.1:0", []io.Reader{strings.NewReader(builds), strings.NewReader(failures)}, err
	}
	if len(args) < 3 {
		return "", nil, errors.New("usage: triagepages [ADDRESS BUILDS FAILURES…]")
	}
	for _, name := range args[1:] {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", nil, err
		}
		files = append(files, bytes.NewReader(text))
	}
	return args[0], files, nil
}
