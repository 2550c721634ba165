package git

import "testing"

// What git push --porcelain says of refused refs, as a person wants to read it.
func TestRejection(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ said, want string }{
		"one ref": {"To /tmp/x\n!\trefs/heads/main:refs/heads/main\t[rejected] (stale info)\nDone\nerror: failed to push some refs to '/tmp/x'\n",
			"refs/heads/main [rejected] (stale info)"},
		"a hook speaks": {"remote: main is protected        \nTo http://x\n!\tabc:refs/heads/main\t[remote rejected] (hook declined)\n",
			"main is protected; refs/heads/main [remote rejected] (hook declined)"},
		"two reasons": {"!\ta:refs/tags/v1\t[remote rejected] (hook declined)\n!\tb:refs/tags/v2\t[rejected] (already exists)\n!\tc:refs/tags/v3\t[remote rejected] (hook declined)\n",
			"refs/tags/v1, refs/tags/v3 [remote rejected] (hook declined); refs/tags/v2 [rejected] (already exists)"},
		"one thing wrong with all": {"fatal: early EOF\n!\ta:refs/tags/v1\t[remote rejected] (unpacker error)\n!\tb:refs/tags/v2\t[remote rejected] (unpacker error)\n" +
			"!\tc:refs/tags/v3\t[remote rejected] (unpacker error)\n!\td:refs/heads/main\t[remote rejected] (unpacker error)\n",
			"fatal: early EOF; refs/tags/v1 and 3 more [remote rejected] (unpacker error)"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := rejection(c.said); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}
