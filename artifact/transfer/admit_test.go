package transfer

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"seaworthy/artifact/promote"
)

func TestAdmission(t *testing.T) {
	t.Parallel()
	source, target, mirror := newShop(t), newShop(t), newShop(t)
	good := source.pushImage(t, "s/app", "good", nil)
	foreign := source.pushImage(t, "s/app", "foreign", nil)
	silent := source.pushImage(t, "s/app", "silent", nil)
	m := from(source.host+"/s", target.host+"/p", mirror.host+"/p")
	m = with(m, "app", good, "v1", "stable")
	m = with(m, "app", foreign, "v2")
	m = with(m, "app", silent, "v3")
	// One of its tags is there already, so that it is in the plan twice.
	target.pushImage(t, "p/app", "foreign", nil)
	var lock sync.Mutex
	asked := map[string]int{}
	o := Options{Admit: func(_ context.Context, staged name.Digest) (string, error) {
		lock.Lock()
		defer lock.Unlock()
		asked[staged.String()]++
		switch staged.DigestStr() {
		case string(foreign):
			return "signed by nobody we know", nil
		case string(silent):
			return "", errors.New("no answer")
		}
		return "", nil
	}}
	p, r := runs(t, o, m)
	if r.Done != 1 || r.Failed != 0 || p.Lost() != 1 || p.Plan.Counts.Refused != 2 || p.Plan.Counts.Promote != 1 || p.Plan.Counts.Edges != 4 {
		t.Errorf("done %d, failed %d, lost %d, %+v", r.Done, r.Failed, p.Lost(), p.Plan.Counts)
	}
	want := map[promote.Reason]string{promote.Unverified: "signed by nobody we know", promote.Unreadable: "no answer"}
	for _, refused := range p.Plan.Refusals {
		if refused.Why != want[refused.Reason] || refused.Image != source.host+"/s/app" || refused.Line == 0 && refused.Manifest == "" {
			t.Errorf("%+v", refused)
		}
		delete(want, refused.Reason)
	}
	if len(want) > 0 || len(asked) != 3 || asked[source.host+"/s/app@"+string(foreign)] != 1 {
		t.Errorf("%v was not refused; asked %v", want, asked)
	}
	for tag, d := range map[string]artifactDigest{"v1": good, "stable": good, "v2": "", "v3": ""} {
		for _, shop := range []*shop{target, mirror} {
			if have := shop.has(t, "p/app", tag); have != d {
				t.Errorf("%s has %s on %q, want %q", shop.host, tag, have, d)
			}
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	o.Registries, o.Journal = testRegistries(), testJournal(t, t.TempDir())
	o.Admit = func(context.Context, name.Digest) (string, error) {
		stop()
		return "", ctx.Err()
	}
	if _, err := Prepare(ctx, []promote.Manifest{m}, o); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("stopped while verifying: %v", err)
	}
	if err := o.Journal.Close(); err != nil {
		t.Error(err)
	}
}
