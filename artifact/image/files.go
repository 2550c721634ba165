package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"seaworthy/artifact"
)

// tree collects what the layers of one platform hold.
type tree struct {
	roots  []*os.Root // where sources are looked for, in this order
	expand func(string) string
	onBase bool            // the image builds on another
	known  map[string]bool // folders that are in a layer already
}

// group is what goes into one layer.
type group struct {
	name  string
	nodes map[string]node // by path
}

// standardFolders are those that a base has, and may have as a link or with a
// mode of its own: /bin is often a link to usr/bin, /tmp is open to all. Writing
// them anew would break the base, so they are left as they are.
var standardFolders = strings.Fields(`bin boot dev etc home lib lib32 lib64 media mnt opt proc root run sbin srv sys tmp usr var
	etc/ssl etc/ssl/certs etc/pki etc/default etc/profile.d etc/cron.d etc/init.d etc/sysconfig
	usr/bin usr/include usr/lib usr/lib32 usr/lib64 usr/libexec usr/local usr/sbin usr/share usr/src
	usr/local/bin usr/local/etc usr/local/include usr/local/lib usr/local/sbin usr/local/share usr/local/src
	usr/share/ca-certificates usr/share/doc usr/share/licenses usr/share/locale usr/share/man usr/share/zoneinfo
	var/cache var/lib var/local var/lock var/log var/mail var/opt var/run var/spool var/tmp`)

// groups returns the layers' content, in the order they are named first.
func (t *tree) groups(files []artifact.ImageFile) ([][]node, error) {
	var groups []*group
	for _, f := range files {
		i := slices.IndexFunc(groups, func(g *group) bool { return g.name == f.Layer })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{name: f.Layer, nodes: map[string]node{}})
		}
		if err := t.add(groups[i], f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	var layers [][]node
	for _, g := range groups {
		if err := t.imply(g); err != nil {
			return nil, err
		}
		var list []node
		for _, n := range g.nodes {
			list = append(list, n)
		}
		// A folder comes before what is in it.
		slices.SortFunc(list, func(a, b node) int { return strings.Compare(a.path, b.path) })
		for _, n := range list {
			if n.kind == tar.TypeDir {
				t.known[n.path] = true
			}
		}
		if len(list) > 0 {
			layers = append(layers, list)
		}
	}
	return layers, nil
}

// put adds a node. A folder may come twice, nothing else may.
func (g *group) put(n node) error {
	have, twice := g.nodes[n.path]
	switch {
	case !twice || have.implied && n.kind == tar.TypeDir:
		g.nodes[n.path] = n
	case n.implied && have.kind == tar.TypeDir:
	default:
		return fmt.Errorf("/%s would be packed twice", n.path)
	}
	return nil
}

// add finds what a file of the spec stands for.
func (t *tree) add(g *group, f artifact.ImageFile) error {
	uid, gid, err := artifact.ParseOwner(f.Owner)
	if err != nil {
		return err
	}
	n := node{path: strings.TrimPrefix(path.Clean(f.Path), "/"), mode: int64(f.Mode), uid: uid, gid: gid}
	switch {
	case f.Link != "":
		n.kind, n.link, n.mode = tar.TypeSymlink, f.Link, 0o777
	case f.Source == "":
		n.kind = tar.TypeDir
		if f.Mode == 0 {
			n.mode = 0o755
		}
	default:
		return t.addSource(g, n, path.Clean(t.expand(f.Source)), strings.HasSuffix(f.Path, "/"))
	}
	if n.path == "" {
		return errors.New("the root of the image is a folder already")
	}
	return g.put(n)
}

// addSource adds a file, or all that is in a folder.
func (t *tree) addSource(g *group, n node, source string, into bool) error {
	if !filepath.IsLocal(filepath.FromSlash(source)) {
		return fmt.Errorf("the source %q lies outside of the repository", source)
	}
	root, info, err := t.find(source)
	if err != nil {
		return err
	}
	if into && source != "." {
		n.path = path.Join(n.path, path.Base(source))
	}
	if !info.IsDir() {
		return g.put(n.file(root, source, info))
	}
	return fs.WalkDir(root.FS(), source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		in := n
		in.path = path.Join(n.path, strings.TrimPrefix(strings.TrimPrefix(name, source), "/"))
		if source == "." {
			in.path = path.Join(n.path, name)
		}
		return g.putEntry(root, name, in, d)
	})
}

// putEntry adds one entry of a source folder. Links stay links.
func (g *group) putEntry(root *os.Root, name string, n node, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case d.IsDir():
		n.kind, n.mode, n.implied = tar.TypeDir, 0o755, true
		if n.path == "" || n.path == "." {
			return nil
		}
		return g.put(n)
	case info.Mode().Type() == fs.ModeSymlink:
		n.kind, n.mode = tar.TypeSymlink, 0o777
		if n.link, err = root.Readlink(name); err != nil {
			return err
		}
		return g.put(n)
	case info.Mode().IsRegular():
		return g.put(n.file(root, name, info))
	}
	return fmt.Errorf("%s is neither a file, a folder nor a link", name)
}

// file completes a node that is a file.
func (n node) file(root *os.Root, name string, info fs.FileInfo) node {
	n.kind = tar.TypeReg
	n.open = func() (*os.File, error) { return root.Open(name) }
	switch {
	case n.mode != 0:
	case info.Mode()&0o111 != 0:
		n.mode = 0o755
	default:
		n.mode = 0o644
	}
	return n
}

// find looks for a source in the folders.
func (t *tree) find(source string) (*os.Root, fs.FileInfo, error) {
	for _, root := range t.roots {
		info, err := root.Stat(source)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("looking for the source %s: %w", source, err)
		}
		if !info.IsDir() && !info.Mode().IsRegular() {
			return nil, nil, fmt.Errorf("the source %s is neither a file nor a folder", source)
		}
		return root, info, nil
	}
	var places []string
	for _, root := range t.roots {
		places = append(places, root.Name())
	}
	if places == nil {
		return nil, nil, fmt.Errorf("there is no folder to look for the source %s in", source)
	}
	return nil, nil, fmt.Errorf("there is no %s in %s", source, strings.Join(places, " nor in "))
}

// imply adds the folders that the nodes are in, since not every runtime makes
// them so that anybody can read them. Those an earlier layer has, or the base
// is taken to have, stay as they are there.
func (t *tree) imply(g *group) error {
	for _, n := range g.nodes {
		for up := path.Dir(n.path); up != "."; up = path.Dir(up) {
			have, ok := g.nodes[up]
			if ok && have.kind != tar.TypeDir {
				return fmt.Errorf("/%s is to be in /%s, which is not a folder", n.path, up)
			}
			if ok || t.known[up] || t.onBase && slices.Contains(standardFolders, up) {
				continue
			}
			g.nodes[up] = node{path: up, kind: tar.TypeDir, mode: 0o755, implied: true}
		}
	}
	for p, n := range g.nodes {
		if n.implied && (t.known[p] || t.onBase && slices.Contains(standardFolders, p)) {
			delete(g.nodes, p)
		}
	}
	return nil
}
