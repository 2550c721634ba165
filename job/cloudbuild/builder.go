package cloudbuild

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// repository is an image's name without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

// bareImages are images whose arguments are the command, for they have no
// entrypoint, or one that runs what it is given.
func bareImages() []string {
	return []string{"alpine", "bash", "buildpack-deps", "busybox", "cloud-sdk", "debian", "fedora", "gcc", "golang", "gradle", "k8s-cloud-builder",
		"kube-cross", "maven", "node", "openjdk", "perl", "php", "python", "ruby", "rust", "ubuntu"}
}

// bareRegistries are where the images of those names are the well-known ones.
func bareRegistries() []string {
	return []string{"library", "docker.io/library", "mirror.gcr.io/library", "public.ecr.aws/docker/library", "google", "gcr.io/google.com/cloudsdktool",
		"gcr.io/k8s-staging-releng", "gcr.io/k8s-staging-build-image", "registry.k8s.io/build-image", "k8s.gcr.io/build-image"}
}

// builderCommand is what a step without an entrypoint runs: the program that
// its image is known for, with the arguments, or the arguments alone.
func builderCommand(image string, args []string) ([]string, error) {
	registry, last := path.Split(repository(image))
	registry = strings.TrimSuffix(registry, "/")
	switch {
	case registry == "gcr.io/cloud-builders" && plainProgram.MatchString(last):
		return append([]string{last}, args...), nil
	case slices.Contains(bareImages(), last) && (registry == "" || slices.Contains(bareRegistries(), registry)):
		if len(args) == 0 {
			return nil, fmt.Errorf("the step has neither script nor args, so there is nothing to run in %s", image)
		}
		return args, nil
	}
	return nil, fmt.Errorf("which program %s runs is not known, for images are not used here: name it as the step's entrypoint, or write a script", image)
}

var plainProgram = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

var workspacePath = regexp.MustCompile(`(^|[^A-Za-z0-9_./-])` + Workspace + `($|[^A-Za-z0-9_.-])`)

// Relocate writes a folder in for /workspace wherever that stands as a path of
// its own, or begins one.
func Relocate(text, folder string) string {
	// A match ends with the character behind it, which may begin the next.
	for from := 0; from <= len(text); {
		m := workspacePath.FindStringSubmatchIndex(text[from:])
		if m == nil {
			break
		}
		start, end := from+m[3], from+m[4]
		text = text[:start] + folder + text[end:]
		from = start + len(folder)
	}
	return text
}
