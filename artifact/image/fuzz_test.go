package image

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// FuzzOpen reads archives that somebody made up. What opens can be written or
// is refused, with nothing left behind.
func FuzzOpen(f *testing.F) {
	req := sample(f)
	req.Work = f.TempDir()
	x, err := Build(f.Context(), req)
	if err != nil {
		f.Fatal(err)
	}
	for i, form := range []Tarball{{Tags: []string{"v1"}}, {Form: DockerArchive, Platform: amd64, Tags: []string{"v1"}}} {
		file := filepath.Join(f.TempDir(), "seed.tar")
		if err := x.WriteTarball(file, form); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, i == 1)
	}
	f.Add([]byte("no archive"), false)
	if err := x.Close(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, withTag bool) {
		file, to := filepath.Join(t.TempDir(), "a.tar"), filepath.Join(t.TempDir(), "to")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		from := "oci-archive:" + file
		if withTag {
			from += ":v1"
		}
		x, err := Open(t.Context(), from, Remote{})
		if err != nil {
			return
		}
		defer x.Close()
		if err := x.WriteLayout(to); err != nil {
			if _, err := os.Stat(to); err == nil {
				t.Error("half a layout is left behind")
			}
			return
		}
		again, err := Open(t.Context(), to, Remote{})
		if err != nil {
			t.Fatal(err)
		}
		if again.Built().Digest != x.Built().Digest {
			t.Errorf("%s became %s", x.Built().Digest, again.Built().Digest)
		}
	})
}

// FuzzDocuments reads a layout of which the digests are right and the documents
// are not. Placeholders in a document stand for the digest of the one before.
func FuzzDocuments(f *testing.F) {
	config := `{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b"]},"config":{"User":"1"}}`
	manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"$D","size":$S},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b","size":1}]}`
	index := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"$D","size":$S,"platform":{"os":"linux","architecture":"amd64"}}]}`
	f.Add(config, manifest, index)
	f.Add(`{}`, strings.ReplaceAll(manifest, `"$D"`, `""`), strings.ReplaceAll(index, "$S", "-1"))
	f.Add(`null`, `{"layers":null}`, `{"manifests":[{}]}`)
	f.Fuzz(func(t *testing.T, config, manifest, index string) {
		layout := fstest.MapFS{"blobs/sha256/01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b": {Data: []byte("\n")}}
		last := v1.Descriptor{}
		for _, doc := range []string{config, manifest, index} {
			size, err := json.Marshal(last.Size)
			if err != nil {
				t.Fatal(err)
			}
			data := []byte(strings.NewReplacer("$D", last.Digest.String(), "$S", string(size)).Replace(doc))
			digest, n, err := v1.SHA256(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			layout["blobs/sha256/"+digest.Hex] = &fstest.MapFile{Data: data}
			last = v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest, Size: n}
		}
		top, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{last}})
		if err != nil {
			t.Fatal(err)
		}
		layout["index.json"] = &fstest.MapFile{Data: top}
		x := &Index{}
		if err := x.read(layout, ""); err != nil {
			return
		}
		built, err := x.describe()
		if err != nil {
			return
		}
		if string(built.Digest) != last.Digest.String() {
			t.Errorf("%s became %s", last.Digest, built.Digest)
		}
		if list, err := content(x.top()); err == nil {
			for _, b := range list {
				if err := b.copyTo(new(bytes.Buffer)); err == nil && b.digest.Algorithm != "sha256" {
					t.Errorf("a blob of %s was checked", b.digest)
				}
			}
		}
	})
}
