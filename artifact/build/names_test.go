package build_test

import (
	"strings"
	"testing"

	"seaworthy/artifact"
	"seaworthy/artifact/build"
)

func TestNames(t *testing.T) {
	t.Parallel()
	both := []artifact.Platform{{OS: "linux", Arch: "amd64"}, {OS: "windows", Arch: "amd64"}}
	for _, tc := range []struct {
		request build.Request
		want    string
	}{
		{build.Request{Platforms: both, Main: []string{"."}}, "tool_1.2.0_linux_amd64.tar.gz tool_1.2.0_windows_amd64.zip"},
		{build.Request{Platforms: both[:1], Main: []string{"."}, Formats: []build.Format{build.TarZst, build.Zip}}, "tool_1.2.0_linux_amd64.tar.zst tool_1.2.0_linux_amd64.zip"},
		{build.Request{Platforms: both, Main: []string{"./cmd/oar", "."}, Formats: []build.Format{build.Bare}},
			"oar_1.2.0_linux_amd64 tool_1.2.0_linux_amd64 oar_1.2.0_windows_amd64.exe tool_1.2.0_windows_amd64.exe"},
		{build.Request{Command: &build.Command{Outputs: []string{"bin/oar.sh"}}, Formats: []build.Format{build.TarGz, build.Bare}}, "tool_1.2.0.tar.gz oar.sh_1.2.0"},
	} {
		tc.request.Name, tc.request.Version = "tool", "v1.2.0"
		if got := strings.Join(tc.request.Names(), " "); got != tc.want {
			t.Errorf("%+v makes %s, want %s", tc.request, got, tc.want)
		}
	}
}
