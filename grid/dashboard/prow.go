package dashboard

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"seaworthy/strict"
)

// ReadProw takes from Prow's own configuration (config.yaml) where results lie
// and below which address runs are shown, and passes over everything else.
// Entries of default_decoration_config_entries for one cluster alone are passed
// over, too: results of all clusters are looked for in one place.
func ReadProw(name string, data []byte) (Prow, []Problem) {
	docs, problems := strict.Documents(name, data)
	p := Prow{Buckets: map[string]string{}, Pages: map[string]string{}}
	for _, doc := range docs {
		plank := under(doc, "plank")
		var y plankYAML
		for _, part := range []struct {
			key  string
			into any
		}{{"job_url_prefix_config", &y.Pages}, {"default_decoration_config_entries", &y.Entries}, {"default_decoration_configs", &y.Configs}} {
			if node := under(plank, part.key); node != nil {
				// Other fields are Prow's business.
				if err := node.Decode(part.into); err != nil {
					problems = append(problems, Problem{File: name, Line: node.Line, Message: part.key + ": " + strings.ReplaceAll(err.Error(), "\n", " ")})
				}
			}
		}
		p.take(y)
	}
	return p, strict.Sort(problems)
}

type plankYAML struct {
	Pages   map[string]string
	Entries []struct {
		Repo    string         `yaml:"repo"`
		Cluster string         `yaml:"cluster"`
		Config  decorationYAML `yaml:"config"`
	}
	Configs map[string]decorationYAML
}

type decorationYAML struct {
	Results struct {
		Bucket string `yaml:"bucket"`
		Prefix string `yaml:"path_prefix"`
	} `yaml:"gcs_configuration"`
}

func (d decorationYAML) place() string {
	if d.Results.Bucket == "" {
		return ""
	}
	return path.Join(d.Results.Bucket, d.Results.Prefix)
}

func (p *Prow) take(y plankYAML) {
	for repo, page := range y.Pages {
		p.Pages[repo] = page
	}
	set := func(repo, place string) {
		switch {
		case place == "":
		case repo == "" || repo == "*":
			p.Bucket = place
		default:
			p.Buckets[repo] = place
		}
	}
	for repo, config := range y.Configs {
		set(repo, config.place())
	}
	for _, e := range y.Entries {
		if e.Cluster == "" || e.Cluster == "*" {
			set(e.Repo, e.Config.place())
		}
	}
}

// under returns the value of a key, nil if the node is no mapping that has it.
func under(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
