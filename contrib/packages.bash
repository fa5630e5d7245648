# Finds and installs what the scripts beside this need; to be sourced.
# shellcheck shell=bash disable=SC2034

may_install=true

# Each is a package of Debian and its kin, =, and what shows that it is there: a command, a file,
# or python: and a module.
build_packages=(
  git=git
  libssl-dev=/usr/include/openssl/ssl.h
  libsystemd-dev=/usr/include/systemd/sd-daemon.h
)
demo_packages=(
  jq=jq
  python3=python3
  socat=socat
)
test_packages=(
  jq=jq
  man-db=man
  nginx=nginx
  openssl=openssl
  procps=pgrep
  python3=python3
  python3-venv=python:ensurepip
  shellcheck=shellcheck
  socat=socat
  systemd=systemd-socket-activate
)

# Servers and tools for administrators are not in everybody's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s\n' "$*" >&2; }

die() {
  say "${0##*/}: $*"
  exit 1
}

is_there() {
  case $1 in
    /*) [[ -e $1 ]] ;;
    python:*) python3 -c "import ${1#python:}" 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Prints those of the packages that are missing.
missing_packages() {
  local each
  for each; do
    is_there "${each#*=}" || printf '%s\n' "${each%%=*}"
  done
}

can_install() {
  "$may_install" && ((EUID == 0)) && command -v apt-get >/dev/null
}

# Installs packages of Debian and starts no service that comes with them (invoke-rc.d(8) asks
# policy-rc.d). A policy that is there already stays as it is.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy && ! -L $policy ]]; then
    # shellcheck disable=SC2064 # The name is to be taken now.
    trap "rm -f $policy" EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  say "installing: $*"
  apt-get -q update >&2
  apt-get -q install -y --no-install-recommends "$@" >&2
)

# Installs what is missing of the packages, or ends with the reason why it cannot.
require_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  can_install || die "missing: ${missing[*]}; run as root: apt-get install ${missing[*]}"
  install_packages "${missing[@]}"
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || die "still missing after the installation: ${missing[*]}"
}

require_toolchain() {
  command -v swift >/dev/null ||
    die "there is no Swift toolchain; see https://www.swift.org/install/linux/"
}
