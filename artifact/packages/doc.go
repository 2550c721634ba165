// Package packages makes deb, rpm and apk packages of a project, and the
// signed repositories that apt, dnf and apk install them from.
//
//	built, err := packages.Build(ctx, packages.Request{
//		Spec: spec, Version: "v1.2.0-rc.1", Time: commitTime,
//		Source: checkout, Programs: unpacked, OutDir: "dist",
//		Signers: packages.Signers{OpenPGP: key, APK: apkKey},
//	}, nil)
//
//	report, err := packages.Publish(ctx, bucket, files, packages.Publication{
//		Channel: "testing", Name: "halyard", Signers: signers, Time: now,
//	})
//
// The same commit gives the same packages, byte for byte, signatures included:
// times are the commit's, owners and modes are declared or fixed, entries are
// sorted, and nothing of the machine gets in.
//
// A repository is a bucket with three parts:
//
//	key.asc, key.gpg, NAME.rsa.pub          public keys
//	deb/dists/CHANNEL/…, deb/pool/…         apt
//	rpm/CHANNEL/repodata/…, …/ARCH/*.rpm    dnf, yum, zypper
//	apk/CHANNEL/ARCH/APKINDEX.tar.gz, …     apk
//
// Publishing adds to the index that is there, after checking its signature.
// Packages are put in place first, then what lists them under names that hold
// their digest, and what is signed last; so a reader sees the old repository or
// the new one, and a publisher that dies has changed nothing a reader sees. A
// package once published never changes. One publisher works at a time.
//
// Packages that are read are not trusted: nothing but their metadata is
// looked at, within limits, and nothing of it is believed that would lead out
// of the repository.
package packages
