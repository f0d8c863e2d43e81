#!/bin/sh
# The probe of a Linux machine that was just made from an image. It changes nothing on the machine.
#
# It prints one line for each check, `id=pass|fail|warn|skip detail`, between two lines with the nonce of this test: the
# platform keeps the last 4 KB of the output, and without the first line something is missing. docs/probe-checks.md says
# what each check proves. PROBE_ROOT is put before every path that is read, for tests.
nonce='@NONCE@'
R="${PROBE_ROOT:-}"
LC_ALL=C
export LC_ALL
checks=0
margin=120 # seconds: files of the first moments of this boot are not older than the boot

check() {
  checks=$((checks + 1))
  result="$("check_$1" 2>/dev/null | tr '\n' ' ' | tr -c '[:print:]' '?' | cut -c1-105 | sed 's/ *$//')"
  case "$result" in
    pass | 'pass '* | fail | 'fail '* | warn | 'warn '* | skip | 'skip '*) ;;
    *) result='fail the check gave no result' ;;
  esac
  printf '%s=%s\n' "$1" "$result"
}

value() { # pass with a value, or fail without one
  if [ -n "$1" ]; then echo "pass $1"; else echo "fail $2"; fi
}

none() { # pass if nothing was found
  if [ -z "$1" ]; then echo pass; else echo "fail $1"; fi
}

has() { command -v "$1" >/dev/null 2>&1; }

bounded() { # seconds, command…
  if has timeout; then
    timeout "$@"
  else
    shift
    "$@"
  fi
}

booted() { # when this boot began, in seconds since the epoch
  up="$(cut -d. -f1 "$R"/proc/uptime)"
  [ -n "$up" ] && echo $(($(date +%s) - up))
}

digest() { # of the standard input: it can be compared with another, and tells nothing of the value
  sha256sum | cut -c1-16
}

items() { # pass with what was found, or with what it means that nothing was
  echo "pass ${1:-$2}"
}

older() { # whether a file was written before this boot
  [ -n "$boot" ] && [ "$(stat -c %Y "$1")" -lt $((boot - margin)) ]
}

homes() {
  for home in "$R"/root "$R"/home/*; do
    if [ -d "$home" ]; then printf '%s\n' "$home"; fi
  done
}

shown() { printf '%s\n' "${1#"$R"}"; }

in_homes() { # names of files below each home directory, of which those that are not empty are printed
  homes | while read -r home; do
    for name in "$@"; do
      if [ -s "$home/$name" ]; then shown "$home/$name"; fi
    done
  done
}

root_device() { # such as sda1; nothing for a volume that is no partition
  number="$(awk '$5 == "/" { print $3; exit }' "$R"/proc/self/mountinfo)"
  sed -n 's/^DEVNAME=//p' "$R"/sys/dev/block/"$number"/uevent
}

disk_of() { printf '%s\n' "$1" | sed 's/\([0-9]\)p[0-9]*$/\1/; t
s/[0-9]*$//'; }

check_hostname() { value "$(hostname || cat "$R"/proc/sys/kernel/hostname)" 'none'; }

check_boot_id() { value "$(cat "$R"/proc/sys/kernel/random/boot_id)" 'none'; }

check_machine_id() {
  id="$(cat "$R"/etc/machine-id)"
  case "$id" in
    '' | uninitialized) echo 'fail none' ;;
    *) value "$(printf '%s' "$id" | digest)" 'no sha256sum' ;;
  esac
}

check_host_keys() {
  items "$(for file in "$R"/etc/ssh/ssh_host_*_key; do
    [ -s "$file" ] || continue
    kind="${file##*/ssh_host_}"
    # The public part without its comment, which has the host's name.
    key="$(awk '{ print $2; exit }' "$file".pub)"
    printf '%s:%s ' "${kind%_key}" "$(printf '%s' "${key:-$(cat "$file")}" | digest)"
  done)" 'none'
}

check_random_seed() {
  items "$(for file in "$R"/var/lib/systemd/random-seed "$R"/var/lib/urandom/random-seed; do
    if [ -s "$file" ]; then
      digest <"$file"
      break
    fi
  done)" 'none'
}

check_dhcp_id() { # without any of these, it is made from the machine id
  items "$(
    line="$(cat "$R"/var/lib/dhcp/*.leases "$R"/var/lib/dhclient/*.leases | grep -m 1 'default-duid')"
    [ -z "$line" ] || printf 'dhclient:%s ' "$(printf '%s' "$line" | digest)"
    line="$(cat "$R"/etc/systemd/networkd.conf "$R"/etc/systemd/networkd.conf.d/*.conf | grep -m 1 '^DUIDRawData=')"
    [ -z "$line" ] || printf 'networkd:%s ' "$(printf '%s' "$line" | digest)"
    for file in "$R"/var/lib/dhcpcd/duid "$R"/etc/dhcpcd.duid; do
      if [ -s "$file" ]; then
        printf 'dhcpcd:%s ' "$(digest <"$file")"
        break
      fi
    done
    file="$R"/var/lib/NetworkManager/secret_key
    if [ -s "$file" ]; then printf 'NetworkManager:%s ' "$(digest <"$file")"; fi
  )" 'made from the machine id'
}

check_systemd() {
  state="$(systemctl is-system-running)"
  n=0
  while [ "$state" = starting ] && [ "$n" -lt 60 ]; do
    sleep 5
    n=$((n + 1))
    state="$(systemctl is-system-running)"
  done
  if [ "$state" = running ]; then echo 'pass running'; else echo "fail ${state:-unknown}"; fi
}

check_failed_units() {
  has systemctl || { echo 'skip no systemctl'; return; }
  none "$(systemctl --failed --no-legend --plain | awk '{ print $1 }')"
}

check_cloud_init() {
  has cloud-init || { echo 'pass absent'; return; }
  state="$(cloud-init status | head -n 1 | sed 's/^status: //')"
  case "$state" in
    'done' | disabled) echo "pass $state" ;;
    *) echo "fail ${state:-unknown}" ;;
  esac
}

check_cloud_init_errors() {
  result="$R"/var/lib/cloud/data/result.json
  [ -f "$result" ] || { echo 'skip no result of cloud-init'; return; }
  errors="$(tr -d '\n' <"$result" | sed -n 's/.*"errors": *\[ *\([^]]*\)\].*/\1/p')"
  none "${errors:-$(grep -m 1 -E '\[(ERROR|CRITICAL)\]' "$R"/var/log/cloud-init.log)}"
}

check_agent_version() {
  has waagent || { echo 'skip no waagent on the path'; return; }
  version="$(waagent --version | sed -n 's/^WALinuxAgent-\([0-9.]*\).*/\1/p; s/^Goal state agent: \([0-9.]*\).*/\1/p' | tail -n 1)"
  [ -n "$version" ] || { echo 'fail the version is not known'; return; }
  if [ "$(printf '2.2.53.1\n%s\n' "$version" | sort -t. -k1,1n -k2,2n -k3,3n -k4,4n | head -n 1)" != 2.2.53.1 ] &&
    grep -qiE '^ *AutoUpdate\.(Enabled|UpdateToLatestVersion) *= *n' "$R"/etc/waagent.conf; then
    echo "fail $version, without updates"
  else
    echo "pass $version"
  fi
}

check_root_writable() {
  if file="$(mktemp "$R"/var/tmp/ringmaster.XXXXXX)"; then
    rm -f "$file"
    echo 'pass yes'
  else
    echo 'fail no'
  fi
}

check_disk_grown() {
  part="$(root_device)"
  [ -n "$part" ] && [ -f "$R"/sys/class/block/"$part"/start ] || { echo 'skip the root is no partition'; return; }
  disk="$(disk_of "$part")"
  size="$(cat "$R"/sys/class/block/"$disk"/size)"
  end=0
  for each in "$R"/sys/class/block/"$disk"*/start; do
    last=$(($(cat "$each") + $(cat "${each%start}size")))
    if [ "$last" -gt "$end" ]; then end=$last; fi
  done
  free=$(((size - end) / 2048))
  own=$(($(cat "$R"/sys/class/block/"$part"/size) / 2))
  blocks="$(df -kP "$R"/ | awk 'NR == 2 { print $2 }')"
  if [ "$free" -gt 1024 ] && [ $((free * 20)) -gt $((size / 2048)) ]; then
    echo "fail $free MiB of the disk are in no partition"
  elif [ -n "$blocks" ] && [ $((blocks * 100)) -lt $((own * 80)) ]; then
    echo "fail the file system has $((blocks / 1024)) of $((own / 1024)) MiB"
  else
    echo pass
  fi
}

check_swap() {
  [ -f "$R"/proc/swaps ] || { echo 'skip no /proc/swaps'; return; }
  none "$(awk -v disk="/dev/$(disk_of "$(root_device)")" '
    FNR == NR { mounted[$2] = 1; next }
    FNR == 1 { next }
    $2 == "file" {
      best = "/"
      for (point in mounted) if (index($1, point "/") == 1 && length(point) > length(best)) best = point
      if (best == "/") print $1
    }
    $2 == "partition" && (index($1, disk) == 1 && disk != "/dev/" || $1 ~ /^\/dev\/(dm-|mapper)/) { print $1 }
  ' "$R"/proc/mounts "$R"/proc/swaps)"
}

check_clock() { value "$(date -u +%s)" 'none'; }

check_dns() {
  has getent || { echo 'skip no getent'; return; }
  if bounded 10 getent hosts management.azure.com >&2; then
    echo pass
  else
    echo 'fail management.azure.com does not resolve'
  fi
}

check_pending_reboot() {
  none "$(for file in "$R"/run/reboot-required "$R"/var/run/reboot-required "$R"/run/reboot-needed; do
    if [ -e "$file" ]; then shown "$file"; fi
  done)"
}

check_core_dumps() {
  none "$(for file in "$R"/var/lib/systemd/coredump/* "$R"/var/crash/*.crash "$R"/var/crash/*/vmcore* "$R"/core \
    "$R"/core.[0-9]*; do
    if [ -f "$file" ]; then shown "$file"; fi
  done)"
}

check_udev_net_rules() {
  none "$(for name in 70-persistent-net.rules 75-persistent-net-generator.rules; do
    if [ -s "$R"/etc/udev/rules.d/"$name" ]; then shown "$R"/etc/udev/rules.d/"$name"; fi
  done)"
}

check_ssh_keys() {
  set -- "$R"/etc/ssh/ssh_host_*_key
  if [ -e "$1" ]; then echo "pass $#"; else echo 'pass 0'; fi
}

check_ssh_key_age() {
  [ -n "$boot" ] || { echo 'skip no time of boot'; return; }
  none "$(for file in "$R"/etc/ssh/ssh_host_*_key; do
    if [ -f "$file" ] && older "$file"; then shown "$file"; fi
  done)"
}

check_machine_id_age() {
  [ -n "$boot" ] || { echo 'skip no time of boot'; return; }
  if [ -s "$R"/etc/machine-id ] && older "$R"/etc/machine-id; then
    echo 'fail /etc/machine-id is older than the boot'
  else
    echo pass
  fi
}

check_password_hashes() {
  [ -r "$R"/etc/shadow ] || { echo 'skip /etc/shadow is not readable'; return; }
  # The machine's own user has a key and no password. A hash begins with $ (crypt(5)), or is DES of 13 characters.
  none "$(awk -F: '$2 ~ /^[$_]/ || ($2 ~ /^[A-Za-z0-9.\/]+$/ && length($2) == 13) { print $1 }' "$R"/etc/shadow)"
}

check_authorized_keys() {
  [ -n "$boot" ] || { echo 'skip no time of boot'; return; }
  none "$(homes | while read -r home; do
    for file in "$home"/.ssh/authorized_keys "$home"/.ssh/authorized_keys2; do
      if grep -qs '^[^#[:space:]]' "$file" && older "$file"; then shown "$file"; fi
    done
  done)"
}

check_shell_history() {
  none "$(in_homes .bash_history .zsh_history .ash_history .sh_history .history .python_history)"
}

check_cloud_credentials() {
  none "$(in_homes .aws/credentials .azure/accessTokens.json .azure/azureProfile.json .azure/msal_token_cache.json \
    .azure/msal_token_cache.bin .azure/service_principal_entries.json .azure/service_principal_entries.bin \
    .kube/config .docker/config.json .config/containers/auth.json .netrc .git-credentials .vault-token \
    .config/gcloud/credentials.db .config/gcloud/application_default_credentials.json .config/gh/hosts.yml \
    .terraform.d/credentials.tfrc.json)"
}

check_private_keys() {
  # Keys that this boot made are not left over. Packages bring keys for their tests.
  found="$(bounded 60 find "$R"/etc "$R"/root "$R"/home "$R"/opt "$R"/srv -xdev -type f -size -64k \
    -exec grep -l -e '^-----BEGIN [A-Z ]*PRIVATE KEY-----' {} +)"
  [ $? -ne 124 ] || { echo 'skip the search took longer than 60 s'; return; }
  none "$(printf '%s\n' "$found" | while read -r file; do
    case "$file" in
      '' | */etc/ssh/ssh_host_* | */ssl-cert-snakeoil.key | */site-packages/* | */lib/python*/test/* | */dist-packages/* | */node_modules/*) ;;
      *) if [ -z "$boot" ] || older "$file"; then shown "$file"; fi ;;
    esac
  done)"
}

boot="$(booted 2>/dev/null)"
printf 'ringmaster begin %s\n' "$nonce"
check hostname
check boot_id
check machine_id
check host_keys
check random_seed
check dhcp_id
check systemd
check failed_units
check cloud_init
check cloud_init_errors
check agent_version
check root_writable
check disk_grown
check swap
check clock
check dns
check pending_reboot
check core_dumps
check udev_net_rules
check ssh_keys
check ssh_key_age
check machine_id_age
check password_hashes
check authorized_keys
check shell_history
check cloud_credentials
check private_keys
printf 'ringmaster done %s checks=%s\n' "$nonce" "$checks"
