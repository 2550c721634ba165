package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// sample writes builds and failures as triage reads them: fourteen days of some
// jobs, and causes enough for more than one page.
func sample(end time.Time) (builds, failures string, err error) {
	const days, jobs, causes = 14, 12, 40
	random := rand.New(rand.NewPCG(1, 2))
	var b, f strings.Builder
	to := func(w *strings.Builder, v map[string]string) {
		line, lineErr := json.Marshal(v)
		if lineErr != nil {
			err = lineErr
		}
		w.Write(append(line, '\n'))
	}
	for i := range days * 24 {
		started := end.Add(-time.Duration(days*24-i) * time.Hour)
		name := fmt.Sprintf("ci-harbour-e2e-%02d", i%jobs)
		path := fmt.Sprintf("gs://harbour/logs/%s/%d", name, 1000+i)
		if i%4 == 0 {
			name = fmt.Sprintf("pr:pull-harbour-e2e-%02d", i%jobs)
			path = fmt.Sprintf("gs://harbour/pr-logs/pull/%d/%s/%d", 100+i%9, strings.TrimPrefix(name, "pr:"), 1000+i)
		}
		second := fmt.Sprint(started.Unix())
		to(&b, map[string]string{"path": path, "started": second, "elapsed": "1800", "tests_run": "200", "tests_failed": "3", "result": "FAILURE",
			"executor": "", "job": name, "number": fmt.Sprint(1000 + i)})
		for range 3 {
			// Few causes are behind most failures.
			c := min(random.IntN(causes), random.IntN(causes))
			to(&f, map[string]string{"started": second, "build": path, "name": testName(c, random), "failure_text": text(c, started, random)})
		}
	}
	return b.String(), f.String(), err
}

var (
	areas  = []string{"node", "network", "storage", "apps"}
	things = []string{"anchor", "bollard", "capstan", "davit", "fender", "gangway", "halyard", "jetty", "keel", "lantern"}
	acts   = []string{"hoist", "moor", "berth", "tow"}
)

func testName(cause int, random *rand.Rand) string {
	return fmt.Sprintf("[sig-%s] the %s should %s %s", areas[cause%len(areas)], things[cause%len(things)], acts[cause/len(things)], things[random.IntN(3)])
}

// text is one failure of a cause, with what differs from one to the next.
func text(cause int, at time.Time, random *rand.Rand) string {
	thing, act := things[cause%len(things)], acts[cause/len(things)]
	where := fmt.Sprintf("10.0.%d.%d:%d", random.IntN(256), random.IntN(256), 30000+random.IntN(2000))
	switch cause % 3 {
	case 0:
		return fmt.Sprintf("%s: timed out after %.3fs waiting for the %s to %s at %s", at.Format(time.RFC3339), 30+random.Float64(), thing, act, where)
	case 1:
		return fmt.Sprintf("%s_test.go:%d: the %s did not %s: dial tcp %s: connect: connection refused", thing, 10+cause, thing, act, where)
	}
	return fmt.Sprintf("panic: %s of %s: nil rope\n\ngoroutine %d [running]:\nharbour/%s.%s(0xc000%06x)\n\t/src/%s.go:%d +0x1d", act, thing, random.IntN(900), thing, act,
		random.IntN(1<<24), thing, 10+cause)
}
