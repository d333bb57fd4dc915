#!/bin/sh
# Install edgehar on a 64-bit Raspberry Pi OS (or any Debian 12+ on aarch64) and set up one live recogniser as a service.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo ./install.sh [--package SPEC] [--name NAME --bundle FILE --source URI] [--sink SINK] [--runtime NAME]

  --package SPEC   what pip installs: a wheel file, a directory or a requirement (default: the clone this script is in)
  --name NAME      the service instance, edgehar@NAME (default: main)
  --bundle FILE    the model bundle that the service runs; without it only the software is installed
  --source URI     where samples come from, as for `edgehar run --source`
  --sink SINK      where decisions go (default: jsonl:-, which the journal keeps)
  --runtime NAME   numba, reference or c, the module in c/ beside the bundle (default: numba)
USAGE
}

fail() {
    echo "install.sh: $1" >&2
    [ -z "${2:-}" ] || echo "  next: $2" >&2
    exit "${3:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
package=$(cd "$here/../.." && pwd)
name=main bundle='' source='' sink=jsonl:- runtime=numba
while [ $# -gt 0 ]; do
    case "$1" in
        --package) package=${2-} ;;
        --name) name=${2-} ;;
        --bundle) bundle=${2-} ;;
        --source) source=${2-} ;;
        --sink) sink=${2-} ;;
        --runtime) runtime=${2-} ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option '$1'" "" 2 ;;
    esac
    [ $# -ge 2 ] || fail "$1 needs a value" "" 2
    shift 2
done

case "$name" in
    '' | .* | *[!A-Za-z0-9_.-]*) fail "--name '$name' names no service" "letters, digits, _, - and . : --name wrist" 2 ;;
esac
[ "$(id -u)" = 0 ] || fail "must run as root to add a user and a service" "sudo $0 ..." 2
case "$(uname -m)" in
    aarch64 | x86_64) ;;
    *) fail "no wheels of NumPy and Numba exist for $(uname -m)" "install a 64-bit Raspberry Pi OS" 3 ;;
esac
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
    fail "Python 3.11 to 3.13 is needed, found $(python3 --version 2>&1)" "use Raspberry Pi OS 12 (bookworm) or later" 3
python3 -c 'import ensurepip' 2>/dev/null || fail "python3-venv is missing" "apt-get install python3-venv" 3
[ -z "$bundle" ] || [ -f "$bundle" ] || fail "no bundle at $bundle" "" 3
[ -z "$bundle" ] || [ -n "$source" ] || fail "--bundle needs --source" "add for instance --source 'virtual:imu?seed=1'" 2

case "$source" in
    ble:* | *=ble:*)
        command -v bluetoothctl >/dev/null 2>&1 || fail "$source needs BlueZ" "apt-get install bluez" 3
        case "$package" in *\]) ;; *) package="$package[ble]" ;; esac
        ;;
    csi:* | *=csi:* | imu:* | *=imu:*)
        case "$package" in *\]) ;; *) package="$package[serial]" ;; esac
        ;;
esac

if ! id edgehar >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/edgehar --shell /usr/sbin/nologin edgehar
fi
# D-Bus lets this group talk to bluetoothd.
if getent group bluetooth >/dev/null 2>&1; then
    usermod -aG bluetooth edgehar
fi
install -d -o edgehar -g edgehar -m 0750 /var/lib/edgehar
install -d -m 0755 /opt/edgehar /etc/edgehar

[ -x /opt/edgehar/venv/bin/python ] || python3 -m venv /opt/edgehar/venv
/opt/edgehar/venv/bin/python -m pip install --quiet --disable-pip-version-check --prefer-binary "$package"
/opt/edgehar/venv/bin/edgehar --version

if [ -f "$here/../systemd/edgehar@.service" ]; then
    install -D -m 0644 "$here/../systemd/edgehar@.service" /etc/systemd/system/edgehar@.service
fi
if [ -n "$bundle" ]; then
    /opt/edgehar/venv/bin/edgehar inspect "$bundle" >/dev/null
    install -m 0644 "$bundle" "/etc/edgehar/$name.edgehar"
    module=$(dirname "$bundle")/c
    if [ -f "$module/eh_model.h" ]; then
        install -d -m 0755 "/etc/edgehar/$name.c"
        install -m 0644 "$module"/eh_*.[ch] "/etc/edgehar/$name.c"
    fi
    # As the service's user and with its settings, so that it finds what is compiled here.
    (cd /var/lib/edgehar && runuser -u edgehar -- env HOME=/var/lib/edgehar NUMBA_CACHE_DIR=/var/lib/edgehar/numba \
        /opt/edgehar/venv/bin/edgehar warmup "/etc/edgehar/$name.edgehar")
    printf 'EDGEHAR_SOURCE=%s\nEDGEHAR_SINK=%s\nEDGEHAR_RUNTIME=%s\n' "$source" "$sink" "$runtime" >"/etc/edgehar/$name.env"
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl enable "edgehar@$name.service"
        # Not `enable --now`: one that runs already must take the new bundle and settings.
        systemctl restart "edgehar@$name.service"
        echo "started: journalctl -fu edgehar@$name"
    else
        echo "systemd is not running here; after the next boot: systemctl enable --now edgehar@$name"
    fi
fi
echo "edgehar is in /opt/edgehar/venv/bin/edgehar"
