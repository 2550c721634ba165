package cli

import (
	"testing"

	"seaworthy/flow"
)

// A line of the history can be typed again as it stands.
func TestCommandOf(t *testing.T) {
	t.Parallel()
	for want, run := range map[string]flow.Run{
		"seaworthy release stage --type official --branch main --bump patch": {Flow: "stage", Mock: true,
			Params: []byte(`{"repo":{"Owner":"a","Name":"b"},"branch":"main","kind":"official","bump":"patch","mock":true,"actor":"ada"}`)},
		"seaworthy release cut --build-version v1.2.0+0123456789ab --nomock": {Flow: "cut", Params: []byte(`{"build_version":"v1.2.0+0123456789ab"}`)},
		"seaworthy branch create release-1.2 --commit 0abc --nomock":         {Flow: "branch", Params: []byte(`{"branch":"release-1.2","commit":"0abc"}`)},
		"seaworthy branch ff release-1.2":                                    {Flow: "ff", Mock: true, Params: []byte(`{"branch":"release-1.2"}`)},
		"seaworthy release push --branch main --fast":                        {Flow: "ci", Mock: true, Params: []byte(`{"branch":"main","fast":true}`)},
	} {
		if got := commandOf(run); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
