package cut

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A registry that sends requests around for ever holds no release up.
func TestRegistryThatRedirectsInCircles(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" {
			asked++
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://") + "/app:v1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = remote.Head(tag, (&Service{}).remoteOptions(t.Context())...)
	if err == nil || !strings.Contains(err.Error(), "redirects in circles") || asked > 11 {
		t.Errorf("%v after %d requests", err, asked)
	}
}
