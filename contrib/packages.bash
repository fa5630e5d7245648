# Finds and installs what the scripts beside this need; to be sourced.
# shellcheck shell=bash disable=SC2034

may_install=true

# Each is a package of Debian and its kin, =, and what shows that it is there: a command, a file,
# a language with a module of it, or either of two with | between.
build_packages=(
  git=git
  libssl-dev=/usr/include/openssl/ssl.h
  libsystemd-dev=/usr/include/systemd/sd-daemon.h
  zlib1g-dev=/usr/include/zlib.h
)
deb_packages=(
  debhelper=dh
  dpkg-dev=dpkg-buildpackage
  pkg-config=pkg-config
  systemd=/usr/share/pkgconfig/systemd.pc
)
deb_test_packages=(
  faketime=faketime
  debootstrap=debootstrap
  lintian=lintian
  systemd-container=systemd-nspawn
)
demo_packages=(
  jq=jq
  python3=python3
  socat=socat
)
test_packages=(
  fish=fish
  gcc=cc
  gccgo='go|gccgo'
  jq=jq
  libc6-dev=/usr/include/stdio.h
  libjansson-dev=/usr/include/jansson.h
  lua5.4=lua5.4
  lua-cjson=lua5.4:cjson
  lua-socket=lua5.4:socket.unix
  man-db=man
  microsocks=microsocks
  nginx=nginx
  nodejs=node
  openssl=openssl
  perl=perl:JSON::PP
  procps=pgrep
  prometheus=promtool
  python3=python3
  python3-venv=python:ensurepip
  ruby=ruby
  shellcheck=shellcheck
  socat=socat
  stunnel4=stunnel4
  systemd=systemd-socket-activate
  tinyproxy-bin=tinyproxy
  valgrind=valgrind
  vim=/usr/bin/vim.basic
  zsh=zsh
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
    *'|'*) is_there "${1%%|*}" || is_there "${1#*|}" ;;
    /*) [[ -e $1 ]] ;;
    lua5.4:*) lua5.4 -e "require('${1#lua5.4:}')" 2>/dev/null ;;
    perl:*) perl -M"${1#perl:}" -e 1 2>/dev/null ;;
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
