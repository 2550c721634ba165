package cli

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// there returns the digest a reference stands for, empty if there is none.
func there(t *testing.T, reference string) string {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(ref)
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.Digest.String()
}

func TestImagePush(t *testing.T) {
	t.Parallel()
	source, target := registryHost(t), registryHost(t)
	one, two := pushRandom(t, source+"/app:one"), pushRandom(t, source+"/app:two")
	to := target + "/team/app:v1"

	out, _ := answers(t, 0, "image", "push", source+"/app:one", to, target+"/team/app:latest")
	if strings.Count(out, one+"  new") != 2 || !strings.Contains(out, "nothing was pushed. Add --nomock") {
		t.Errorf("the plan is\n%s", out)
	}
	if d := there(t, target+"/team/app@"+one) + there(t, to); d != "" {
		t.Fatalf("a rehearsal pushed %s", d)
	}
	out, errs := answers(t, 0, "image", "push", source+"/app:one", to, "--nomock")
	if there(t, to) != one || strings.Contains(out, "mock") || !strings.Contains(errs, "pushed "+to+"@"+one) {
		t.Errorf("pushed, it says\n%s%s", out, errs)
	}
	if out, _ := answers(t, 0, "image", "push", source+"/app:one", to); !strings.Contains(out, one+"  there already") {
		t.Errorf("again:\n%s", out)
	}
	out, _ = answers(t, 0, "image", "push", source+"/app:two", to, "-o", "json")
	var plan []struct {
		Reference, Digest, Was string
		Mock                   bool
	}
	if err := json.Unmarshal([]byte(out), &plan); err != nil || len(plan) != 1 {
		t.Fatalf("%v in %s", err, out)
	}
	if p := plan[0]; p.Reference != to || p.Digest != two || p.Was != one || !p.Mock {
		t.Errorf("%+v", p)
	}
	if there(t, to) != one {
		t.Error("a rehearsal moved the tag")
	}
	if out, _ := answers(t, 0, "image", "push", source+"/app:two", to, "--nomock"); !strings.Contains(out, "moves from "+one) || there(t, to) != two {
		t.Errorf("moved:\n%s", out)
	}
}
