package job

import (
	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// ParseRepoFile reads a job file that lies in the repository it is about, in
// either form: plain lists are jobs of repo ("OWNER/NAME"), mappings name their
// repositories.
func ParseRepoFile(repo, name string, data []byte) (File, []Problem) {
	docs, problems := strict.Documents(name, data)
	if len(problems) == 0 && len(docs) > 0 && namesRepos(docs[0]) {
		return Parse(name, data)
	}
	return ParseInRepo(repo, name, data)
}

func namesRepos(doc *yaml.Node) bool {
	for i := 0; i+1 < len(doc.Content); i += 2 {
		key, value := doc.Content[i].Value, doc.Content[i+1]
		if (key == "presubmits" || key == "postsubmits") && value.Kind == yaml.MappingNode && len(value.Content) > 0 {
			return true
		}
	}
	return false
}
