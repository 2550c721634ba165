package cut

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"seaworthy/artifact"
	"seaworthy/flow"
	"seaworthy/forge"
	"seaworthy/release"
	"seaworthy/release/announce"
)

// Mailer hands a complete message (RFC 5322, CRLF line ends) to a mail server
// for the given addresses, which are bare: "a@example.org".
type Mailer interface {
	Send(ctx context.Context, from string, to []string, message []byte) error
}

// Mail is who is told of a release, and by whom.
type Mail struct {
	From    string   `json:"from"`
	To      []string `json:"to"`
	ReplyTo string   `json:"reply_to,omitempty"`
	Subject string   `json:"subject,omitempty"` // with placeholders
	// RehearsalTo is who gets the mail of a rehearsal; nobody when empty.
	RehearsalTo []string `json:"rehearsal_to,omitempty"`
}

// ErrNotReleased: there is neither a release of that tag nor a rehearsal of it.
var ErrNotReleased = errors.New("neither released nor rehearsed here")

// Letter is the mail about a release.
type Letter struct {
	announce.Letter
	Version string `json:"version"`
	// Sent is when it went out; zero if it has not. Of a rehearsal it stays so.
	Sent time.Time `json:"sent,omitzero"`
	Mock bool      `json:"mock,omitempty"`
}

// sentRecord is what is kept of a mail that went out.
type sentRecord struct {
	MessageID string    `json:"message_id"`
	From      string    `json:"from"`
	To        []string  `json:"to"`
	At        time.Time `json:"at"`
	Run       string    `json:"run,omitempty"` // the rehearsal that it is of
}

// announcement is what there is to say about the release.
func (s *Service) announcement(p Plan, body []byte) announce.Announcement {
	a := announce.Announcement{Project: p.Project.Name, Version: p.Version().String(), Kind: p.Version().Kind(), Previous: p.Previous,
		Notes: string(body), Template: p.Project.Announcement, Signature: p.Project.Tagger.Name, Verify: "sha256sum --check --ignore-missing SHA256SUMS"}
	if s.PageURL != nil {
		a.PageURL = s.PageURL(p.Repo, a.Version)
	}
	return a
}

// letter writes the mail. Its identity follows from the tag and its sender, so
// that a mail that is sent again, after a crash, say, is known to be the same.
func (s *Service) letter(p Plan, body []byte, at time.Time) (announce.Letter, error) {
	return s.letterTo(p, body, at, p.Project.Mail.To, "", "")
}

// rehearsalLetter is the letter to those who look at rehearsals, and to nobody
// else. Each rehearsal has its own.
func (s *Service) rehearsalLetter(p Plan, body []byte, run flow.Run) (announce.Letter, error) {
	return s.letterTo(p, body, run.CreatedAt, p.Project.Mail.RehearsalTo, "[rehearsal] ", " rehearsed by "+run.ID)
}

func (s *Service) letterTo(p Plan, body []byte, at time.Time, to []string, prefix, identity string) (announce.Letter, error) {
	m := p.Project.Mail
	words := release.NewWords(p.Project.Name, p.Version(), p.Branch, p.Commit, p.Previous, at)
	return s.announcement(p, body).Letter(announce.Envelope{From: m.From, To: to, ReplyTo: m.ReplyTo, Subject: prefix + words.Fill(m.Subject), Date: at,
		Identity: p.Repo.String() + " " + p.Version().String() + identity})
}

// mailFolder is where the mail of a version is kept, privately.
func mailFolder(mock bool, p Plan) string {
	return folder(mock, archiveRoot, p.Repo, p.Version().String()+"-mail")
}

const (
	letterFile = "announcement.eml"
	mockFile   = "rehearsal.eml"
	sentFile   = "sent.json"
)

// mailSent looks whether the mail went out.
func (s *Service) mailSent(ctx context.Context, st staged) (string, bool, error) {
	p := st.Record.Plan
	if p.Project.Mail == nil || len(p.Project.Mail.To) == 0 {
		return "", false, flow.Skip("the project sends no mail")
	}
	if flow.Mock(ctx) {
		sent, found, err := s.sentMail(ctx, true, p)
		return sent.MessageID, found && sent.Run == flow.Current(ctx).ID, err
	}
	sent, found, err := s.sentMail(ctx, false, p)
	if err == nil && !found && s.Mailer == nil {
		return "", false, flow.Skip("no mail server is set up: once one is, run seaworthy announce send --tag %s --nomock", p.Version())
	}
	return sent.MessageID, found, err
}

// sentMail reads the record of the mail of a version.
func (s *Service) sentMail(ctx context.Context, mock bool, p Plan) (sentRecord, bool, error) {
	data, err := s.Bucket.ReadAll(ctx, path.Join(mailFolder(mock, p), sentFile))
	if gcerrors.Code(err) == gcerrors.NotFound {
		return sentRecord{}, false, nil
	}
	if err != nil {
		return sentRecord{}, false, fmt.Errorf("looking whether the announcement was sent: %w", err)
	}
	var r sentRecord
	if err := json.Unmarshal(data, &r); err != nil {
		return sentRecord{}, false, flow.Permanent(fmt.Errorf("reading the record of the mail about %s: %w", p.Version(), err))
	}
	return r, true, nil
}

// sendMail sends the announcement. A rehearsal keeps it in the bucket. Where
// the process ends between the server's yes and the record of it, the mail is
// sent once more, under the same identity.
func (s *Service) sendMail(ctx context.Context, st staged) (string, error) {
	p := st.Record.Plan
	body, err := s.readStaged(ctx, st, notesFile)
	if err != nil {
		return "", err
	}
	l, err := s.letter(p, body, flow.Current(ctx).CreatedAt)
	if err != nil {
		return "", flow.Permanent(err)
	}
	if flow.Mock(ctx) {
		return s.rehearseMail(ctx, p, body, l)
	}
	if err := s.post(ctx, p, l, s.Engine.Now(), ""); err != nil {
		return "", err
	}
	flow.Progress(ctx, "to %s", count(len(l.To), "address", "addresses"))
	return l.MessageID, nil
}

// rehearseMail keeps the mail that the real cut would send, and sends it, as a
// rehearsal's, to those who look at rehearsals.
func (s *Service) rehearseMail(ctx context.Context, p Plan, body []byte, l announce.Letter) (string, error) {
	kept := path.Join(mailFolder(true, p), letterFile)
	if err := s.put(ctx, kept, l.Message); err != nil {
		return "", err
	}
	switch {
	case len(p.Project.Mail.RehearsalTo) == 0:
		return l.MessageID, flow.Skip("a rehearsal sends no mail: it is in %s", kept)
	case s.Mailer == nil:
		return l.MessageID, flow.Skip("no mail server is set up: the mail is in %s", kept)
	}
	run := flow.Current(ctx)
	l, err := s.rehearsalLetter(p, body, run)
	if err != nil {
		return "", flow.Permanent(err)
	}
	if err := s.post(ctx, p, l, s.Engine.Now(), run.ID); err != nil {
		return "", err
	}
	flow.Progress(ctx, "to %s for rehearsals; the real one is in %s", count(len(l.To), "address", "addresses"), kept)
	return l.MessageID, nil
}

// post sends a mail and records that; rehearsal is the run that it is of, if it
// is one's.
func (s *Service) post(ctx context.Context, p Plan, l announce.Letter, at time.Time, rehearsal string) error {
	folder, file := mailFolder(rehearsal != "", p), letterFile
	if rehearsal != "" {
		file = mockFile
	}
	if err := s.put(ctx, path.Join(folder, file), l.Message); err != nil {
		return err
	}
	if err := s.Mailer.Send(ctx, l.From, l.To, l.Message); err != nil {
		return fmt.Errorf("sending the announcement of %s: %w", p.Version(), err)
	}
	flow.Mark(ctx, "the mail server took the announcement")
	record, err := json.MarshalIndent(sentRecord{l.MessageID, l.From, l.To, at.UTC(), rehearsal}, "", "  ")
	if err != nil {
		return fmt.Errorf("recording the mail about %s: %w", p.Version(), err)
	}
	return s.put(ctx, path.Join(folder, sentFile), append(record, '\n'))
}

// Letter returns the mail about a tag that was released, or at least rehearsed,
// here. The error wraps ErrNotReleased where it was neither.
func (s *Service) Letter(ctx context.Context, repo forge.RepoName, tag string) (Letter, error) {
	st, body, err := s.released(ctx, repo, tag)
	if err != nil {
		return Letter{}, err
	}
	p := st.Record.Plan
	if p.Project.Mail == nil || len(p.Project.Mail.To) == 0 {
		return Letter{}, fmt.Errorf("%s of %s goes to nobody: write release.announce.to and from in its configuration", tag, repo)
	}
	sent, found, err := s.sentMail(ctx, false, p)
	if err != nil {
		return Letter{}, err
	}
	out := Letter{Version: tag, Mock: st.Mock}
	at := s.Engine.Now()
	if found && !st.Mock {
		at, out.Sent = sent.At, sent.At
	}
	out.Letter, err = s.letter(p, body, at)
	return out, err
}

// Announcement returns what is said about a tag that was released or rehearsed
// here; see Letter.
func (s *Service) Announcement(ctx context.Context, repo forge.RepoName, tag string) (announce.Announcement, error) {
	st, body, err := s.released(ctx, repo, tag)
	if err != nil {
		return announce.Announcement{}, err
	}
	return s.announcement(st.Record.Plan, body), nil
}

// SendLetter sends the mail about a released tag, if it has not gone out; again
// sends it once more, under the same identity.
func (s *Service) SendLetter(ctx context.Context, repo forge.RepoName, tag string, again bool) (Letter, error) {
	l, err := s.Letter(ctx, repo, tag)
	if err != nil || !l.Sent.IsZero() && !again {
		return l, err
	}
	switch {
	case l.Mock:
		return l, fmt.Errorf("%s of %s was only rehearsed: cut it first", tag, repo)
	case s.Mailer == nil:
		return l, errors.New("no mail server is set up: give its address in SEAWORTHY_SMTP")
	}
	st, _, err := s.released(ctx, repo, tag)
	if err != nil {
		return l, err
	}
	l.Sent = s.Engine.Now().UTC()
	return l, s.post(ctx, st.Record.Plan, l.Letter, l.Sent, "")
}

// released finds the stage that a tag was cut from, by what was published, and
// its notes.
func (s *Service) released(ctx context.Context, repo forge.RepoName, tag string) (staged, []byte, error) {
	if tag == "" || strings.Trim(tag, ".") == "" {
		return staged{}, nil, fmt.Errorf("%q is no tag of a release: write one such as v1.2.0", tag)
	}
	for _, mock := range []bool{false, true} {
		data, err := s.Bucket.ReadAll(ctx, path.Join(folder(mock, releaseRoot, repo, tag), artifact.ManifestFile))
		if gcerrors.Code(err) == gcerrors.NotFound {
			continue
		}
		if err != nil {
			return staged{}, nil, fmt.Errorf("looking for %s of %s: %w", tag, repo, err)
		}
		public, err := artifact.DecodeManifest(data)
		if err != nil {
			return staged{}, nil, fmt.Errorf("reading what was published of %s: %w", tag, err)
		}
		st, err := s.stageOf(ctx, repo, public, mock)
		if err != nil {
			return staged{}, nil, err
		}
		body, err := s.readStaged(ctx, st, notesFile)
		return st, body, err
	}
	return staged{}, nil, fmt.Errorf("%s of %s was %w", tag, repo, ErrNotReleased)
}

// stageOf reads the stage of what was published. A rehearsal may have been of a
// mock stage.
func (s *Service) stageOf(ctx context.Context, repo forge.RepoName, public artifact.Manifest, mock bool) (staged, error) {
	st := staged{Mock: mock}
	var data []byte
	for _, root := range []bool{false, true} {
		var err error
		st.Prefix = folder(root, stageRoot, repo, public.BuildVersion)
		data, err = s.Bucket.ReadAll(ctx, path.Join(st.Prefix, artifact.ManifestFile))
		if err == nil {
			break
		}
		if gcerrors.Code(err) != gcerrors.NotFound {
			return staged{}, fmt.Errorf("reading the stage of %s: %w", public.Version, err)
		}
	}
	var err error
	if st.Manifest, err = artifact.DecodeManifest(bytes.Clone(data)); err != nil {
		return staged{}, fmt.Errorf("the stage that %s was cut from cannot be read: %w", public.Version, err)
	}
	st.Record, err = s.readRecord(ctx, st)
	return st, err
}
