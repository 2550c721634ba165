package build

import (
	"path"

	"seaworthy/artifact"
)

// Names lists the files that Build would make of a request, platform by
// platform. It needs no folder, and looks at nothing: what a command names that
// is a folder counts as one program.
func (r Request) Names() []string {
	platforms := r.Platforms
	if len(platforms) == 0 {
		platforms = []artifact.Platform{{}}
	}
	var names []string
	for _, p := range platforms {
		for _, f := range r.formats(p) {
			if f != Bare {
				names = append(names, r.stem(p)+"."+string(f))
				continue
			}
			for _, program := range r.programNames(p) {
				names = append(names, r.bareName(p, program))
			}
		}
	}
	return names
}

// SourceName is the file that Source would make of a request.
func (r Request) SourceName() string {
	return r.stem(artifact.Platform{}) + "_source." + string(TarGz)
}

// programNames are the programs that are built for a platform.
func (r Request) programNames(p artifact.Platform) []string {
	var names []string
	for _, pkg := range r.Main {
		name := r.program(pkg)
		if p.OS == "windows" {
			name += ".exe"
		}
		names = append(names, name)
	}
	if r.Command != nil {
		for _, out := range r.Command.Outputs {
			names = append(names, path.Base(out))
		}
	}
	return names
}
