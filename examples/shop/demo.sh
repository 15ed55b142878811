#!/usr/bin/env bash
# The life of the shop: test the three services as one would at work, in a git
# repository of their own, and release what was tested.
#
# Usage: demo.sh PIPELINE FOLDER
# FOLDER is made, and used again by the next call.
set -euo pipefail
pipeline=$1 folder=$2
shop=$(cd "$(dirname "$0")" && pwd)
say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

mkdir -p "$folder/shop"
find "$folder/shop" -mindepth 1 -maxdepth 1 ! -name .git ! -name .pipeline -exec rm -rf {} +
tar -C "$shop" --exclude=.pipeline -cf - . | tar -C "$folder/shop" -xf -
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
