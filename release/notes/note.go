package notes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// Note is the release note of one pull request. Names and order of the JSON
// keys are those of Kubernetes' release-notes-draft.json.
type Note struct {
	Commit         string   `json:"commit"`
	Text           string   `json:"text"`
	Markdown       string   `json:"markdown"` // the line as it is published, with links
	Documentation  []Doc    `json:"documentation,omitempty"`
	Author         string   `json:"author"`
	AuthorURL      string   `json:"author_url"`
	PRURL          string   `json:"pr_url"`
	PRNumber       int      `json:"pr_number"`
	Areas          []string `json:"areas,omitempty"`
	Kinds          []string `json:"kinds,omitempty"`
	SIGs           []string `json:"sigs,omitempty"`
	Feature        bool     `json:"feature,omitempty"`
	Duplicate      bool     `json:"duplicate,omitempty"`      // belongs to several SIGs
	DuplicateKind  bool     `json:"duplicate_kind,omitempty"` // has several kinds
	ActionRequired bool     `json:"action_required,omitempty"`
	DoNotPublish   bool     `json:"do_not_publish,omitempty"`
	Mapped         bool     `json:"is_mapped,omitempty"` // edited by a map
	PRBody         string   `json:"pr_body,omitempty"`
}

// Subject is a commit that came without a pull request.
type Subject struct {
	Commit string
	Text   string // first line of the message
	Author string // name in the commit
	PR     int    // number the subject claims, which the forge does not know; mostly 0
}

// Problem is a pull request whose note cannot be read or was never written.
type Problem struct {
	PRNumber int
	Commit   string
	Outcome  Outcome // MissingNote or InvalidNote
	Why      string
}

// Notes is everything Generate found between two points of a history.
type Notes struct {
	From, To string // commits, From empty for the whole history
	Notes    []Note // by pull request number
	// Subjects are the commits without a pull request, newest first.
	Subjects []Subject
	// Problems are pull requests that should be looked at before publishing.
	Problems []Problem
	// PullRequests counts the pull requests of the range, notes or none.
	PullRequests int
}

// EncodeJSON writes notes as a JSON object keyed by pull request number, the
// form of release-notes-draft.json.
func EncodeJSON(list []Note) ([]byte, error) {
	byPR := map[string]Note{}
	for _, n := range list {
		key := strconv.Itoa(n.PRNumber)
		if _, twice := byPR[key]; twice {
			return nil, fmt.Errorf("encoding release notes: pull request %s has two notes", key)
		}
		byPR[key] = n
	}
	// Keys come out sorted as strings, which is the order of the drafts.
	b, err := json.MarshalIndent(byPR, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding release notes: %w", err)
	}
	return b, nil
}

// DecodeJSON reads what EncodeJSON and Kubernetes' tools write, in the order of
// pull request numbers. A key this package does not know is an error, because
// writing the notes again would lose it.
func DecodeJSON(data []byte) ([]Note, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var byPR map[string]Note
	if err := dec.Decode(&byPR); err != nil {
		return nil, fmt.Errorf("reading release notes: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading release notes: something follows the object")
	}
	list := make([]Note, 0, len(byPR))
	for key, n := range byPR {
		if key != strconv.Itoa(n.PRNumber) {
			return nil, fmt.Errorf("reading release notes: key %q holds pull request %d", key, n.PRNumber)
		}
		list = append(list, n)
	}
	sortNotes(list)
	return list, nil
}

func sortNotes(list []Note) {
	slices.SortFunc(list, func(a, b Note) int { return a.PRNumber - b.PRNumber })
}
