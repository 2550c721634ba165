// Package cloudbuild reads cloudbuild.yaml, the build files of Google Cloud
// Build, and variants.yaml beside them, and works out what a build would run:
// each step's command, folder, environment and what it waits for, every
// substitution made. It runs nothing.
//
//	build, problems := cloudbuild.Parse("cloudbuild.yaml", data)
//	plan, more := build.Plan(cloudbuild.Given{
//		BuiltIn: map[string]string{"PROJECT_ID": "halyard", "COMMIT_SHA": sha},
//		User:    map[string]string{"_GIT_TAG": "v20261110-v1.2.0"},
//	})
//	for _, s := range plan.Steps {
//		fmt.Println(s.Label, s.Command, "after", s.After)
//	}
//
// The format is that of cloud.google.com/build/docs/build-config-file-schema;
// names may be written in camelCase or snake_case, as Google's tools take them.
// The images that steps name are not used: a step is a program on this machine.
// Which program a step without an entrypoint means is known of a few builders;
// of any other it is an error. Whatever cannot be done here, secrets of a cloud
// and volumes of a container runtime, is an error with its line, found before
// anything runs. What only tunes the cloud's machines is named and passed over.
package cloudbuild
