#!/bin/sh
# The probe of a Linux machine that was just made from an image. It changes nothing on the machine.
#
# It prints one line for each check, `id=pass|fail|warn|skip detail`, between two lines with the nonce of this test: the
# platform keeps the last 4 KB of the output, and without the first line something is missing. A check prints its result
# and then its findings, one on a line. If all findings are longer than the output may be, those of the longest checks
# are cut, and the number of those that are left out is printed. docs/probe-checks.md says what each check proves.
# PROBE_ROOT is put before every path that is read, for tests.
nonce='@NONCE@'
ignored_units=''
baseline_file=''
baseline_required=''
R="${PROBE_ROOT:-}"
LC_ALL=C
export LC_ALL
checks=0
report=''
room=3900  # bytes, of the 4096 that the platform keeps
margin=120 # seconds: files of the first moments of this boot are not older than the boot

check() { record "$1" "$("check_$1" 2>/dev/null | items)"; }

own() { # id, command…: a check of the policy
  name="own:$1"
  shift
  record "$name" "$("$@" 2>/dev/null | items)"
}

items() { # the lines of a result, with tabs between them; of more than 2,000 characters, the rest is counted
  awk '{
    gsub(/[^ -~]/, "?")
    sub(/ +$/, "")
    if ($0 == "") next
    if (length(kept) < 2000) kept = kept (kept == "" ? "" : "\t") substr($0, 1, 500)
    else more++
  } END { print kept (more ? "\t+" more : "") }'
}

record() {
  checks=$((checks + 1))
  case "$2" in
    pass | 'pass'[\ \	]* | fail | 'fail'[\ \	]* | warn | 'warn'[\ \	]* | skip | 'skip'[\ \	]*) line="$1=$2" ;;
    *) line="$1=fail the check gave no result" ;;
  esac
  report="$report$line
"
}

fitted() { # the report, in which no line is longer than what leaves room for all
  printf '%s' "$report" | awk -F '\t' -v room="$room" '
    function cut(fields, count, cap,    text, left, i) {
      left = 0
      if (count > 1 && fields[count] ~ /^[+][0-9]+$/) left = substr(fields[count--], 2)
      text = substr(fields[1], 1, cap)
      for (i = 2; i <= count && length(text) + length(fields[i]) < cap - 13; i++) text = text " " fields[i]
      left += count - i + 1
      return left > 0 ? substr(text, 1, cap - 13) " (+" left " more)" : text
    }
    # The value of a check that passed is compared with that of another probe, so it is whole.
    { line[NR] = $0; size[NR] = length($0) + 1; whole[NR] = $1 ~ /^[^=]*=pass / ? length($1) : 0 }
    function limit(i, cap) { return whole[i] > cap ? whole[i] : cap }
    END {
      for (cap = 40; cap < room; cap++) {
        sum = 0
        for (i = 1; i <= NR; i++) sum += size[i] > limit(i, cap) + 2 ? limit(i, cap) + 2 : size[i]
        if (sum > room) break
      }
      for (i = 1; i <= NR; i++) print cut(fields, split(line[i], fields, "\t"), limit(i, cap))
    }'
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

pass_with() { # what was found, or what it means that nothing was
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
  pass_with "$(for file in "$R"/etc/ssh/ssh_host_*_key; do
    [ -s "$file" ] || continue
    kind="${file##*/ssh_host_}"
    # The public part without its comment, which has the host's name.
    key="$(awk '{ print $2; exit }' "$file".pub)"
    printf '%s:%s ' "${kind%_key}" "$(printf '%s' "${key:-$(cat "$file")}" | digest)"
  done)" 'none'
}

check_random_seed() {
  pass_with "$(for file in "$R"/var/lib/systemd/random-seed "$R"/var/lib/urandom/random-seed; do
    if [ -s "$file" ]; then
      digest <"$file"
      break
    fi
  done)" 'none'
}

check_dhcp_id() { # without any of these, it is made from the machine id
  pass_with "$(
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

failed_units() { # units that failed, without those that the policy ignores
  systemctl --failed --no-legend --plain | awk '{ print $1 }' | while read -r unit; do
    is_ignored "$unit" || printf '%s\n' "$unit"
  done
}

is_ignored() {
  printf '%s\n' "$ignored_units" | {
    while read -r pattern; do
      # shellcheck disable=SC2254 # the pattern is one of the shell
      case "$1" in $pattern) exit 0 ;; esac
    done
    exit 1
  }
}

check_systemd() {
  state="$(systemctl is-system-running)"
  n=0
  while [ "$state" = starting ] && [ "$n" -lt 60 ]; do
    sleep 5
    n=$((n + 1))
    state="$(systemctl is-system-running)"
  done
  if [ "$state" = running ]; then
    echo 'pass running'
  elif [ "$state" = degraded ] && [ -n "$ignored_units" ] && [ -z "$(failed_units)" ]; then
    echo 'pass degraded by ignored units'
  else
    echo "fail ${state:-unknown}"
  fi
}

check_failed_units() {
  has systemctl || { echo 'skip no systemctl'; return; }
  none "$(failed_units)"
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
  done
    if has needs-restarting; then
      bounded 30 needs-restarting -r >&2
      [ $? -ne 1 ] || echo needs-restarting
    fi)"
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

check_left_over_users() {
  [ -n "$boot" ] || { echo 'skip no time of boot'; return; }
  none "$(awk -F: '$3 >= 1000 && $3 < 60000 && $7 !~ /(nologin|false)$/ { print $1 ":" $6 }' "$R"/etc/passwd |
    while IFS=: read -r user home; do
      if [ -d "$R$home" ] && older "$R$home"; then printf '%s\n' "$user"; fi
    done)"
}

check_environment_secrets() {
  none "$({
    for file in "$R"/etc/environment "$R"/etc/environment.d/* "$R"/etc/profile.d/* "$R"/etc/default/* "$R"/etc/sysconfig/*; do
      if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
    homes | while read -r home; do
      for name in .env .profile .bash_profile .bashrc .zshenv .zshrc; do
        if [ -f "$home/$name" ]; then printf '%s\n' "$home/$name"; fi
      done
    done
  } | while read -r file; do
    # Names that Azure, AWS and CI tools use. A value that is another variable or a path is no secret.
    if grep -qE "^[[:space:]]*(export[[:space:]]+)?[A-Z0-9_]*(SECRET|TOKEN|PASSWORD|ACCESS_KEY|API_KEY|CONNECTION_STRING)[A-Z0-9_]*=[\"']?[^[:space:]\"'\$/]{8}" "$file"; then
      shown "$file"
    fi
  done)"
}

check_identity_tokens() {
  [ -n "$boot" ] || { echo 'skip no time of boot'; return; }
  # The agent's certificates and answers of the platform, and JSON Web Tokens: {"typ":"JWT", begins with these letters.
  found="$({
    for file in "$R"/var/lib/waagent/*.prv "$R"/var/lib/waagent/ovf-env.xml "$R"/var/opt/azcmagent/tokens/*; do
      if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
    homes | while read -r home; do
      for file in "$home"/.IdentityService/* "$home"/.azd/auth/*; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
      done
    done
    bounded 60 find "$R"/root "$R"/home "$R"/opt "$R"/tmp "$R"/var/tmp "$R"/var/lib/waagent -xdev -type f -size -64k \
      -exec grep -l -e eyJ0eXAiOiJKV1Qi {} +
    [ $? -ne 124 ] || echo timeout
  } | sort -u)"
  case "$found" in timeout | *"
timeout") echo 'skip the search took longer than 60 s'; return ;; esac
  none "$(printf '%s\n' "$found" | while read -r file; do
    if [ -n "$file" ] && older "$file"; then shown "$file"; fi
  done)"
}

check_domain() {
  none "$(for file in "$R"/etc/krb5.keytab "$R"/etc/sssd/sssd.conf "$R"/var/lib/sss/db/cache_*.ldb \
    "$R"/var/lib/samba/private/secrets.tdb; do
    if [ -s "$file" ]; then shown "$file"; fi
  done)"
}

check_ca_certificates() {
  none "$(for file in "$R"/usr/local/share/ca-certificates/* "$R"/usr/local/share/ca-certificates/*/* \
    "$R"/etc/pki/ca-trust/source/anchors/* "$R"/etc/pki/trust/anchors/*; do
    if [ -f "$file" ]; then shown "$file"; fi
  done)"
}

check_log_size() {
  has du || { echo 'skip no du'; return; }
  size="$(bounded 30 du -skx "$R"/var/log | awk '{ print int($1 / 1024) }')"
  [ -n "$size" ] || { echo 'skip the size of /var/log is not known'; return; }
  if [ "$size" -gt 200 ]; then echo "fail $size MiB in /var/log"; else echo pass; fi
}

check_sshd_config() {
  for sshd in sshd /usr/sbin/sshd ''; do
    if [ -n "$sshd" ] && has "$sshd"; then break; fi
  done
  [ -n "$sshd" ] || { echo 'pass no sshd'; return; }
  settings="$(bounded 10 "$sshd" -T)"
  [ -n "$settings" ] || { echo 'skip sshd does not print its settings'; return; }
  # Azure closes idle connections after four minutes, so that an interval of 1 to 235 s is what LISA expects.
  none "$(printf '%s\n' "$settings" | awk '
    $1 == "passwordauthentication" && $2 != "no" { print $1, $2 }
    $1 == "permitemptypasswords" && $2 != "no" { print $1, $2 }
    $1 == "permitrootlogin" && $2 !~ /^(no|prohibit-password|without-password|forced-commands-only)$/ { print $1, $2 }
    $1 == "clientaliveinterval" && ($2 < 1 || $2 > 235) { print $1, $2 }
  ')"
}

listening() { # sockets that take connections from other machines, such as tcp/22; LISTEN is 0A, an open UDP port 07
  for protocol in tcp udp; do
    for file in "$R"/proc/net/$protocol "$R"/proc/net/${protocol}6; do
      if [ -r "$file" ]; then awk -v protocol="$protocol" '
        function number(hex,    i, sum) {
          for (i = 1; i <= length(hex); i++) sum = sum * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1
          return sum
        }
        FNR > 1 && $4 == (protocol == "tcp" ? "0A" : "07") {
          split($2, local, ":")
          address = local[1]
          sub(/^0000000000000000FFFF0000/, "", address)
          loopback = length(address) == 8 && address ~ /7F$/ || address == "00000000000000000000000001000000"
          if (!loopback) print protocol "/" number(local[2])
        }' "$file"; fi
    done
  done | sort -u
}

check_listening_ports() {
  [ -r "$R"/proc/net/tcp ] || { echo 'skip no /proc/net/tcp'; return; }
  none "$(listening | grep -vxE 'tcp/(22|5355)|udp/(68|123|546|5355)')"
}

check_serial_console() {
  if grep -qE '(^| )console=(ttyS|ttyAMA|hvc)[0-9]' "$R"/proc/cmdline; then
    echo pass
  else
    echo 'fail the kernel has no console= for a serial port'
  fi
}

check_time_sync() {
  has systemctl || { echo 'skip no systemctl'; return; }
  for unit in chrony chronyd systemd-timesyncd ntpsec ntpd ntp openntpd; do
    if [ "$(systemctl is-active $unit)" = active ]; then echo "pass $unit"; return; fi
  done
  echo 'fail none runs'
}

check_imds() {
  url='http://169.254.169.254/metadata/instance/compute/vmId?api-version=2021-02-01&format=text'
  if has curl; then
    found="$(curl -s -m 5 --noproxy '*' -H 'Metadata: true' "$url")"
  elif has wget; then
    found="$(bounded 5 wget -q -O - --header 'Metadata: true' "$url")"
  else
    echo 'skip neither curl nor wget'
    return
  fi
  case "$found" in
    ????????-????-????-????-????????????) echo pass ;;
    *) echo 'fail no answer with an identifier of the VM' ;;
  esac
}

repositories() { # URLs of the package manager's repositories
  {
    for file in "$R"/etc/apt/sources.list "$R"/etc/apt/sources.list.d/*.list; do
      [ ! -f "$file" ] || sed -n 's/^ *deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\).*/\2/p' "$file"
    done
    for file in "$R"/etc/apt/sources.list.d/*.sources; do
      [ ! -f "$file" ] || sed -n 's/^URIs: *//p' "$file"
    done
    for file in "$R"/etc/yum.repos.d/*.repo "$R"/etc/zypp/repos.d/*.repo; do
      [ ! -f "$file" ] || sed -n 's/^ *\(baseurl\|mirrorlist\|metalink\) *= *//p' "$file"
    done
  } | tr ' ' '\n' | sort -u
}

check_repositories() {
  if [ ! -d "$R"/etc/apt ] && [ ! -d "$R"/etc/yum.repos.d ] && [ ! -d "$R"/etc/zypp/repos.d ]; then
    echo 'pass no package manager'
    return
  fi
  urls="$(repositories)"
  [ -n "$urls" ] || { echo 'fail none is configured'; return; }
  none "$(printf '%s\n' "$urls" | while read -r url; do
    case "$url" in
      '') ;;
      file:* | cdrom:* | copy:*) printf '%s\n' "$url" ;;
      *://*@*) printf '%s with credentials\n' "$url" | sed 's|://[^/@]*@|://|' ;;
    esac
  done)"
}

check_kernel_modules() {
  release="$(cat "$R"/proc/sys/kernel/osrelease)"
  for modules in "$R"/lib/modules/"$release" "$R"/usr/lib/modules/"$release" ''; do
    if [ -d "$modules" ]; then break; fi
  done
  [ -n "$modules" ] || { echo "fail no modules of the running kernel $release"; return; }
  none "$(for driver in hv_vmbus hv_netvsc hv_storvsc; do
    if [ ! -d "$R"/sys/module/$driver ] && ! grep -qs "/$driver\.ko" "$modules"/modules.builtin "$modules"/modules.dep; then
      echo "no $driver"
    fi
  done)"
}

efi_variable() { # the last byte of a variable, which four bytes of attributes precede
  od -An -tu1 -j4 -N1 "$R"/sys/firmware/efi/efivars/"$1"-8be4df61-93ca-11d2-aa0d-00e098032b8c | tr -d ' \n'
}

check_secure_boot() {
  [ -d "$R"/sys/firmware/efi ] || { echo 'pass no UEFI'; return; }
  if [ "$(efi_variable SetupMode)" = 1 ]; then
    echo 'fail in setup mode'
  elif [ "$(efi_variable SecureBoot)" = 1 ]; then
    echo 'pass on'
  else
    echo 'pass off'
  fi
}

baseline_xccdf() { # status and rule of each result; the score
  awk 'BEGIN { RS = "<" }
    { sub(/^[A-Za-z0-9_.-]+:/, "") }
    /^TestResult[ >\n]/ { print "begin" }
    /^rule-result[ \n]/ {
      rule = $0
      sub(/^[^>]*idref *= *["\047]/, "", rule)
      sub(/["\047].*/, "", rule)
      sub(/.*[._]content_rule_/, "", rule)
    }
    /^result>/ && rule != "" { status = $0; sub(/^result>[ \n]*/, "", status); sub(/[ \n].*/, "", status); print status, rule; rule = "" }
    /^score[ >\n]/ { score = $0; sub(/^[^>]*>/, "", score); print "score", score + 0 }
  ' "$1"
}

baseline_inspec() { # a control passes if each of its results passes, and one does
  for python in python3 /usr/libexec/platform-python ''; do
    if [ -n "$python" ] && has "$python"; then break; fi
  done
  [ -n "$python" ] || return
  bounded 60 "$python" -c '
import json, sys
report = json.load(open(sys.argv[1], encoding="utf-8"))
print("begin")
found = {}
for control in report.get("controls", []):
    found.setdefault(control["id"], []).append(control["status"])
for profile in report.get("profiles", []):
    for control in profile.get("controls", []):
        found.setdefault(control["id"], []).extend(each["status"] for each in control.get("results", []))
for name, said in found.items():
    said = set(said)
    status = "fail" if said - {"passed", "skipped"} else "pass" if "passed" in said else "notchecked"
    print(status, "_".join(name.split()))
' "$1"
}

check_baseline() {
  file="$R$baseline_file"
  [ -r "$file" ] || { echo "fail $baseline_file is missing"; return; }
  case "$(head -c 200 "$file" | tr -d ' \n\r\t' | cut -c1)" in
    '{') results="$(baseline_inspec "$file")" ;;
    *) results="$(baseline_xccdf "$file")" ;;
  esac
  { printf '%s\n' "$baseline_required"; echo ---; printf '%s\n' "$results"; } | awk '
    !body { if ($0 == "---") body = 1; else if ($0 != "") required[$1] = "missing"; next }
    $1 == "begin" { begun = 1; passed = failed = other = 0; score = "-"; split("", bad); next }
    $1 == "score" { score = $2; next }
    { if ($2 in required) required[$2] = $1 }
    $1 == "pass" || $1 == "fixed" { passed++; next }
    $1 == "fail" || $1 == "error" || $1 == "unknown" { bad[failed++] = $2; next }
    { other++ }
    END {
      if (!begun) { print "fail no results in the file"; exit }
      for (rule in required) if (required[rule] != "pass" && required[rule] != "fixed") lack[lacking++] = rule ":" required[rule]
      printf "pass passed=%d failed=%d other=%d score=%s required=%d\n", passed, failed, other, score, lacking
      for (i = 0; i < lacking; i++) print lack[i]
      for (i = 0; i < failed; i++) print bad[i]
    }'
}

matches() { # text, extended regular expression
  [ -z "$2" ] || printf '%s\n' "$1" | grep -Eq -e "$2"
}

run_command() { # seconds, exit code, pattern, interpreter, text: its first 4 KB of output are read
  has timeout || { echo 'fail timeout is not installed'; return; }
  # The last line is the exit code. Descriptor 3 carries it past the pipe that bounds the output.
  # shellcheck disable=SC2016 # the inner shell expands it
  found="$(timeout -k 5 "$1" sh -c '
    {
      code="$( { { "$1" -c "
$2" 2>&1 3>&- 4>&- </dev/null; echo "$?" >&3; } | { head -c 4096; cat >/dev/null; } >&4; } 3>&1 )"
    } 4>&1
    printf "\n%s" "$code"' sh "$4" "$5")"
  ended=$?
  if [ "$ended" -ne 0 ]; then
    if [ "$ended" -eq 124 ] || [ "$ended" -eq 137 ]; then echo "fail it did not end within $1 s"; else echo "fail it was killed"; fi
    return
  fi
  code="${found##*
}"
  output="${found%
*}"
  shows="$(printf '%s\n' "$output" | awk 'NF { print; exit }')"
  if [ "$code" != "$2" ]; then
    printf 'fail exit code %s, not %s%s\n' "$code" "$2" "${shows:+: $shows}"
  elif matches "$output" "$3"; then
    echo pass
  else
    printf 'fail the output does not match%s\n' "${shows:+: $shows}"
  fi
}

expect_file() { # path, present|absent, mode, owner, pattern
  file="$R$1"
  if [ "$2" = absent ]; then
    if [ -e "$file" ]; then echo 'fail it exists'; else echo pass; fi
    return
  fi
  [ -e "$file" ] || { echo 'fail it does not exist'; return; }
  none "$(
    mode="$(stat -c %a "$file")"
    owner="$(stat -c %U "$file")"
    if [ -n "$3" ] && [ "$mode" != "$3" ]; then echo "mode $mode, not $3"; fi
    if [ -n "$4" ] && [ "$owner" != "$4" ]; then echo "owner $owner, not $4"; fi
    if [ -n "$5" ] && ! grep -Eqs -e "$5" "$file"; then echo 'no line matches'; fi
  )"
}

expect_service() { # name, running|stopped|-, enabled|disabled|-
  has systemctl || { echo 'fail no systemctl'; return; }
  active="$(systemctl is-active "$1")"
  enabled="$(systemctl is-enabled "$1")"
  none "$(
    case "$2:$active" in -:* | running:active | stopped:inactive | stopped:failed) ;; *) echo "it is ${active:-unknown}" ;; esac
    case "$3:$enabled" in
      -:* | enabled:enabled | enabled:enabled-runtime | enabled:static | enabled:alias | disabled:disabled | disabled:masked | disabled:not-found) ;;
      *) echo "it is ${enabled:-unknown}" ;;
    esac
  )"
}

expect_port() { # tcp|udp, number, listening|closed
  found="$(listening | grep -cx "$1/$2")"
  case "$3:$found" in
    listening:0) echo 'fail nothing listens for other machines' ;;
    listening:* | closed:0) echo pass ;;
    *) echo 'fail something listens' ;;
  esac
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
check left_over_users
check environment_secrets
check identity_tokens
check domain
check ca_certificates
check log_size
check sshd_config
check listening_ports
check serial_console
check time_sync
check imds
check repositories
check kernel_modules
check secure_boot
check baseline
# Checks of the policy are added here.
fitted
printf 'ringmaster done %s checks=%s\n' "$nonce" "$checks"
