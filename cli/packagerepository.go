package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/spf13/cobra"
	"gocloud.dev/blob"

	"seaworthy/app"
	"seaworthy/artifact"
	"seaworthy/artifact/packages"
)

func newPackageInspect(s Streams) *cobra.Command {
	var output outputFlag
	c := &cobra.Command{
		Use:   "inspect FILE…",
		Short: "Show what packages say of themselves",
		Long: `Reads the metadata of deb, rpm and apk files, and checks the digests they hold. Nothing is unpacked to disk. Whether
there is a signature is shown, not whether it is good: that is a question of whose keys are trusted.`,
		Example: `  seaworthy package inspect dist/halyard_1.2.0-1_amd64.deb -o yaml`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("name the package files to read")
			}
			var all []*packages.File
			for _, file := range args {
				p, err := packages.Inspect(file)
				if err != nil {
					return err
				}
				all = append(all, p)
			}
			return output.print(s.Out, all, func(w io.Writer) error {
				for i, p := range all {
					if i > 0 {
						fmt.Fprintln(w)
					}
					printPackage(w, p)
				}
				return nil
			})
		},
	}
	output.add(c)
	return c
}

func printPackage(w io.Writer, p *packages.File) {
	signed := "no"
	if p.Signed {
		signed = "yes, not checked here"
	}
	for _, l := range []struct{ name, value string }{
		{"file", p.Name}, {"format", string(p.Format)}, {"package", p.Package}, {"version", p.Version}, {"arch", p.Arch}, {"summary", p.Summary},
		{"maintainer", p.Maintainer}, {"vendor", p.Vendor}, {"homepage", p.Homepage}, {"license", p.License},
		{"size", fmt.Sprintf("%d bytes, %d installed", p.Size, p.Installed)}, {"sha256", p.SHA256}, {"signed", signed},
		{"depends", strings.Join(p.Depends, ", ")}, {"provides", strings.Join(p.Provides, ", ")}, {"conflicts", strings.Join(p.Conflicts, ", ")},
		{"replaces", strings.Join(p.Replaces, ", ")}, {"config files", strings.Join(p.ConfigFiles, " ")}, {"scripts", strings.Join(p.Scripts, " ")},
	} {
		if l.value != "" {
			// A package's word is not to move the cursor.
			fmt.Fprintf(w, "%-13s %s\n", l.name+":", printable(l.value))
		}
	}
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

func newPackageKey(s Streams) *cobra.Command {
	var name, mail, out string
	var apk bool
	c := &cobra.Command{
		Use:   "key",
		Short: "Make a key to sign packages and repositories with",
		Long: `Makes an OpenPGP key (RSA, which every apt and rpm in use checks), or with --apk an RSA key for Alpine, and writes it
to a file that only you can read, the public half beside it. SEAWORTHY_PACKAGE_PASSPHRASE locks an OpenPGP key. Keep
the file where no one else gets at it: whoever has it can publish in your name.`,
		Example: `  seaworthy package key --name "Halyard releases" --mail releases@example.org --out halyard.asc
  seaworthy package key --apk --out halyard.rsa`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			private, public, told, err := makeKey(apk, name, mail)
			if err != nil {
				return err
			}
			if err := keepKey(out, private, public); err != nil {
				return err
			}
			fmt.Fprintln(s.Out, told)
			fmt.Fprintf(s.Err, "%s is the key, %s.pub its public half\n", out, out)
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "", "`name` on the OpenPGP key")
	c.Flags().StringVar(&mail, "mail", "", "mail `address` on the OpenPGP key")
	c.Flags().StringVar(&out, "out", "", "`file` for the key")
	c.Flags().BoolVar(&apk, "apk", false, "make an RSA key for Alpine instead")
	require(c, "out")
	return c
}

// makeKey returns both halves and how the key is called.
func makeKey(apk bool, name, mail string) (private, public []byte, told string, err error) {
	if apk {
		if private, err = packages.GenerateAPKKey(); err != nil {
			return nil, nil, "", err
		}
		key, err := packages.ReadAPKKey(private, "packages")
		if err != nil {
			return nil, nil, "", err
		}
		public, err = key.Public()
		return private, public, key.Name(), err
	}
	if err := packages.CheckIdentity(name, mail); err != nil {
		return nil, nil, "", usageError{err}
	}
	passphrase := []byte(os.Getenv("SEAWORTHY_PACKAGE_PASSPHRASE"))
	if private, err = packages.GenerateKey(name, mail, passphrase, time.Now().UTC().Truncate(time.Second)); err != nil {
		return nil, nil, "", err
	}
	key, err := packages.ReadKey(private, passphrase)
	if err != nil {
		return nil, nil, "", err
	}
	public, _, err = key.Public()
	return private, public, key.Fingerprint(), err
}

// keepKey writes a key that is not there yet.
func keepKey(file string, private, public []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return usagef("%s is there already: a key is never overwritten", file)
	}
	if err != nil {
		return usageError{err}
	}
	_, err = f.Write(private)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", file, errors.Join(err, os.Remove(file)))
	}
	return writeNew(file+".pub", public, true)
}

type repositoryAddFlags struct {
	channel, name, baseURL string
	validFor               time.Duration
	unsigned, nomock       bool
	trusted                []string
	keys                   keyFlags
	output                 outputFlag
}

func newRepositoryAdd(s Streams) *cobra.Command {
	var f repositoryAddFlags
	c := &cobra.Command{
		Use:   "add REPOSITORY FILE…",
		Short: "Publish packages in a repository (a rehearsal unless --nomock, but in a folder)",
		Long: `Adds packages to the repository in a folder or a bucket, such as file:///srv/packages or s3://bucket/packages: below
deb/ for apt, rpm/ for dnf, apk/ for Alpine, in a channel each. What is there stays, and is only gone on with if its
signature is good. Packages come first, what lists them after, and what is signed last, so a reader sees the old
repository or the new one. A published package never changes. A folder stands for the packages in it.

Without --nomock a bucket is looked at, and what would be added is said; a folder, or file://, is published in any case.

With --base-url, files are written for people to save: deb/NAME-CHANNEL.sources for apt, rpm/NAME-CHANNEL.repo for dnf.`,
		Example: `  seaworthy package repository add /srv/packages dist --name halyard --key halyard.asc --apk-key halyard.rsa \
    --base-url https://packages.example.org
  seaworthy package repository add s3://packages/halyard dist/*.rpm --name halyard --channel testing --nomock`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args[0], args[1:]) },
	}
	fl := c.Flags()
	fl.StringVar(&f.channel, "channel", "", "`channel` to publish in (release, testing or nightly by each version if empty)")
	fl.StringVar(&f.name, "name", "", "what the repository calls itself: one `word`")
	fl.StringVar(&f.baseURL, "base-url", "", "`URL` people reach the repository at")
	fl.DurationVar(&f.validFor, "valid-for", 0, "`time` after which apt refuses the index as stale (never if 0)")
	fl.BoolVar(&f.unsigned, "unsigned", false, "publish without a key")
	fl.BoolVar(&f.nomock, "nomock", false, "write to a bucket; without this nothing leaves this machine")
	fl.StringSliceVar(&f.trusted, "trust", nil, "`file` of a public OpenPGP key that may have signed what is there, when the key changes")
	f.keys.add(c)
	f.output.add(c)
	require(c, "name")
	return c
}

func (f *repositoryAddFlags) run(ctx context.Context, s Streams, where string, args []string) (err error) {
	channels, err := f.sort(args)
	if err != nil {
		return err
	}
	signers, err := f.keys.signers()
	if err != nil {
		return err
	}
	trusted, err := readTrusted(f.trusted)
	if err != nil {
		return err
	}
	b, err := app.OpenBucket(ctx, where)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	reports, mock := []*packages.Report{}, !f.nomock && outside(where)
	for _, channel := range []string{f.channel, artifact.ChannelRelease, artifact.ChannelTesting, artifact.ChannelNightly} {
		if len(channels[channel]) == 0 {
			continue
		}
		report, err := packages.Publish(ctx, b, channels[channel], packages.Publication{
			Channel: channel, Name: f.name, Signers: signers, Unsigned: f.unsigned, Trusted: trusted,
			Time: time.Now(), ValidFor: f.validFor, BaseURL: f.baseURL, Holder: holder(), Mock: mock,
		})
		if err != nil {
			return err
		}
		delete(channels, channel)
		reports = append(reports, report)
	}
	return f.output.print(s.Out, reports, func(w io.Writer) error { return tellPublished(w, reports, mock) })
}

// tellPublished says what became of each package.
func tellPublished(w io.Writer, reports []*packages.Report, mock bool) error {
	added := "added"
	if mock {
		added = "would add"
	}
	for _, r := range reports {
		for _, key := range r.Added {
			fmt.Fprintf(w, "%s: %s %s\n", r.Channel, added, key)
		}
		for _, key := range r.Present {
			fmt.Fprintf(w, "%s: there already, %s\n", r.Channel, key)
		}
	}
	if !mock {
		return nil
	}
	return said(w, "This was a mock run: nothing was written. Add --nomock to do it.\n")
}

// holder is who publishes, as the lock shows it.
func holder() string {
	if host, err := os.Hostname(); err == nil {
		return me() + " on " + host
	}
	return me()
}

// sort finds the package files and the channel of each.
func (f *repositoryAddFlags) sort(args []string) (map[string][]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, usageError{err}
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if slices.Contains([]string{".deb", ".rpm", ".apk"}, filepath.Ext(e.Name())) && e.Type().IsRegular() {
				files = append(files, filepath.Join(arg, e.Name()))
			}
		}
	}
	if len(files) == 0 {
		return nil, usagef("there are no packages in %s", strings.Join(args, ", "))
	}
	channels := map[string][]string{}
	for _, file := range files {
		channel := f.channel
		if channel == "" {
			p, err := packages.Inspect(file)
			if err != nil {
				return nil, err
			}
			if channel, err = p.Channel(); err != nil {
				return nil, usageError{err}
			}
		} else if err := artifact.CheckChannel(channel); err != nil {
			return nil, usageError{err}
		}
		channels[channel] = append(channels[channel], file)
	}
	return channels, nil
}

func readTrusted(files []string) (openpgp.EntityList, error) {
	var all openpgp.EntityList
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, usageError{err}
		}
		list, err := packages.ReadTrusted(data)
		if err != nil {
			return nil, usageError{fmt.Errorf("%s: %w", file, err)}
		}
		all = append(all, list...)
	}
	return all, nil
}

func newRepositoryShow(s Streams) *cobra.Command {
	var output outputFlag
	var trusted []string
	c := &cobra.Command{
		Use:   "show REPOSITORY",
		Short: "List the packages of a repository, its signatures checked",
		Long: `Reads every channel as apt, dnf and apk do: from what is signed to what that lists. Without --trust the keys the
repository itself hands out are believed, which finds damage, but not a forger.`,
		Example: `  seaworthy package repository show /srv/packages --trust halyard.asc.pub`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := readTrusted(trusted)
			if err != nil {
				return err
			}
			return withBucket(cmd.Context(), args[0], func(b *blob.Bucket) error {
				list, err := packages.List(cmd.Context(), b, keys)
				if err != nil {
					return err
				}
				return output.print(s.Out, list, func(w io.Writer) error {
					var rows [][]string
					for _, e := range list {
						rows = append(rows, []string{e.Channel, string(e.Format), e.Package, e.Version, e.Arch, e.File})
					}
					return table(w, "The repository is empty.", []string{"channel", "format", "package", "version", "arch", "file"}, rows)
				})
			})
		},
	}
	c.Flags().StringSliceVar(&trusted, "trust", nil, "`file` of the public OpenPGP key that must have signed the repository")
	output.add(c)
	return c
}

func newRepositoryUnlock(s Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock REPOSITORY",
		Short: "Remove the lock of a publisher that died",
		Long: `While packages are added, a repository is locked. A publisher that is killed leaves the lock behind: make sure that it
is dead, unlock, and publish again. What it left half done is not visible to readers.`,
		Example: `  seaworthy package repository unlock s3://packages/halyard`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withBucket(cmd.Context(), args[0], func(b *blob.Bucket) error {
				who, err := packages.Unlock(cmd.Context(), b)
				if err != nil {
					return err
				}
				fmt.Fprintf(s.Out, "unlocked; %s held it\n", printable(who))
				return nil
			})
		},
	}
}

func withBucket(ctx context.Context, where string, do func(*blob.Bucket) error) (err error) {
	if !strings.Contains(where, "://") {
		// Opening would make the folder.
		if _, err := os.Stat(where); err != nil {
			return usageError{err}
		}
	}
	b, err := app.OpenBucket(ctx, where)
	if err != nil {
		return usageError{err}
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return do(b)
}
