# A Debian system of this machine's release that is booted for a test and forgotten; to be sourced
# beside contrib/packages.bash.
# shellcheck shell=bash disable=SC2034,SC2154

# What the system has beyond Debian's smallest: a service manager for each user, what the checks use
# and what the package depends on (openssl for its library, whatever that is called).
root_packages=(
  ca-certificates dbus dbus-user-session init-system-helpers libpam-systemd libsystemd0 openssl
  procps python3 socat systemd systemd-sysv
)

# Ends the test where it cannot be done.
not_here() {
  say "skipped: $*"
  exit 77
}

# The mirror that apt has for this release.
debian_mirror() {
  # shellcheck disable=SC2016 # The dollars are apt's.
  apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' |
    awk -v release="$1" '$1 == release { print $2; exit }'
}

# Makes the system's root where it is not kept from before; prints its path. It is written once and
# only read afterwards. Another is made once this machine's libraries, which the package is built
# with, have changed.
debian_root() {
  local release mirror cache kind root
  # shellcheck disable=SC1091
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/hotline
  kind=$release-$(dpkg --print-architecture)
  root=$cache/$kind-$({
    echo "${root_packages[*]}"
    dpkg-query --show libc6 libsystemd0 openssl
  } | cksum | cut -d ' ' -f 1)
  mkdir -p "$cache"
  exec {lock}>"$cache/lock"
  flock "$lock"
  if [[ ! -d $root ]]; then
    mirror=$(debian_mirror "$release")
    [[ -n $mirror ]] || not_here "apt has no mirror for the release \"$release\""
    say "making $root from $mirror (a minute, once)"
    rm -rf "$cache/$kind"-*
    debootstrap --variant=minbase --include="$(IFS=, && echo "${root_packages[*]}")" \
      "$release" "$root.partial" "$mirror" >"$root.log" 2>&1 || {
      tail -n 5 "$root.log" >&2
      not_here "debootstrap of $release from $mirror failed; see $root.log"
    }
    rm -rf "$root.partial"/var/cache/apt/*.bin "$root.partial"/var/cache/apt/archives/*.deb
    mv "$root.partial" "$root"
  fi
  exec {lock}>&-
  printf '%s\n' "$root"
}

# Boots the root; what it writes is kept in memory, and gone at the end. It has no network but its
# own loopback. $shared is /test in there.
boot_container() {
  local root=$1 shared=$2 options
  options=(
    --quiet --directory="$root" --volatile=overlay --private-network --machine="hotline-$$"
    --register=no --keep-unit --link-journal=no --console=pipe --bind-ro="$shared:/test"
  )
  systemd-nspawn "${options[@]}" /bin/true </dev/null >"$directory/console" 2>&1 ||
    not_here "systemd-nspawn cannot start a container: $(tail -n 1 "$directory/console")"
  systemd-nspawn "${options[@]}" --boot </dev/null >"$directory/console" 2>&1 &
  container=$!
  wait_for 30 "the container's first process" find_leader
  wait_for 60 "the container's start" as_root systemctl is-active --quiet multi-user.target
}

find_leader() { leader=$(pgrep --parent "$container" --exact systemd); }

stop_container() {
  local attempt
  [[ -n ${container:-} ]] || return 0
  # An orderly halt for the first signal, an immediate end for the second.
  kill "$container" 2>/dev/null || true
  for ((attempt = 0; attempt < 100; attempt++)); do
    kill -0 "$container" 2>/dev/null || break
    sleep 0.1
  done
  kill "$container" 2>/dev/null || true
  wait "$container" 2>/dev/null || true
  container=
}

# Run a command in the container.
as_root() {
  nsenter --target "$leader" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}

as_user() {
  local user=$1
  shift
  as_root setpriv --reuid="$user" --regid="$user" --init-groups env HOME="/home/$user" \
    USER="$user" XDG_RUNTIME_DIR="/run/user/$(as_root id -u "$user")" "$@"
}

# Waits for a command to succeed, at most so many seconds.
wait_for() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < until)) || die "$what does not come"
    sleep 0.05
  done
}
