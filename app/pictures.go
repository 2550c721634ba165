package app

import (
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// picturesDir is where pictures for issues lie in the platform's bucket, and
// below what address they are seen.
const picturesDir = "pictures"

// Album is where the pictures of one occasion go: those of a release issue show
// what was so then, whatever the pages show later.
type Album struct {
	Bucket *blob.Bucket // not to be closed
	Prefix string       // of the keys in it, with a slash at the end
	URL    string       // under which a server shows them
}

// Album returns the place for the pictures of a time. It is false unless a
// server runs that shows them: without one they have no address.
func (a *App) Album(at time.Time) (Album, bool) {
	if !a.attached || a.Bucket == nil {
		return Album{}, false
	}
	dir := picturesDir + "/" + at.UTC().Format("20060102-150405.000")
	return Album{a.Bucket, dir + "/", a.url + "/" + dir}, true
}

// picturePath is what pictures are called: an album, a dashboard, a tab.
var picturePath = regexp.MustCompile(`^/` + picturesDir + `/[0-9.-]{1,40}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}/[A-Za-z0-9_-][A-Za-z0-9._-]{0,150}\.png$`)

// largestPicture bounds what is read into memory; a picture has some 100 kB.
const largestPicture = 16 << 20

// picture shows one of an album.
func (a *App) picture(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a picture can be looked at only", http.StatusMethodNotAllowed)
		return
	}
	if !picturePath.MatchString(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	in, err := a.Bucket.NewReader(r.Context(), strings.TrimPrefix(r.URL.Path, "/"), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		http.NotFound(w, r)
		return
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(in, largestPicture))
		if cerr := in.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		a.o.Log.Warn("a picture cannot be read", "path", r.URL.Path, "error", err)
		http.Error(w, "the picture cannot be read now", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	if r.Method == http.MethodHead {
		return
	}
	if _, err := w.Write(data); err != nil {
		a.o.Log.Debug("a picture was not sent", "error", err)
	}
}
