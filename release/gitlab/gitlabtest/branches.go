package gitlabtest

// ProtectBranch says who may push to branches: the rules are those of tags.
func (p *Project) ProtectBranch(branches ...ProtectedTag) {
	p.home.edit(func(*state) { p.Branches = append(p.Branches, branches...) })
}

// listProtectedBranches shows what the official client knows.
// Source: lib/api/entities/protected_branch.rb.
func (c *call) listProtectedBranches() {
	id := 0
	page(c, c.project.Branches, func(rule ProtectedTag) object {
		id++
		levels := c.showProtected(rule)["create_access_levels"]
		return object{
			"id": id, "name": rule.Pattern, "push_access_levels": levels, "merge_access_levels": levels,
			"unprotect_access_levels": []object{}, "allow_force_push": false, "code_owner_approval_required": false,
		}
	})
}
