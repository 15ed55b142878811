// Releases a version with another GitLab client and prints what it read back.
// Arguments: address, project, access token.
const { Gitlab } = require("@gitbeaker/rest");

const [host, project, token] = process.argv.slice(2);
const api = new Gitlab({ host, token });

async function main() {
  await api.PackageRegistry.publish(project, "app", "2.0.0", { content: new Blob(["from gitbeaker"]), filename: "app.txt" });
  const created = await api.ProjectReleases.create(project, {
    tagName: "v2.0.0",
    ref: "main",
    name: "2.0.0",
    description: "by another client",
    assets: { links: [{ name: "app", url: `${host}/app.txt`, linkType: "package" }] },
  });
  const again = await api.ProjectReleases.create(project, { tagName: "v2.0.0", ref: "main" }).catch((e) => e.cause.response.status);
  const tags = await api.Tags.all(project);
  const tag = await api.Tags.show(project, "v2.0.0");
  const packages = await api.Packages.all({ projectId: project });
  const files = await api.Packages.allFiles(project, packages[0].id);
  const download = await api.PackageRegistry.download(project, "app", "2.0.0", "app.txt");
  const links = await api.ReleaseLinks.all(project, "v2.0.0");
  const text = await (download.text ? download.text() : String(download));
  console.log(JSON.stringify({
    release: created.name,
    again,
    tags: tags.map((t) => t.name),
    onCommit: tag.commit.id === created.commit.id,
    files: files.map((f) => f.file_name),
    links: links.map((l) => l.name + " " + l.link_type),
    text,
  }));
}

main().catch((e) => {
  console.error(e, e.cause);
  process.exit(1);
});
