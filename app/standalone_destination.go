package app

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"seaworthy/forge"
)

// Kinds of places that a repository without a platform is released to.
const (
	ToGitHub = "github"
	ToGitea  = "gitea"
	ToFolder = "folder"
)

// Destination is where the releases of a repository go.
type Destination struct {
	Kind string // ToGitHub, ToGitea or ToFolder
	// Web is the forge's address for people, https://github.com; empty for a
	// folder.
	Web string
	// Folder is the absolute path of a folder.
	Folder string
	// Repo is the repository's name there; the zero name if nothing says it.
	Repo forge.RepoName
}

// String is the destination as --to takes it.
func (d Destination) String() string {
	if d.Kind == ToFolder {
		return ToFolder + ":" + d.Folder
	}
	return d.Kind + ":" + d.Web + "/" + d.Repo.String()
}

// site is what a forge's address says.
type site struct {
	web  string // https://HOST, and the path that it is served under
	host string // without a port
	repo forge.RepoName
}

// scp is how Git abbreviates an address reached by SSH: user@host:path.
var scp = regexp.MustCompile(`^(?:[^/@:]+@)?(\[[0-9A-Fa-f:]+\]|[^/:@\[\]]+):([^/].*|/[^/].*)$`)

// parseSite reads the address of a repository on a forge, by HTTP or SSH. false
// is for one on this disk.
func parseSite(address string) (site, bool) {
	scheme, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		m := scp.FindStringSubmatch(address)
		if m == nil {
			return site{}, false
		}
		return siteAt("https", m[1], m[1], m[2])
	}
	u, err := url.Parse(address)
	if err != nil || rest == "" || u.Host == "" {
		return site{}, false
	}
	switch scheme {
	case "http", "https":
		return siteAt(scheme, u.Host, u.Hostname(), u.Path)
	case "ssh", "git", "git+ssh":
		// The port is SSH's, and says nothing of where people look.
		host := u.Hostname()
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return siteAt("https", host, host, u.Path)
	}
	return site{}, false
}

func siteAt(scheme, host, hostname, p string) (site, bool) {
	parts := strings.FieldsFunc(strings.TrimSuffix(strings.TrimSuffix(p, "/"), ".git"), func(r rune) bool { return r == '/' })
	// The address of the API says the same about the forge.
	for i := range parts {
		if i+1 < len(parts) && parts[i] == "api" && (parts[i+1] == "v3" || parts[i+1] == "v1") {
			parts = append(parts[:i:i], parts[i+2:]...)
			break
		}
	}
	s := site{host: strings.ToLower(hostname)}
	if n := len(parts); n >= 2 {
		s.repo = forge.RepoName{Owner: parts[n-2], Name: parts[n-1]}
		if !s.repo.Valid() {
			return site{}, false
		}
		parts = parts[:n-2]
	} else if n == 1 {
		return site{}, false
	}
	s.web = scheme + "://" + path.Join(append([]string{strings.ToLower(host)}, parts...)...)
	return s, true
}

// errDestination explains --to.
var errDestination = errors.New("write --to github, --to gitea, --to github:OWNER/NAME, --to gitea:https://HOST/OWNER/NAME or --to folder:PATH")

// kindOf guesses what a host runs. Runners say what they run for.
func kindOf(s site, getenv func(string) string) string {
	if server, ok := parseSite(getenv("GITHUB_SERVER_URL") + "/owner/name"); ok && server.host == s.host {
		if getenv("GITEA_ACTIONS") == "true" {
			return ToGitea
		}
		return ToGitHub
	}
	switch s.host {
	case "github.com", "ssh.github.com", "www.github.com":
		return ToGitHub
	case "gitea.com", "codeberg.org":
		return ToGitea
	}
	return ""
}

// ParseDestination reads --to. Where it says less than is needed, the address of
// the remote does; an empty one is the forge of the remote. Paths are relative
// to dir. getenv is asked for what runners say of themselves.
func ParseDestination(to, remote, dir string, getenv func(string) string) (Destination, error) {
	from, onForge := parseSite(remote)
	kind, what, _ := strings.Cut(to, ":")
	switch {
	case strings.HasPrefix(to, "/"), strings.HasPrefix(to, "./"), strings.HasPrefix(to, "../"), to == ".", to == "..":
		kind, what = ToFolder, to
	case strings.HasPrefix(to, "http://"), strings.HasPrefix(to, "https://"):
		kind, what = "", to
	}
	if kind == ToFolder {
		if what == "" {
			return Destination{}, errors.New("--to folder: which? Write folder:PATH")
		}
		if !filepath.IsAbs(what) {
			what = filepath.Join(dir, what)
		}
		return Destination{Kind: ToFolder, Folder: filepath.Clean(what), Repo: from.repo}, nil
	}
	if kind != "" && kind != ToGitHub && kind != ToGitea {
		return Destination{}, fmt.Errorf("%q is nowhere to release to: %w", to, errDestination)
	}
	at := from
	if what != "" {
		var err error
		if at, err = siteOf(kind, what); err != nil {
			return Destination{}, err
		}
		onForge = true
		if at.repo == (forge.RepoName{}) {
			at.repo = from.repo
		}
	}
	switch {
	case !onForge && remote == "":
		return Destination{}, fmt.Errorf("the repository has no remote that says where to release to: %w", errDestination)
	case !onForge:
		return Destination{}, fmt.Errorf("the remote is not on a forge, so it does not say where to release to: %w", errDestination)
	}
	if kind == "" {
		if kind = kindOf(at, getenv); kind == "" {
			return Destination{}, fmt.Errorf("nothing says what kind of forge %s is: %w", at.web, errDestination)
		}
	}
	if kind == ToGitHub && (at.host == "ssh.github.com" || at.host == "www.github.com") {
		at.web = "https://github.com"
	}
	return Destination{Kind: kind, Web: at.web, Repo: at.repo}, nil
}

// siteOf reads what stands behind github: or gitea:.
func siteOf(kind, what string) (site, error) {
	if at, ok := parseSite(what); ok {
		return at, nil
	}
	repo, err := forge.ParseRepoName(what)
	switch {
	case err != nil:
		return site{}, fmt.Errorf("%q is nowhere to release to: %w", kind+":"+what, errDestination)
	case kind == ToGitea:
		return site{}, fmt.Errorf("%q does not say on which host: write gitea:https://HOST/%s", kind+":"+what, repo)
	}
	return site{web: "https://github.com", host: "github.com", repo: repo}, nil
}

// credentials splits what an address holds of them off.
func credentials(address string) (clean, user, password string) {
	u, err := url.Parse(address)
	if err != nil || u.User == nil || u.Scheme != "http" && u.Scheme != "https" {
		return address, "", ""
	}
	user = u.User.Username()
	password, _ = u.User.Password()
	u.User = nil
	return u.String(), user, password
}
