package cli

import (
	"strings"
	"testing"
)

// The command lines of the tools that cut Kubernetes' releases, and ours.
func TestKrelCommandLines(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ theirs, ours, err string }{
		{theirs: "krel stage --type=rc --branch=release-1.23 --submit=false --nomock", ours: "release stage --type rc --branch release-1.23 --nomock"},
		{theirs: "krel stage --type=alpha --branch=master --build-version=v1.24.0-alpha.0.5+4e9bdd481e2400", ours: "release stage --type alpha --commit 4e9bdd481e2400"},
		{theirs: "krel stage --build-version=v1.24.0", err: "names no commit"},
		{theirs: "krel release --submit=false --nomock --type=official --branch=release-1.23 --build-version=v1.23.0+4e9bdd481e24", ours: "release cut --build-version v1.23.0+4e9bdd481e24 --nomock"},
		{theirs: "krel release --nomock", err: "--build-version is needed"},
		{theirs: "krel ff --branch release-1.23 --nomock --non-interactive", ours: "branch ff release-1.23 --non-interactive --nomock"},
		{theirs: "krel fast-forward --ref origin/master --github-org=k --github-repo=k", ours: "branch ff --ref master --repo k/k"},
		{theirs: "krel ff --github-org=k", err: "or neither"},
		{theirs: "krel history --branch release-1.23 --date-from 2021-12-07 --date-to 2021-12-08", ours: "release history -o markdown --limit 0 --branch release-1.23 --date-from 2021-12-07 --date-to 2021-12-08"},
		{theirs: "krel announce send --nomock --tag=v1.23.0", ours: "announce send --tag v1.23.0 --nomock"},
		{theirs: "krel announce send -p -t v1.23.0 --name x --email y", ours: "announce send --tag v1.23.0 --print-only"},
		{theirs: "krel announce send", err: "--tag is needed"},
		{theirs: "krel testgridshot --branch 1.23", ours: "grid snapshot --branch 1.23 --boards blocking,informing --states FAILING"},
		{theirs: "krel testgridshot --states=FAILING,FLAKY --boards blocking --bucket b --github-issue 7 --testgrid-url=https://grid.example", ours: "grid snapshot --branch master --boards blocking --states FAILING,FLAKY --testgrid-url https://grid.example --out gs://b/testgridshot/master --issue 7"},
		{theirs: "krel push --nomock --ci --private-bucket --extra-version-markers=k8s-master,k8s-beta", ours: "release push --nomock --gcs-root ci --extra-version-markers k8s-master --extra-version-markers k8s-beta"},
		{theirs: "krel push --bucket=kubernetes-release-ada", ours: "release push --gcs-root devel --noupdatelatest --bucket gs://kubernetes-release-ada"},
		{theirs: "krel push --docker-registry=gcr.io/foo", err: "release push --images"},
		{theirs: "krel ci-build --allow-dup --fast --nomock", ours: "release push --nomock --fast --allow-dup"},
		{theirs: "krel ci-build --bucket cool-bucket --gcs-root new-gcs-root --buildDir=_output", ours: "release push --gcs-root new-gcs-root --bucket gs://cool-bucket --build-dir _output"},
		{theirs: "krel ci-build --registry=gcr.io/foo", err: "release push --images"},
		{theirs: "krel ci-build now", err: "it takes flags only"},
		{theirs: "krel cve edit", err: "of krel these are understood"},
		{theirs: "push-build.sh --nomock --ci --extra-publish-file=k8s-master --gcs-suffix=-mine", ours: "release push --nomock --gcs-root ci-mine --extra-version-markers k8s-master"},
		{theirs: "push-build.sh --release-type=devel --version-suffix=x", ours: "release push --gcs-root devel --noupdatelatest --version-suffix x"},
		{theirs: "push-build.sh --federation", err: "federation was a project of its own"},
		{theirs: "push-build.sh --sail", err: "unknown flag"},
	} {
		got, err := translate(strings.Fields(tc.theirs))
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %q, %v; want an error with %q", tc.theirs, got, err, tc.err)
			}
			continue
		}
		if err != nil || strings.Join(got, " ") != tc.ours {
			t.Errorf("%s is %q, %v; want %s", tc.theirs, strings.Join(got, " "), err, tc.ours)
		}
	}
}
