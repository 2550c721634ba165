package image

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRegistryThatRedirectsInCircles(t *testing.T) {
	t.Parallel()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		asked++
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	}))
	t.Cleanup(server.Close)
	_, err := Open(t.Context(), strings.TrimPrefix(server.URL, "http://")+"/app:v1", Remote{})
	if err == nil || !strings.Contains(err.Error(), "redirects in circles") || asked != mostRedirects+1 {
		t.Errorf("%v after %d requests", err, asked)
	}
}
