// Package packages makes deb, rpm and apk packages and the repositories that serve them.
package packages
