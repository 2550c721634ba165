package triage

import (
	"context"
	"testing"
	"time"
)

func TestClusterOfTwo(t *testing.T) {
	t.Parallel()
	got, err := Cluster(context.Background(), []Failure{
		{Build: 0, Test: "[sig-node] Pods start", Text: "pod web-x7k2p not ready after 30.1s", Started: time.Unix(200, 0)},
		{Build: 1, Test: "[sig-node] Pods stop", Text: "pod web-b9d4z not ready after 29.8s", Started: time.Unix(100, 0)},
		{Build: 1, Test: "[sig-node] Pods stop", Text: "pod web-b9d4z not ready after 29.8s", Started: time.Unix(100, 0)},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Members) != 2 || got[0].Key != "pod web-<id> not ready after <n>" || got[0].Text != "pod web-b9d4z not ready after 29.8s" {
		t.Fatalf("got %+v", got)
	}
}
