#!/usr/bin/env bash
# The life of the shop: test the three services as one would at work, in a git
# repository of their own, release what was tested, test the releases together
# as a system, and promote that to staging.
#
# Usage: demo.sh PIPELINE FOLDER
# FOLDER is made, and used again by the next call.
set -euo pipefail
pipeline=$1 folder=$2
shop=$(cd "$(dirname "$0")" && pwd)
say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

mkdir -p "$folder/shop"
find "$folder/shop" -mindepth 1 -maxdepth 1 ! -name .git ! -name .pipeline -exec rm -rf {} +
tar -C "$shop" --exclude=.pipeline --exclude=./system -cf - . | tar -C "$folder/shop" -xf -
cd "$folder/shop"
git init --quiet --initial-branch=main
git add --all
git diff --cached --quiet ||
  git -c user.name=demo -c user.email=demo@example.com commit --quiet --message 'feat: the shop as it is'

say "pipeline run: all stages of stock, cart and web"
"$pipeline" run

export PIPELINE_SIGNING_PASSWORD=demo
[ -e "$folder/demo.key" ] || "$pipeline" keys new "$folder/demo" >/dev/null
export PIPELINE_SIGNING_KEY=$folder/demo.key
say "pipeline release: a version for what was tested, in a registry on this machine"
"$pipeline" release --forge none

# The system has a repository of its own, with a bare one as its origin. Where the
# registry listens changes from call to call, and so does its address in scs.yaml.
"$pipeline" registry >"$folder/registry" &
trap 'kill $!' EXIT
until grep -q serves "$folder/registry"; do kill -0 $! && sleep 0.05; done
address=$(sed 's/ serves .*//' "$folder/registry")
system=$folder/system
if [ ! -d "$system/.git" ]; then
  rm -rf "$system" "$system.git"
  git init --quiet --bare --initial-branch=main "$system.git"
  git clone --quiet "$system.git" "$system" 2>/dev/null
  git -C "$system" checkout --quiet -B main
fi
cd "$system"
git pull --quiet 2>/dev/null || true # the first time there is nothing
cp -r "$shop/system/acceptance" "$shop/system/values.yaml" .
mkdir -p keys
cp "$folder/demo.pub" keys/release.pub
cp "$folder/demo.pub" keys/owner.pub
sed "s|registry.example.com/shop|$address|" "$shop/system/scs.yaml" >scs.yaml
git add --all
git diff --cached --quiet ||
  git -c user.name=demo -c user.email=demo@example.com commit --quiet --message 'feat: the shop as a system'
git push --quiet --set-upstream origin main

say "pipeline scs update: test exactly these releases together"
"$pipeline" scs update --commit
git pull --quiet
say "pipeline scs promote: staging gets what was tested, all of it at once"
"$pipeline" scs promote --to staging
say "pipeline scs status; the report of the tests is $folder/shop/.pipeline/reports/report.html"
"$pipeline" scs status --no-cluster
