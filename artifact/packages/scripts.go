package packages

import (
	"fmt"
	"regexp"
	"strings"

	"seaworthy/artifact"
)

// The names of the scripts, as files and in messages.
const (
	preInstall  = "pre-install"
	postInstall = "post-install"
	preRemove   = "pre-remove"
	postRemove  = "post-remove"
	postUpgrade = "post-upgrade" // apk alone; the others call post-install
)

var shell = regexp.MustCompile(`^#! ?(?:/usr)?/bin/(?:env )?(?:sh|bash|dash|ash)(?:[ \t]|\r?\n|$)`)

// scripts returns the maintainer scripts of a package: the project's own, with
// what its units need.
func (r Request) scripts(t target, s sources) (map[string]string, error) {
	own := map[string]string{preInstall: r.Spec.Scripts.PreInstall, postInstall: r.Spec.Scripts.PostInstall,
		preRemove: r.Spec.Scripts.PreRemove, postRemove: r.Spec.Scripts.PostRemove}
	bodies := map[string]string{}
	for name, source := range own {
		if source == "" {
			continue
		}
		text, err := s.read(source)
		if err != nil {
			return nil, fmt.Errorf("reading the %s script: %w", name, err)
		}
		if strings.HasPrefix(string(text), "#!") && !shell.Match(text) {
			return nil, fmt.Errorf("%s: rpm and apk run scripts by sh: write it for sh", source)
		}
		bodies[name] = string(text)
	}
	units := unitScripts(t.format, r.Spec.Units)
	done := map[string]string{}
	for _, name := range []string{preInstall, postInstall, preRemove, postRemove, postUpgrade} {
		done[name] = join(bodies[name], units[name], name == preRemove)
	}
	return done, nil
}

// join makes one script of the project's part and ours. The project's runs in
// a subshell, so that its exit does not keep ours from running; what fails in
// it still fails the whole. Services are stopped before the project's part
// tidies up, and started after it has prepared the ground.
func join(project, ours string, oursFirst bool) string {
	if project == "" && ours == "" {
		return ""
	}
	interpreter := "#!/bin/sh\n"
	if strings.HasPrefix(project, "#!") {
		first, rest, _ := strings.Cut(project, "\n")
		interpreter, project = strings.TrimRight(first, "\r")+"\n", rest
	}
	if ours == "" {
		return interpreter + project
	}
	if project != "" {
		project = "(\nset +e\n" + strings.TrimRight(project, "\n") + "\n)\n"
	}
	parts := project + ours
	if oursFirst {
		parts = ours + project
	}
	return interpreter + "set -e\n" + parts
}

// unitScripts returns what the units of a package need at each turn. Each
// package manager calls its scripts with arguments of its own: dpkg with a verb
// (Debian policy, chapter 6), rpm with how many instances of the package there
// will be, apk with versions.
func unitScripts(format artifact.PackageFormat, units []artifact.PackageUnit) map[string]string {
	if len(units) == 0 {
		return nil
	}
	var enable, start, restart, all []string
	for _, u := range units {
		name := "'" + u.UnitName() + "'" // the name's characters need no escaping within quotes
		if strings.Contains(name, "@.") {
			continue // a template does nothing by itself
		}
		all = append(all, name)
		if u.Enable {
			enable = append(enable, name)
		}
		if u.Start {
			start = append(start, name)
		}
		if !u.KeepRunning {
			restart = append(restart, name)
		}
	}
	switch format {
	case artifact.Deb:
		return debUnits(all, enable, start, restart)
	case artifact.RPM:
		return rpmUnits(all, enable, start, restart)
	}
	return apkUnits(all, enable, start, restart)
}

const reload = "systemctl daemon-reload >/dev/null 2>&1 || :\n"

// running wraps what can be done only where systemd runs: not in a chroot, not
// in an image that is being built.
func running(indent string, lines ...string) string {
	var b strings.Builder
	b.WriteString(indent + "if [ -d /run/systemd/system ]; then\n")
	for _, l := range lines {
		if l != "" {
			b.WriteString(indent + "  " + strings.TrimRight(l, "\n") + "\n")
		}
	}
	b.WriteString(indent + "fi\n")
	return b.String()
}

// verb is a systemctl command that must not fail an installation.
func verb(command string, units []string) string {
	if len(units) == 0 {
		return ""
	}
	return "systemctl " + command + " " + strings.Join(units, " ") + " >/dev/null 2>&1 || :\n"
}

// debUnits leaves what is enabled to deb-systemd-helper, which remembers what
// the administrator chose through removal and new installation.
func debUnits(all, enable, start, restart []string) map[string]string {
	var post strings.Builder
	post.WriteString(`case "$1" in configure|abort-upgrade|abort-deconfigure|abort-remove)` + "\n")
	if len(enable) > 0 {
		post.WriteString("  if command -v deb-systemd-helper >/dev/null 2>&1; then\n")
		for _, u := range enable {
			fmt.Fprintf(&post, "    deb-systemd-helper unmask %s >/dev/null || :\n", u)
			fmt.Fprintf(&post, "    if deb-systemd-helper --quiet was-enabled %[1]s; then deb-systemd-helper enable %[1]s >/dev/null || :; "+
				"else deb-systemd-helper update-state %[1]s >/dev/null || :; fi\n", u)
		}
		post.WriteString("  elif [ \"$1\" = configure ] && [ -z \"${2-}\" ]; then\n    " + verb("enable", enable) + "  fi\n")
	}
	// dpkg gives the version that was configured before, if there was one.
	post.WriteString(running("  ", reload, `if [ -n "${2-}" ]; then :`, verb("try-restart", restart), "else :", verb("start", start), "fi"))
	post.WriteString("  ;;\nesac\n")
	pre := "if [ \"$1\" = remove ]; then\n" + running("  ", verb("stop", all)) + "fi\n"
	var after strings.Builder
	after.WriteString("if command -v deb-systemd-helper >/dev/null 2>&1; then\n  case \"$1\" in\n")
	for _, turn := range []struct{ verb, does string }{{"remove", "mask"}, {"purge", "purge"}} {
		after.WriteString("  " + turn.verb + ")\n    :\n")
		for _, u := range enable {
			fmt.Fprintf(&after, "    deb-systemd-helper %s %s >/dev/null || :\n", turn.does, u)
			if turn.verb == "purge" {
				fmt.Fprintf(&after, "    deb-systemd-helper unmask %s >/dev/null || :\n", u)
			}
		}
		after.WriteString("    ;;\n")
	}
	after.WriteString("  esac\nfi\n" + running("", reload))
	return map[string]string{postInstall: post.String(), preRemove: pre, postRemove: after.String()}
}

// rpmUnits: the new package's post-install runs before the old one's
// post-remove, so services restart when nothing of the old one is left.
func rpmUnits(all, enable, start, restart []string) map[string]string {
	post := "if [ \"$1\" -eq 1 ]; then\n  :\n"
	if len(enable) > 0 {
		// Enabling only makes links, which an image being built wants too.
		post += "  " + verb("--no-reload enable", enable)
	}
	post += running("  ", reload, verb("start", start)) + "fi\n"
	pre := "if [ \"$1\" -eq 0 ]; then\n  " + verb("--no-reload disable", all) + running("  ", verb("stop", all)) + "fi\n"
	after := running("", reload, `if [ "$1" -ge 1 ]; then :`, verb("try-restart", restart), "fi")
	return map[string]string{postInstall: post, preRemove: pre, postRemove: after}
}

func apkUnits(all, enable, start, restart []string) map[string]string {
	return map[string]string{
		postInstall: running("", reload, verb("enable", enable), verb("start", start), ":"),
		postUpgrade: running("", reload, verb("try-restart", restart), ":"),
		preRemove:   running("", verb("disable", all), verb("stop", all), ":"),
		postRemove:  running("", reload, ":"),
	}
}
