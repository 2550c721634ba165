package packages

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"seaworthy/artifact"
)

// world runs scripts where systemctl and deb-systemd-helper only write down how
// they were called.
type world struct {
	dir     string
	scripts map[string]string
}

func newWorld(t *testing.T, format artifact.PackageFormat, systemd, helper bool, units []artifact.PackageUnit, scripts map[string]string) world {
	t.Helper()
	dir := project(t, scripts)
	log := filepath.Join(dir, "log")
	for _, program := range []string{"systemctl", "deb-systemd-helper"} {
		if program != "systemctl" && !helper {
			continue
		}
		file := filepath.Join(dir, "bin", program)
		// The administrator disabled it: was-enabled says no where a file says so.
		write(t, file, "#!/bin/sh\necho "+program+" \"$@\" >> "+log+"\ncase \"$*\" in *was-enabled*) test ! -e "+dir+"/disabled;; esac\n")
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if systemd {
		write(t, filepath.Join(dir, "run/systemd/system/.keep"), "")
	}
	spec := artifact.PackageSpec{Name: "halyard", Units: units}
	for name, source := range map[string]*string{"pre.sh": &spec.Scripts.PreRemove, "post.sh": &spec.Scripts.PostInstall} {
		if scripts[name] != "" {
			*source = name
		}
	}
	r := Request{Spec: spec, Version: "1.0", Source: dir}
	s, err := r.sources(target{format: format})
	if err != nil {
		t.Fatal(err)
	}
	made, err := r.scripts(target{format: format}, s)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range made {
		made[name] = strings.ReplaceAll(text, "/run/systemd", dir+"/run/systemd")
	}
	return world{dir, made}
}

// call runs a script and returns what it called, without the redirections.
func (w world) call(t *testing.T, name string, args ...string) []string {
	t.Helper()
	file := filepath.Join(w.dir, name)
	write(t, file, w.scripts[name])
	write(t, filepath.Join(w.dir, "log"), "")
	out, err := try(t, "env", append([]string{"PATH=" + w.dir + "/bin", "/bin/sh", file}, args...)...)
	if err != nil || out != "" {
		t.Fatalf("%s %q: %v %s\n%s", name, args, err, out, w.scripts[name])
	}
	return strings.Split(strings.TrimSuffix(read(t, filepath.Join(w.dir, "log")), "\n"), "\n")
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if len(want) == 0 {
		want = []string{""}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: called\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var units = []artifact.PackageUnit{
	{Source: "halyard.service", Enable: true, Start: true},
	{Source: "idle.timer"},
	{Source: "proud.service", Start: true, KeepRunning: true},
	{Source: "each@.service"},
}

func TestDebUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, artifact.Deb, true, true, units, nil)
	helper := []string{"deb-systemd-helper unmask halyard.service", "deb-systemd-helper --quiet was-enabled halyard.service"}
	expect(t, "installation", w.call(t, postInstall, "configure", ""), append(slices.Clone(helper), "deb-systemd-helper enable halyard.service",
		"systemctl daemon-reload", "systemctl start halyard.service proud.service")...)
	expect(t, "upgrade", w.call(t, postInstall, "configure", "1.0-1"), append(slices.Clone(helper), "deb-systemd-helper enable halyard.service",
		"systemctl daemon-reload", "systemctl try-restart halyard.service idle.timer")...)
	write(t, filepath.Join(w.dir, "disabled"), "")
	expect(t, "upgrade of a disabled unit", w.call(t, postInstall, "configure", "1.0-1"), append(slices.Clone(helper), "deb-systemd-helper update-state halyard.service",
		"systemctl daemon-reload", "systemctl try-restart halyard.service idle.timer")...)
	expect(t, "before an upgrade", w.call(t, preRemove, "upgrade", "2.0-1"))
	expect(t, "removal", w.call(t, preRemove, "remove"), "systemctl stop halyard.service idle.timer proud.service")
	expect(t, "removed", w.call(t, postRemove, "remove"), "deb-systemd-helper mask halyard.service", "systemctl daemon-reload")
	expect(t, "purged", w.call(t, postRemove, "purge"), "deb-systemd-helper purge halyard.service", "deb-systemd-helper unmask halyard.service", "systemctl daemon-reload")

	plain := newWorld(t, artifact.Deb, false, true, units, nil)
	expect(t, "in a chroot", plain.call(t, postInstall, "configure", ""), append(slices.Clone(helper), "deb-systemd-helper enable halyard.service")...)
	expect(t, "removal in a chroot", plain.call(t, preRemove, "remove"))
	bare := newWorld(t, artifact.Deb, false, false, units, nil)
	expect(t, "without the helper", bare.call(t, postInstall, "configure", ""), "systemctl enable halyard.service")
	expect(t, "removed without the helper", bare.call(t, postRemove, "remove"))
}

func TestRPMUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, artifact.RPM, true, false, units, nil)
	expect(t, "installation", w.call(t, postInstall, "1"), "systemctl --no-reload enable halyard.service", "systemctl daemon-reload", "systemctl start halyard.service proud.service")
	expect(t, "upgrade", w.call(t, postInstall, "2"))
	expect(t, "of the old one, at an upgrade", w.call(t, preRemove, "1"))
	expect(t, "after an upgrade", w.call(t, postRemove, "1"), "systemctl daemon-reload", "systemctl try-restart halyard.service idle.timer")
	expect(t, "removal", w.call(t, preRemove, "0"), "systemctl --no-reload disable halyard.service idle.timer proud.service", "systemctl stop halyard.service idle.timer proud.service")
	expect(t, "removed", w.call(t, postRemove, "0"), "systemctl daemon-reload")
	plain := newWorld(t, artifact.RPM, false, false, units, nil)
	expect(t, "in an image", plain.call(t, postInstall, "1"), "systemctl --no-reload enable halyard.service")
	expect(t, "removed from an image", plain.call(t, postRemove, "0"))
}

func TestAPKUnits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, artifact.APK, true, false, units, nil)
	expect(t, "installation", w.call(t, postInstall, "1.0-r1"), "systemctl daemon-reload", "systemctl enable halyard.service", "systemctl start halyard.service proud.service")
	expect(t, "upgrade", w.call(t, postUpgrade, "1.1-r1", "1.0-r1"), "systemctl daemon-reload", "systemctl try-restart halyard.service idle.timer")
	expect(t, "removal", w.call(t, preRemove, "1.0-r1"), "systemctl disable halyard.service idle.timer proud.service", "systemctl stop halyard.service idle.timer proud.service")
	openrc := newWorld(t, artifact.APK, false, false, units, nil)
	for _, name := range []string{postInstall, postUpgrade, preRemove, postRemove} {
		expect(t, name+" on Alpine", openrc.call(t, name, "1"))
	}
}

// The project's part of a script neither keeps ours from running nor hides its
// own failure.
func TestScriptsTogether(t *testing.T) {
	t.Parallel()
	unit := []artifact.PackageUnit{{Source: "a.service", Start: true}}
	w := newWorld(t, artifact.RPM, true, false, unit, map[string]string{
		"post.sh": "#!/bin/sh\nsystemctl project \"$1\"\nfalse\n/bin/cat <<EOF >/dev/null\nhere\nEOF\nexit 0\n",
		"pre.sh":  "systemctl project-removal",
	})
	expect(t, "installation", w.call(t, postInstall, "1"), "systemctl project 1", "systemctl daemon-reload", "systemctl start a.service")
	expect(t, "removal", w.call(t, preRemove, "0"), "systemctl --no-reload disable a.service", "systemctl stop a.service", "systemctl project-removal")
	if !strings.HasPrefix(w.scripts[postInstall], "#!/bin/sh\nset -e\n(\nset +e\n") || !strings.HasPrefix(w.scripts[preRemove], "#!/bin/sh\n") {
		t.Error(w.scripts[postInstall])
	}
	failing := newWorld(t, artifact.RPM, true, false, unit, map[string]string{"post.sh": "#!/bin/bash\nexit 7\n"})
	write(t, filepath.Join(failing.dir, "s"), failing.scripts[postInstall])
	if out, err := try(t, "sh", filepath.Join(failing.dir, "s"), "1"); err == nil {
		t.Errorf("the project's script failed, the whole did not: %s", out)
	}
	if !strings.HasPrefix(failing.scripts[postInstall], "#!/bin/bash\n") {
		t.Error(failing.scripts[postInstall])
	}
	alone := newWorld(t, artifact.Deb, true, true, nil, map[string]string{"post.sh": "#! /usr/bin/env bash\necho\n"})
	if alone.scripts[postInstall] != "#! /usr/bin/env bash\necho\n" || alone.scripts[preRemove] != "" {
		t.Errorf("%q", alone.scripts)
	}
}
