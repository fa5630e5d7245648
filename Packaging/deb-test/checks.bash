# What is promised of the Debian package, each in a function, run one after the other in one system;
# to be sourced.
# shellcheck shell=bash disable=SC2034,SC2154

checks=(
  preparation installation units missing_key first_request journal access_log key_rotation
  restart_under_load killed_daemon stuck_daemon idle_exit full_disk read_only_home credential
  upgrade_under_load downgrade system_instance removal
)

fail() {
  say "not so: $*"
  exit 1
}

# What the container's journal and console have to say to a failure.
show_what_was() {
  [[ -z ${leader:-} ]] ||
    as_root journalctl --no-pager --boot --lines=60 --output=short-monotonic >&2 || true
  tail -n 20 "$directory/console" >&2
}

ann() { as_user ann "$@"; }
daemon_pid() { ann systemctl --user show --property=MainPID --value hotlined.service; }
has_new_pid() {
  local now
  now=$(daemon_pid)
  [[ $now != 0 && $now != "$1" ]]
}

# Writes a line to a socket as a user and prints what comes back.
say_to() {
  as_user "$1" socat -t 60 - "UNIX-CONNECT:$2" <<<"$3"
}

# Writes a key to a file that is its owner's alone.
write_key() { as_user "$1" sh -c "umask 077 && cat >'$2'" <<<a-key; }

request='{"type":"response.create","model":"m","input":"one two three"}'

expect_answer() {
  local lines
  lines=$(say_to "$1" "$2" "$request") || fail "$1 was not served at $2"
  grep -q '"type":"hotline.done".*"outcome":"completed"' <<<"$lines" || fail "$1 got: $lines"
}

begin_load() {
  mkfifo "$directory/load"
  ann /test/load "$socket" <"$directory/load" >"$directory/report" &
  load=$!
  exec {load_input}>"$directory/load"
}

# Ends the load; every client connected and was answered, if only by the news that the daemon stops.
end_load() {
  local report
  exec {load_input}>&-
  rm "$directory/load"
  wait "$load" || fail "the clients did not end well"
  report=$(<"$directory/report")
  say "$report"
  [[ $report == *'"refused": 0, "unanswered": 0'* ]] || fail "clients were left alone"
  [[ $report == *'"completed": '* && $report == *'"pong": '* ]] || fail "nobody was served"
  ! grep -oE '"[a-z_]+": [0-9]+' <<<"${report#*answers}" |
    grep -vE '"(completed|pong|shutting_down|slowest_ms)"' >&2 || fail "other answers came"
}

# Everything on the disk but logs, caches, the package database and what users and the administrator
# wrote themselves.
list_files() {
  as_root find / -xdev -not \( \( -path /home -o -path /var/log -o -path /var/cache \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /etc/hotline -o -path /srv \
    -o -path /var/lib/systemd/timers \) -prune \) | sort
}

# A simulated server, and users whose managers run without a login.
check_preparation() {
  local user
  as_root tee /etc/hosts <<<'127.0.0.1 localhost' >/dev/null
  as_root systemd-run --quiet --unit=simulator /test/hotline-simulator \
    --directory /srv/simulator --first-delta-ms 50 --gap-ms 20
  wait_for 20 "the simulator" as_root test -s /srv/simulator/url
  url=$(as_root cat /srv/simulator/url)
  for user in ann bob; do
    as_root useradd --create-home "$user"
    as_root loginctl enable-linger "$user"
    wait_for 20 "the manager of $user" as_user "$user" systemctl --user is-active default.target
    as_user "$user" mkdir -p "/home/$user/.config/hotline/keys"
    configuration | as_user "$user" tee "/home/$user/.config/hotline/config.toml" >/dev/null
  done
  write_key ann /home/ann/.config/hotline/keys/smartaipi
  socket=/run/user/$(as_root id -u ann)/hotline.sock
}

configuration() {
  printf '[upstream.smartaipi]\nurl = "%s"\nca_file = "/srv/simulator/ca.pem"\n' "$url"
}

install_package() {
  as_root apt-get -q -y --no-install-recommends --allow-downgrades install "$1" \
    >"$directory/apt" 2>&1 || {
    cat "$directory/apt" >&2
    fail "apt-get does not install $1"
  }
}

# It can be installed and starts nothing.
check_installation() {
  local unit file
  list_files >"$directory/before"
  install_package /test/first.deb
  for file in man/man8/hotlined.8.gz man/man5/hotline.toml.5.gz doc/hotline/examples/config.toml \
    bash-completion/completions/hotline zsh/vendor-completions/_hotline \
    fish/vendor_completions.d/hotline.fish; do
    as_root test -s "/usr/share/$file" || fail "there is no /usr/share/$file"
  done
  as_root test -s /usr/lib/systemd/catalog/hotline.catalog || fail "there is no catalog"
  ann hotline --version >&2
  ann hotlined --check-config >&2 || fail "the configuration is not good"
  for unit in hotlined.socket hotlined.service; do
    [[ $(ann systemctl --user is-enabled "$unit") == disabled ]] || fail "$unit is enabled"
    [[ $(ann systemctl --user is-active "$unit") == inactive ]] || fail "$unit is active"
    ann systemctl --user preset "$unit"
    [[ $(ann systemctl --user is-enabled "$unit") == disabled ]] || fail "a preset enables $unit"
  done
}

# Nothing in the units is unknown to this systemd, and the system's is locked up well.
check_units() {
  local said
  said=$(as_root systemd-analyze verify --man=no hotlined@test.service hotlined@test.socket 2>&1)
  said+=$(ann systemd-analyze --user verify --man=no hotlined.service hotlined.socket 2>&1)
  [[ -z $said ]] || fail "systemd-analyze verify: $said"
  as_root systemd-analyze security --offline=yes --threshold=20 hotlined@test.service \
    >"$directory/security" || fail "$(tail -n 1 "$directory/security")"
  tail -n 1 "$directory/security" >&2
}

# A client of a daemon that cannot start is told why at once, and the next one served when that is mended.
check_missing_key() {
  local attempt
  as_user bob systemctl --user enable --quiet --now hotlined.socket
  # More often than a unit may be started in three seconds.
  for attempt in 1 2 3 4 5 6 7 8; do
    ! as_user bob hotline ping --timeout 20 2>"$directory/ping" || fail "no key, but an answer"
    grep -q 'not_configured: .*hotline key set' "$directory/ping" ||
      fail "bob was told: $(<"$directory/ping")"
  done
  cat "$directory/ping" >&2
  as_root journalctl --quiet --grep 'there is no API key' --lines=1 >/dev/null ||
    fail "the journal does not say that there is no key"
  as_user bob hotline key set <<<a-key >&2 || fail "no key can be stored"
  [[ $(as_user bob stat -c '%a %U' /home/bob/.config/hotline/keys/smartaipi) == '600 bob' ]] ||
    fail "the key is not bob's alone"
  as_user bob hotline ping --timeout 20 >&2 || fail "bob is not served with a key"
  as_user bob systemctl --user disable --quiet --now hotlined.socket hotlined.service
}

# The socket is enough: the first request starts the daemon.
check_first_request() {
  ann systemctl --user enable --quiet --now hotlined.socket
  [[ $(ann stat -c '%a %U' "$socket") == '600 ann' ]] || fail "the socket is not ann's alone"
  [[ $(daemon_pid) == 0 ]] || fail "the daemon runs without a client"
  expect_answer ann "$socket"
  [[ $(daemon_pid) != 0 ]] || fail "somebody else answered"
  ann hotline status >&2 || fail "no status"
  ann systemctl --user show --property=StatusText hotlined.service >&2
}

# What the user's journal has, one field of the newest entry with this message.
journal_field() {
  as_root journalctl --quiet --output=json --output-fields="$2" --lines=1 --identifier=hotlined \
    --grep "$1" | python3 -c "import json, sys; print(json.load(sys.stdin)['$2'])"
}

has_journal_field() { journal_field "$1" "$2" | grep -q -- "$3"; }

# The journal has fields and explanations, SIGUSR1 writes the status there.
check_journal() {
  local said
  wait_for 10 "the entry" has_journal_field 'upstream connection opened' HOTLINE_UPSTREAM smartaipi
  has_journal_field 'upstream connection opened' HOTLINE_CONNECTION '^[0-9]' || fail "no connection"
  has_journal_field 'upstream connection opened' CODE_FUNC upstreamOpened || fail "no function"
  said=$(as_root journalctl --quiet --catalog --identifier=hotlined --grep '^listening')
  [[ $said == *'The daemon listens and takes requests'* ]] || fail "nothing is explained: $said"
  ann systemctl --user kill --signal=USR1 hotlined.service
  wait_for 10 "the status" has_journal_field '^status clients' MESSAGE 'smartaipi ok'
}

# The access log's lines are the journal's, as messages of their own.
check_access_log() {
  local file=/home/ann/.config/hotline/config.toml
  ann cp "$file" "$file.before"
  ann sed -i '1i access_log = "journal"' "$file"
  ann hotline reload || fail "no reload"
  expect_answer ann "$socket"
  wait_for 10 "the request's line" has_journal_field '^{"time"' MESSAGE '"outcome":"completed"'
  ann mv "$file.before" "$file"
  ann hotline reload || fail "no reload"
}

# A new key is used from a reload on, and one that is gone is missed.
check_key_rotation() {
  local before key=/home/ann/.config/hotline/keys/smartaipi
  before=$(daemon_pid)
  ann hotline key set <<<another-key >&2 || fail "no other key"
  expect_answer ann "$socket"
  ann mv "$key" "$key.away"
  ann systemctl --user reload hotlined.service || fail "no signal"
  wait_for 10 "the complaint" as_root journalctl --quiet --grep 'configuration not reloaded' --lines=1
  expect_answer ann "$socket"
  ann mv "$key.away" "$key"
  ann hotline reload || fail "the key that is back is not taken"
  [[ $(daemon_pid) == "$before" ]] || fail "it is another daemon"
}

# Whoever connects meanwhile waits a moment.
check_restart_under_load() {
  local before round
  begin_load
  for round in 1 2 3; do
    wait_for 10 "a daemon" has_new_pid "${before:-0}"
    before=$(daemon_pid)
    ann systemctl --user restart hotlined.service || fail "restart $round failed"
    has_new_pid "$before" || fail "restart $round changed nothing"
  done
  sleep 0.3 # Some more clients, for the last daemon.
  end_load
}

is_busy() { ann hotline status --json | grep -q '"state":"busy"'; }

# Clients see the connection end, and the next one is served by another daemon.
check_killed_daemon() {
  local before client
  before=$(daemon_pid)
  say_to ann "$socket" "${request/one/[[fault: delay 60000]] one}" >"$directory/lines" &
  client=$!
  wait_for 10 "the request" is_busy
  as_root kill -KILL "$before"
  wait "$client" || true
  ! grep hotline.done "$directory/lines" >&2 || fail "the last line came from nowhere"
  expect_answer ann "$socket"
  has_new_pid "$before" || fail "the daemon was not replaced"
}

# Writes lines of the service section into a drop-in of ann's.
drop_in() {
  ann mkdir -p /home/ann/.config/systemd/user/hotlined.service.d
  printf '[Service]\n%s\n' "$2" |
    ann tee "/home/ann/.config/systemd/user/hotlined.service.d/$1.conf" >/dev/null
  ann systemctl --user daemon-reload
}

# Stops the one thread that does all the work, as a loop that hangs would; the others run on.
hang_loop() {
  as_root python3 - "$1" <<'END' &
import ctypes, os, sys
pid = sys.argv[1]
for task in os.listdir(f"/proc/{pid}/task"):
    with open(f"/proc/{pid}/task/{task}/comm") as name:
        if name.read().startswith("hotline-loop"):
            libc = ctypes.CDLL(None, use_errno=True)
            # PTRACE_SEIZE, PTRACE_INTERRUPT
            assert libc.ptrace(0x4206, int(task), None, None) == 0, os.strerror(ctypes.get_errno())
            assert libc.ptrace(0x4207, int(task), None, None) == 0, os.strerror(ctypes.get_errno())
            print("hangs", flush=True)
            # __WALL: first that it stops, then that it is gone.
            while not os.WIFSIGNALED(os.waitpid(int(task), 0x40000000)[1]):
                pass
END
}

# A daemon whose loop hangs is replaced, and whoever waits is served.
check_stuck_daemon() {
  local before
  drop_in watchdog WatchdogSec=2s
  ann systemctl --user restart hotlined.service
  before=$(daemon_pid)
  hang_loop "$before" >"$directory/hangs"
  wait_for 10 "the loop to hang" grep -q hangs "$directory/hangs"
  expect_answer ann "$socket"
  has_new_pid "$before" || fail "the daemon was not replaced"
  as_root journalctl --quiet --grep 'Watchdog timeout' --lines=1 >/dev/null ||
    fail "it was not the watchdog"
  drop_in watchdog ''
}

has_left() { [[ $(daemon_pid) == 0 ]]; }

# A daemon without clients leaves, and the next client has it back.
check_idle_exit() {
  local file=/home/ann/.config/hotline/config.toml
  { printf '[socket]\nexit_when_idle = "1s"\n' && configuration; } | ann tee "$file" >/dev/null
  ann hotline reload || fail "no reload"
  wait_for 20 "the daemon's leaving" has_left
  [[ $(ann systemctl --user is-active hotlined.socket) == active ]] || fail "the socket left too"
  [[ $(ann systemctl --user is-failed hotlined.service) == inactive ]] || fail "it failed"
  expect_answer ann "$socket"
  configuration | ann tee "$file" >/dev/null
  ann hotline reload || fail "no reload"
}

# A key that finds no room leaves the old one in place; the daemon needs no room.
check_full_disk() {
  local keys=/home/ann/.config/hotline/keys said
  as_root mount -t tmpfs -o size=16k,mode=777 tmpfs "$keys"
  write_key ann "$keys/smartaipi"
  ann sh -c "cat /dev/zero >$keys/rest" 2>/dev/null || true
  said=$(ann hotline key set <<<new-key 2>&1) && fail "a full disk has room for a key"
  [[ $said == *'No space left on device; the key that was there is unchanged'* ]] || fail "$said"
  [[ $(ann cat "$keys/smartaipi") == a-key ]] || fail "the key has changed"
  ann hotline reload || fail "no reload"
  expect_answer ann "$socket"
  as_root umount "$keys"
}

check_read_only_home() {
  local said
  as_root mount --bind /home/ann /home/ann
  as_root mount -o remount,bind,ro /home/ann
  ann systemctl --user restart hotlined.service || fail "no restart"
  expect_answer ann "$socket"
  said=$(ann hotline key set <<<new-key 2>&1) && fail "a key was written to what is read-only"
  [[ $said == *'Read-only file system'* ]] || fail "$said"
  as_root umount --lazy /home/ann
}

# The key can be a credential of systemd.
check_credential() {
  ann mv /home/ann/.config/hotline/keys/smartaipi /home/ann/key
  drop_in key LoadCredential=hotline-api-key:%h/key
  ann systemctl --user restart hotlined.service || fail "the credential is no key"
  expect_answer ann "$socket"
}

# A newer package replaces the daemon that runs; who connects meanwhile waits a moment.
check_upgrade_under_load() {
  local before
  before=$(daemon_pid)
  begin_load
  install_package /test/second.deb
  wait_for 60 "the newer daemon" has_new_pid "$before"
  sleep 0.3 # Some more clients, for the newer daemon.
  end_load
  # shellcheck disable=SC2016 # The dollar is dpkg-query's.
  [[ $(as_root dpkg-query --show --showformat '${Version}' hotline) == *+2 ]] || fail "not newer"
  # bob has it too, and did not run it.
  [[ $(as_user bob systemctl --user is-active hotlined.service) == inactive ]] ||
    fail "the upgrade started bob's daemon"
  expect_answer ann "$socket"
}

# The older package takes the place of the newer one the same way.
check_downgrade() {
  local before
  before=$(daemon_pid)
  install_package /test/first.deb
  wait_for 60 "the older daemon" has_new_pid "$before"
  # shellcheck disable=SC2016 # The dollar is dpkg-query's.
  [[ $(as_root dpkg-query --show --showformat '${Version}' hotline) != *+2 ]] || fail "not older"
  expect_answer ann "$socket"
}

# The system's own daemon serves root and whom it was told of, and tells others that it does not.
check_system_instance() {
  local path=/run/hotline/test.sock refused
  as_root mkdir -p /etc/hotline
  configuration | as_root tee /etc/hotline/test.toml >/dev/null
  write_key root /etc/hotline/test.key
  as_root systemctl start hotlined@test.socket
  expect_answer root "$path"
  as_root systemctl is-active --quiet hotlined@test.service || fail "somebody else answered"
  ! say_to ann "$path" "$request" >/dev/null 2>&1 || fail "ann may open the socket"
  as_root chmod 666 "$path"
  refused=$(say_to ann "$path" "$request" || true)
  grep -q not_allowed <<<"$refused" || fail "ann was told: $refused"
  {
    printf '[socket]\nallowed_gids = [%s]\n' "$(as_root id -g ann)"
    configuration
  } | as_root tee /etc/hotline/test.toml >/dev/null
  as_root hotline reload --socket "$path" || fail "no reload"
  expect_answer ann "$path"
  ! ann hotline status --json --socket "$path" | grep '"uid":0,' >&2 || fail "ann sees root"
  ! ann hotline drain --socket "$path" 2>/dev/null || fail "ann may drain"
  as_root mv /etc/hotline/test.key /etc/hotline/test.key.away
  as_root systemctl restart hotlined@test.service 2>/dev/null && fail "it runs without its key"
  ! as_root hotline ping --socket "$path" --timeout 20 2>&1 || fail "no key, but an answer"
  as_root mv /etc/hotline/test.key.away /etc/hotline/test.key
}

# Nothing runs on and nothing is left but what users and the administrator wrote.
check_removal() {
  as_root apt-get -q -y remove hotline >"$directory/apt" 2>&1 || fail "$(<"$directory/apt")"
  ! as_root pgrep -a hotlined >&2 || fail "it still runs"
  ! as_root test -e "$socket" || fail "ann's socket is still there"
  ! as_root test -e /run/hotline || fail "/run/hotline is still there"
  as_root apt-get -q -y purge hotline >"$directory/apt" 2>&1 || fail "$(<"$directory/apt")"
  list_files >"$directory/after"
  diff "$directory/before" "$directory/after" >&2 || fail "that is left behind"
  ann test -s /home/ann/.config/hotline/config.toml || fail "ann's configuration is gone"
  as_root test -s /etc/hotline/test.key || fail "the administrator's key is gone"
}
