// Package scan finds out what software consists of: which files, modules and
// packages, from whom, under which licences. It returns bills of materials of
// package sbom, which can be written as they are or put together by
// sbom.Document.Include.
//
//	licenses, err := scan.NewLicenses() // once, for any number of scans
//	d, err := scan.Folder(ctx, checkout, scan.Options{
//		Name: "halyard", Version: "v1.2.0", Created: commitTime, Licenses: licenses,
//	})
//	d.Authors = []sbom.Actor{{Kind: sbom.Tool, Name: "seaworthy-v1.0.0"}}
//	err = sbom.Write(w, d, sbom.SPDXJSON)
//
// Folder, Files, Archive, Program and Image (also ImageOf, IndexOf for images that
// are open already) tell of one thing each. All read, none runs a program or the
// go command, and none writes to disk; Image alone may use the network, to fetch
// from a registry. Files are read once, several at a time, and their sums taken on
// the way. The same content gives the same document.
//
// Licences are found by tags (SPDX-License-Identifier), by the texts that
// google/licensecheck knows, and by what the records of packages say; names of
// other times and places (Debian's, Fedora's) are put into SPDX's. What SPDX does
// not list becomes LicenseRef-… with its text. Where nothing is known nothing is
// said.
//
// Go modules are those that the imports of a folder's packages lead to, on any
// platform; a module that only tests need is related by TEST_DEPENDENCY_OF. Their
// versions are from go.mod, vendor/modules.txt or minimal version selection, their
// licences and sums from the module cache. Without the cache, all that go.mod
// names is listed.
//
// What is not trusted is held to Limits and digests: ErrLimit says that something
// unpacks to more than is allowed, ErrBroken that it is damaged or not what it
// says.
package scan
