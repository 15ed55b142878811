package release

import (
	"fmt"
	"strings"

	"gitlab.com/selfcontained/pipeline/pipeline/evidence/sign"
	"gitlab.com/selfcontained/pipeline/release/changelog"
	"gitlab.com/selfcontained/pipeline/release/policy"
	"gitlab.com/selfcontained/pipeline/release/version"
)

// Artefacts are where a release lies; empty for what it does not have.
type Artefacts struct {
	// Repository is that of the bundle: "registry.example.com/shop/stock".
	Repository string
	// Chart is that of the chart: "registry.example.com/shop/charts/stock".
	Chart string
	// Programs are the platforms of the programs among the files of the release.
	Programs []string
}

// notes are those of the changelog, what to fetch, and what the gate let pass.
func (d *Draft) notes(in Input) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(changelog.Notes(changelog.Release{
		Version: d.Version, Tag: d.Tag, Previous: d.Previous, Date: in.Now,
		Commits: in.Commits, Proven: Proven(in.Version.Proof), Forge: in.Forge, Written: in.Written,
	}), "\n"))
	b.WriteString("\n")
	d.writeArtefacts(&b, in.Artefacts)
	d.writePrograms(&b, in.Artefacts.Programs)
	d.writeExceptions(&b)
	return strings.TrimLeft(b.String(), "\n")
}

// changes are what the notes say of the code, without date, exceptions and what
// people wrote: the same whenever the release is made or finished.
func (d *Draft) changes(in Input) string {
	text := changelog.Notes(changelog.Release{
		Version: d.Version, Tag: d.Tag, Previous: d.Previous, Commits: in.Commits, Proven: Proven(in.Version.Proof), Forge: in.Forge,
	})
	if len(text) > sign.MaxNotes {
		text = text[:strings.LastIndexByte(text[:sign.MaxNotes], '\n')+1]
	}
	return text
}

// Proven are the changes that the code proves, for the notes.
func Proven(proof []version.Change) []changelog.Change {
	var list []changelog.Change
	for _, c := range proof {
		list = append(list, changelog.Change{Text: c.Text, Where: c.Where, Bump: changelog.Bump(c.Bump.String())})
	}
	return list
}

func (d *Draft) writeArtefacts(b *strings.Builder, a Artefacts) {
	if a.Repository == "" || d.Bundle == "" {
		return
	}
	fmt.Fprintf(b, "\n### Artefacts\n\n- Image and all that belongs to it: `%s:%s`, digest `%s`\n", a.Repository, d.Version, d.Bundle)
	if a.Chart != "" {
		fmt.Fprintf(b, "- Chart: `helm pull oci://%s --version %s`\n", a.Chart, d.Version)
	}
}

// writePrograms tells how to check a program that was downloaded.
func (d *Draft) writePrograms(b *strings.Builder, platforms []string) {
	if len(platforms) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### Programs\n\n- For %s; check a download with `sha256sum --check --ignore-missing %s-%s.sha256`\n",
		strings.Join(platforms, ", "), d.Service, d.Version)
	if !d.Unsigned {
		fmt.Fprintf(b, "- Signed: `pipeline verify FILE --key release.pub`, with `%s-%s.intoto.jsonl` beside it\n", d.Service, d.Version)
	}
}

// writeExceptions tells for ever on whose word a rule passed.
func (d *Draft) writeExceptions(b *strings.Builder) {
	exceptions := d.Gate.Exceptions()
	if len(exceptions) == 0 && !d.Unsigned {
		return
	}
	b.WriteString("\n### Exceptions\n\n")
	if d.Unsigned {
		b.WriteString("- Unsigned: no key vouches for the evidence.\n")
	}
	for _, f := range exceptions {
		fmt.Fprintf(b, "- %s: %s\n", f.Rule, exceptionText(f))
	}
}

func exceptionText(f policy.Finding) string {
	if f.Exception == nil {
		return string(f.Status)
	}
	return fmt.Sprintf("%s, %s", f.Status, changelog.Text(f.Exception.String()))
}
