// Package folder publishes releases into a folder on disk, which is served as a
// static site, copied to media, or looked at as it is:
//
//	FOLDER/OWNER/NAME.git                      branches and tags, to clone from
//	FOLDER/release/OWNER/NAME/VERSION/…        the files of a release
//	FOLDER/release/OWNER/NAME/VERSION/release.md    its page for people
//	FOLDER/release/OWNER/NAME/VERSION/release.json  its page for programs
//	FOLDER/release/OWNER/NAME/stable.txt       markers, which others raise
//
// A page is a draft, kept where nobody looks, until it is published:
//
//	f, err := folder.New(folder.Options{Root: "/srv/www", Private: ".seaworthy", Name: name, Clone: clone})
//	r, err := f.CreateRelease(ctx, name, forge.NewRelease{Tag: "v1.0.0", Name: "Halyard 1.0.0", Draft: true})
//	_, err = f.UploadAsset(ctx, name, r.ID, "halyard.tar.gz", "application/gzip", size, content)
//	_, err = f.EditRelease(ctx, name, r.ID, forge.EditRelease{Draft: &public})
//
// The repository in the folder is made from a clone, and brought up to date from
// it: branches only ever move forward, and tags never.
package folder
