package sbom

import "strings"

// expression judges a licence expression.
func (v *validator) expression(what, text string) {
	if text == "" || text == None {
		return
	}
	e, err := ParseExpression(text)
	if err != nil {
		v.say(SPDXRule, "%s: %v", what, err)
		return
	}
	for _, id := range e.Unknown() {
		v.say(SPDXRule, "%s: %q is not in the SPDX licence list: write LicenseRef-NAME and add its text", what, id)
	}
	for _, id := range e.Licenses() {
		ref, _, elsewhere := strings.Cut(id, ":")
		switch {
		case elsewhere && !v.external[ref]:
			v.say(SPDXRule, "%s: the document does not say what %s is", what, ref)
		case isLicenseRef(id) && !v.declared[id]:
			v.say(SPDXRule, "%s: the document does not have the text of %s", what, id)
		}
	}
}

// licenses judges the texts the document brings.
func (v *validator) licenses() {
	seen := map[string]bool{}
	for _, l := range v.d.Licenses {
		v.at(DocumentID, l.ID)
		if !isLicenseRef(l.ID) {
			v.say(SPDXRule, "the licence %q must be called LicenseRef-NAME", l.ID)
		}
		if strings.TrimSpace(l.Text) == "" {
			v.say(SPDXRule, "the licence %s has no text", l.ID)
		}
		if seen[l.ID] {
			v.say(SPDXRule, "the licence %s is there twice", l.ID)
		}
		seen[l.ID] = true
	}
}

// contents judges what packages say of the files they hold.
func (v *validator) contents() {
	files := map[ID]File{}
	for _, f := range v.d.Files {
		files[f.ID] = f
	}
	within := map[ID][]*File{}
	for _, r := range v.d.Relationships {
		from, to := r.From, r.To
		if r.Type == ContainedBy {
			from, to = to, from
		}
		if f, ok := files[to]; ok && (r.Type == Contains || r.Type == ContainedBy) {
			within[from] = append(within[from], &f)
		}
	}
	for _, p := range v.d.Packages {
		v.at(p.ID, strings.TrimSpace(p.Name+" "+p.Version))
		list := within[p.ID]
		if !p.FilesAnalyzed {
			if len(list) > 0 {
				v.say(SPDXRule, "it holds %d files, and says that its files were not analyzed", len(list))
			}
			continue
		}
		if p.VerificationCode == "" {
			v.say(SPDXRule, "its files were analyzed, and it has no verification code")
			continue
		}
		if code, ok := verificationCode(list, p.Excluded); ok && len(list) > 0 && code != p.VerificationCode {
			v.say(SPDXRule, "its verification code is %s, its files give %s", p.VerificationCode, code)
		}
	}
}

// relationships judges both ends and what is between.
func (v *validator) relationships() {
	known := map[RelationshipType]bool{}
	for _, t := range relationshipTypes() {
		known[t] = true
	}
	for _, r := range v.d.Relationships {
		v.at(r.From, "")
		if !known[r.Type] {
			v.say(SPDXRule, "%q is no type of relationships", r.Type)
		}
		v.end(r, r.From)
		if r.To != "" && r.To != None {
			v.end(r, r.To)
		}
	}
}

func (v *validator) end(r Relationship, id ID) {
	if ref, _, elsewhere := strings.Cut(string(id), ":"); elsewhere {
		if !v.external[ref] || !validID(id) {
			v.say(SPDXRule, "%s %s %s: the document does not say what %s is", r.From, r.Type, r.To, ref)
		}
		return
	}
	if !v.elements[id] {
		v.say(SPDXRule, "%s %s %s: %s is not in the document", r.From, r.Type, asserted(string(r.To)), id)
	}
}

// relationshipTypes is the list of SPDX 2.3, 11.1.
func relationshipTypes() []RelationshipType {
	return []RelationshipType{
		"AMENDS", "ANCESTOR_OF", "BUILD_DEPENDENCY_OF", "BUILD_TOOL_OF", "CONTAINED_BY", "CONTAINS", "COPY_OF", "DATA_FILE_OF", "DEPENDENCY_MANIFEST_OF",
		"DEPENDENCY_OF", "DEPENDS_ON", "DESCENDANT_OF", "DESCRIBED_BY", "DESCRIBES", "DEV_DEPENDENCY_OF", "DEV_TOOL_OF", "DISTRIBUTION_ARTIFACT",
		"DOCUMENTATION_OF", "DYNAMIC_LINK", "EXAMPLE_OF", "EXPANDED_FROM_ARCHIVE", "FILE_ADDED", "FILE_DELETED", "FILE_MODIFIED", "GENERATED_FROM", "GENERATES",
		"HAS_PREREQUISITE", "METAFILE_OF", "OPTIONAL_COMPONENT_OF", "OPTIONAL_DEPENDENCY_OF", "OTHER", "PACKAGE_OF", "PATCH_APPLIED", "PATCH_FOR",
		"PREREQUISITE_FOR", "PROVIDED_DEPENDENCY_OF", "REQUIREMENT_DESCRIPTION_FOR", "RUNTIME_DEPENDENCY_OF", "SPECIFICATION_FOR", "STATIC_LINK",
		"TEST_CASE_OF", "TEST_DEPENDENCY_OF", "TEST_OF", "TEST_TOOL_OF", "VARIANT_OF",
	}
}
