#!/usr/bin/env bash
# A world to play with the shop as a self-contained system: a registry on this
# machine, a git repository for each service, and releases made by the real
# commands. Every step looks first whether it is done; what was interrupted is
# finished by the same command.
#
# usage: world.sh STEP | all | check | env | down
#
# The steps, each of which takes those before it along:
#   first         stock, cart and web 0.1.0, and the repository of the system
#   good          stock 0.1.1 and cart 0.1.1: two small fixes
#   broken        stock 0.1.2: its own tests are green, the system's are not
#   pair          cart 0.1.2, then stock 0.1.3: they fail only together
#   unverified    web 0.1.1: nobody signed its evidence
#   incompatible  web 0.2.0: calls a method that no cart offers
#
# check says whether the patches in world/ still fit the services, env prints
# the variables that sign and find the registry, down stops the registry.
#
# PIPELINE is the binary and WORLD the folder; the defaults are bin/pipeline and
# .pipeline/world in the root of this repository.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
shop=$(dirname "$here")
root=$(cd "$here/../../.." && pwd)
pipeline=${PIPELINE:-$root/bin/pipeline}
world=${WORLD:-$root/.pipeline/world}

# No command of git may take a repository around the world for one in it.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
within() { export GIT_CEILING_DIRECTORIES=$1:$1/shop; }

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() {
  printf 'world: %s\n' "$*" >&2
  exit 3
}

# plan prints the steps in order, with the releases that each makes one after
# another. What is joined by + is tested and released together.
plan() {
  cat <<'END'
first stock-0.1.0+cart-0.1.0+web-0.1.0
good stock-0.1.1+cart-0.1.1
broken stock-0.1.2
pair cart-0.1.2 stock-0.1.3
unverified web-0.1.1
incompatible web-0.2.0
END
}

# The registry: Debian's docker-registry on a port that was free at the first
# start and stays the same, because releases and the lock name it.

registry_runs() {
  local pid
  pid=$(cat "$world/registry/pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null &&
    ps -o args= -p "$pid" | grep -qF "$world/registry/config.yml"
}

registry_up() {
  registry_runs || registry_start
  registry_address >"$world/registry/address.new"
  mv "$world/registry/address.new" "$world/registry/address"
}

# registry_start starts it in a session of its own, so that Ctrl-C ends the
# world's script and not the registry, which notes its process id by itself.
registry_start() {
  command -v docker-registry >/dev/null ||
    die "docker-registry is missing: apt-get install docker-registry, or make world, which installs it"
  local dir=$world/registry address
  address=$(cat "$dir/address" 2>/dev/null || echo 127.0.0.1:0)
  mkdir -p "$dir/data"
  rm -f "$dir/pid"
  : >"$dir/log"
  cat >"$dir/config.yml" <<END
version: 0.1
log: {level: info, accesslog: {disabled: true}}
http: {addr: '$address', secret: world}
storage: {filesystem: {rootdirectory: '$dir/data'}, delete: {enabled: true}}
END
  # shellcheck disable=SC2016 # the inner shell expands it
  setsid bash -c 'echo $$ >"$1/pid.new" && mv "$1/pid.new" "$1/pid" && exec docker-registry serve "$1/config.yml"' \
    - "$dir" >>"$dir/log" 2>&1 9>&- </dev/null &
}

# registry_address waits until the registry says where it listens, for ten
# seconds at most, and prints that.
registry_address() {
  local log=$world/registry/log tries pid
  for ((tries = 0; tries < 200; tries++)); do
    if sed -n 's/.*msg="listening on \([^"]*\)".*/\1/p' "$log" | grep .; then return; fi
    pid=$(cat "$world/registry/pid" 2>/dev/null || echo $$)
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  die "docker-registry does not listen, see $log; if another program has its port, end that or make world-clean"
}

registry_down() {
  if registry_runs; then kill "$(cat "$world/registry/pid")"; fi
  rm -f "$world/registry/pid"
}

# The keys: release.key signs releases, owner.key is that of the person who
# agrees to production.

keys_up() {
  local name
  mkdir -p "$world/keys"
  for name in release owner; do
    [ ! -e "$world/keys/$name.pub" ] || continue
    rm -f "$world/keys/$name.new".{key,pub}
    PIPELINE_SIGNING_PASSWORD=demo "$pipeline" keys new "$world/keys/$name.new" >/dev/null
    mv "$world/keys/$name.new.key" "$world/keys/$name.key"
    mv "$world/keys/$name.new.pub" "$world/keys/$name.pub"
  done
}

# The services: copies of ../stock, ../cart and ../web, each in a repository of
# its own. A version is a commit: the first one is the copy, the others are
# world/SERVICE-VERSION.patch.

# versions prints the versions of a service in order.
versions() { plan | tr -s ' +' '\n' | sed -n "s/^$1-//p"; }

# service_new makes the repository of a service with its first commit.
service_new() {
  local service=$1 dir=$2
  rm -rf "$dir.new"
  mkdir -p "$dir.new"
  tar -C "$shop/$service" --exclude=./.pipeline --exclude=./bin -cf - . | tar -C "$dir.new" -xf -
  repository "$dir.new" "The shop" shop@example.com
  at 2026-01-05T09:00:00Z git -C "$dir.new" commit --quiet --message "feat: the $service of the shop"
  mv "$dir.new" "$dir"
}

# repository makes one of a folder, with all of its files to be committed.
repository() {
  git -C "$1" init --quiet --initial-branch=main
  git -C "$1" config user.name "$2"
  git -C "$1" config user.email "$3"
  git -C "$1" config commit.gpgSign false
  git -C "$1" add --all
}

# at runs a command of git at a given time, so that everybody's world has the
# same commits.
at() { GIT_AUTHOR_DATE=$1 GIT_COMMITTER_DATE=$1 "${@:2}"; }

# service_commit applies the patch of a version as the commit that it is.
service_commit() {
  local patch=$here/world/$1-$2.patch dir=$3
  git -C "$dir" -c advice.mergeConflict=false am --quiet --committer-date-is-author-date "$patch" >&2 ||
    die "$patch does not fit the service any more; README.md says how to write it anew"
  # Generated code is in no patch: it belongs to the generators of the day.
  if grep -q '^diff --git a/proto/' "$patch"; then
    (cd "$dir" && go generate ./...)
    git -C "$dir" add --all
    at "$(git -C "$dir" log -1 --format=%aI)" git -C "$dir" commit --quiet --amend --no-edit
  fi
}

# service_checkout brings the repository of a service to a version: the commits
# that are missing are made.
service_checkout() {
  local service=$1 upto=$2 dir=$3 version before=HEAD
  [ -d "$dir/.git" ] || service_new "$service" "$dir"
  for version in $(versions "$service"); do
    if [ "$version" != 0.1.0 ] && [ ! -e "$dir/.git/world-$version" ]; then
      # An interrupted call may have left anything here.
      rm -rf "$dir/.git/rebase-apply" "$dir/.git/index.lock"
      git -C "$dir" reset --quiet --hard "$before"
      git -C "$dir" clean --quiet --force -d
      service_commit "$service" "$version" "$dir"
    fi
    git -C "$dir" rev-parse HEAD >"$dir/.git/world-$version.new"
    [ -e "$dir/.git/world-$version" ] || mv "$dir/.git/world-$version.new" "$dir/.git/world-$version"
    before=$(cat "$dir/.git/world-$version")
    [ "$version" != "$upto" ] || return 0
  done
}

# release tests and releases what is joined by + in its argument.
release() {
  local each todo=() services=() flags=(--forge none --registry "$(cat "$world/registry/address")/shop/")
  for each in ${1//+/ }; do
    [ ! -e "$world/registry/released/$each" ] || continue
    todo+=("$each")
    services+=(--service "${each%%-*}")
    service_checkout "${each%%-*}" "${each#*-}" "$world/shop/${each%%-*}"
  done
  [ ${#todo[@]} -gt 0 ] || return 0
  say "${todo[*]}"
  (
    exec 9>&- >&2
    export PIPELINE_SIGNING_KEY=$world/keys/release.key PIPELINE_SIGNING_PASSWORD=demo
    if [ "$1" = web-0.1.1 ]; then
      flags+=(--unsigned)
      unset PIPELINE_SIGNING_KEY
    fi
    cd "$world/shop"
    "$pipeline" run "${services[@]}"
    "$pipeline" release "${flags[@]}" "${services[@]}"
  )
  mkdir -p "$world/registry/released"
  for each in "${todo[@]}"; do : >"$world/registry/released/$each"; done
}

# The system: this folder without what makes the world, in a repository with a
# bare one as its origin.

system_up() {
  local dir=$world/system.new origin=$world/system.git
  [ ! -d "$world/system" ] || return 0
  say "the system"
  rm -rf "$dir" "$origin"
  mkdir -p "$dir/keys"
  tar -C "$here" --exclude=./.pipeline --exclude=./world --exclude=./world.sh --exclude=./Makefile -cf - . | tar -C "$dir" -xf -
  sed "s|registry.example.com|$(cat "$world/registry/address")|" "$here/scs.yaml" >"$dir/scs.yaml"
  cp "$world/keys/release.pub" "$world/keys/owner.pub" "$dir/keys/"
  git init --quiet --bare --initial-branch=main "$origin"
  repository "$dir" "The shop's owner" owner@shop.example.com
  git -C "$dir" remote add origin "$origin"
  at 2026-01-06T09:00:00Z git -C "$dir" commit --quiet --message 'feat: the shop as a system'
  git -C "$dir" push --quiet --set-upstream origin main
  mv "$dir" "$world/system"
}

# check applies all patches to copies of the services.
check() {
  local service dir
  dir=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name is known now
  trap "rm -rf '$dir'" EXIT
  within "$dir"
  for service in stock cart web; do
    service_checkout "$service" "$(versions "$service" | tail -1)" "$dir/$service"
    (cd "$dir/$service" && go vet -tags module,integration ./...)
  done
}

print_env() {
  printf 'export PIPELINE=%q WORLD=%q\n' "$pipeline" "$world"
  printf 'export PIPELINE_SIGNING_KEY=%q PIPELINE_SIGNING_PASSWORD=demo\n' "$world/keys/release.key"
}

# steps makes all steps up to one.
steps() {
  local upto=$1 name releases each
  while read -r name releases <&3; do
    for each in $releases; do release "$each"; done
    [ "$name" != first ] || system_up
    [ "$name" != "$upto" ] || return 0
  done 3< <(plan)
}

# hints says what to type after a step.
hints() {
  local self=$here/world.sh following mine
  mine=$(printf 'WORLD=%q PIPELINE=%q ' "$world" "$pipeline")
  following=$(plan | sed -n "/^$1 /{n;s/ .*//p;}")
  cat >&2 <<END

The world is in $world: the registry at $(cat "$world/registry/address"),
the services in shop/, the system in system/. What to type next:

  cd $world/system && eval "\$($mine$self env)"
  \$PIPELINE scs update --commit
END
  [ -z "$following" ] || printf '  %s %s      # newer releases\n' "$self" "$following" >&2
}

usage() {
  sed -n '/^# usage:/,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

# locate makes the paths absolute.
locate() {
  pipeline=$(command -v "$pipeline") || die "${PIPELINE:-$pipeline} is missing: make build makes it, PIPELINE names another one"
  pipeline=$(realpath "$pipeline")
  world=$(realpath -m "$world")
}

# step makes the world up to a step; one call at a time does so.
step() {
  plan | grep -q "^$1 " || usage
  locate
  within "$world"
  mkdir -p "$world"
  exec 9>"$world/lock"
  flock --nonblock 9 || { say "waiting for another world.sh" && flock 9; }
  registry_up
  keys_up
  steps "$1"
  hints "$1"
}

case ${1:-first} in
check) check ;;
down) registry_down ;;
env) locate && print_env ;;
all) step incompatible ;;
*) step "${1:-first}" ;;
esac
