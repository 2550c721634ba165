package cut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"seaworthy/artifact"
	"seaworthy/flow"
)

// toolsChecked reports whether this machine is the one whose tools were checked.
func (s *Service) toolsChecked(ctx context.Context, _ flow.Nothing) (bool, error) {
	return there(s.runDir(ctx))
}

// workspaceKept reports whether the repository and the checkout are there.
func (s *Service) workspaceKept(ctx context.Context, _ flow.Nothing) (bool, error) {
	return there(filepath.Join(s.repositoryDir(ctx), "HEAD"), s.checkoutDir(ctx))
}

// filesKept reports whether the files a step made, and those it was given, are
// there. That they hold the right bytes is for those to see who use them.
func (s *Service) filesKept(ctx context.Context, files []artifact.Artifact) (bool, error) {
	for _, a := range files {
		info, err := os.Stat(filepath.Join(s.outputDir(ctx), a.Name))
		if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() != a.Size {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("looking for %s: %w", a.Name, err)
		}
	}
	return there(s.runDir(ctx))
}

// there reports whether all of the paths exist.
func there(paths ...string) (bool, error) {
	for _, p := range paths {
		if _, err := os.Stat(p); errors.Is(err, os.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
	return true, nil
}
