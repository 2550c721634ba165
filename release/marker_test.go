package release

import (
	"strings"
	"testing"
)

func TestRaiseMarkers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, version string
		current       map[string]string
		want          string // NAME=VALUE …
		err           string
	}{
		{name: "first final", version: "v1.2.0",
			want: "stable=v1.2.0 stable-1=v1.2.0 stable-1.2=v1.2.0 latest=v1.2.0 latest-1=v1.2.0 latest-1.2=v1.2.0"},
		{name: "a prerelease never raises stable", version: "v1.3.0-rc.0", current: map[string]string{"stable": "v1.2.0", "latest": "v1.2.0"},
			want: "latest=v1.3.0-rc.0 latest-1=v1.3.0-rc.0 latest-1.3=v1.3.0-rc.0"},
		{name: "a patch of an older series", version: "v1.1.9",
			current: map[string]string{"stable": "v1.2.0", "stable-1": "v1.2.0", "stable-1.1": "v1.1.8", "latest": "v1.3.0-alpha.1", "latest-1": "v1.3.0-alpha.1", "latest-1.1": "v1.1.8"},
			want:    "stable-1.1=v1.1.9 latest-1.1=v1.1.9"},
		{name: "the final after its candidate", version: "v1.2.0",
			current: map[string]string{"latest-1.2": "v1.2.0-rc.1\n", "latest-1": "v1.3.0-alpha.0", "latest": "v1.3.0-alpha.0"},
			want:    "stable=v1.2.0 stable-1=v1.2.0 stable-1.2=v1.2.0 latest-1.2=v1.2.0"},
		{name: "again", version: "v1.2.0",
			current: map[string]string{"stable": "v1.2.0", "stable-1": "v1.2.0", "stable-1.2": "v1.2.0", "latest": "v1.2.0", "latest-1": "v1.2.0", "latest-1.2": "v1.2.0"}},
		{name: "ten is more than nine", version: "v1.10.0", current: map[string]string{"stable": "v1.9.0", "latest": "v1.9.0", "stable-1": "v1.11.0", "latest-1": "v1.11.0"},
			want: "stable=v1.10.0 stable-1.10=v1.10.0 latest=v1.10.0 latest-1.10=v1.10.0"},
		{name: "a marker that is no version", version: "v1.2.0", current: map[string]string{"latest": "<html>"}, err: "latest.txt"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := RaiseMarkers(v(t, tc.version), tc.current)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("got %v, want an error with %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var list []string
			for _, m := range got {
				list = append(list, m.Name+"="+m.Value)
				if m.File() != m.Name+".txt" {
					t.Errorf("file of %s is %s", m.Name, m.File())
				}
			}
			if strings.Join(list, " ") != tc.want {
				t.Errorf("got  %s\nwant %s", strings.Join(list, " "), tc.want)
			}
		})
	}
}
