package web

import (
	"seaworthy/forge"
	"seaworthy/release/train"
)

// trainRow is a line of the timetable.
type trainRow struct {
	train.Line
	Mark Mark
}

// trains is the timetable of some repositories, as it was looked at last.
func (s *Site) trains(repos []forge.RepoName) []trainRow {
	if s.Timetable == nil {
		return nil
	}
	var rows []trainRow
	for _, repo := range repos {
		for _, l := range s.Timetable(repo) {
			rows = append(rows, trainRow{l, trainMark(l.State)})
		}
	}
	return rows
}

func trainMark(s train.State) Mark {
	switch s {
	case train.Ready:
		return Mark{"pass", "●", "ready"}
	case train.Blocked:
		return Mark{"fail", "✕", "blocked"}
	case train.Rehearsing, train.Staging, train.Cutting:
		return Mark{"run", "◐", string(s)}
	case train.SigningOff, train.Staged:
		return Mark{"flake", "▲", string(s)}
	case train.Nothing:
		return Mark{"idle", "○", "nothing new"}
	}
	return Mark{"idle", "○", string(s)}
}
