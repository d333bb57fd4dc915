"""A Debian kernel in QEMU on this machine's own files: for tests that need drivers which the running kernel lacks.

The guest sees / read-only through 9p, with a layer in memory on top, so it has the same Python and the same packages.
No KVM, no network, no root. `run_in_vm` boots, runs one command as root there, and gives what it printed.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NEEDS = "apt-get install qemu-system-x86 busybox-static cpio kmod"
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng")
PATIENCE_S = 900
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT = """\
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for file in /modules/*.ko; do insmod $file || echo "VM: cannot load $file"; done
mkdir -p /lower /upper /new
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /lower
mount -t tmpfs -o size=512m tmpfs /upper; mkdir -p /upper/files /upper/work
mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work overlay /new
mount -t proc proc /new/proc; mount -t sysfs sys /new/sys; mount -t devtmpfs dev /new/dev
mount -t tmpfs tmpfs /new/run; mkdir -p /new/dev/pts /new/dev/shm
mount -t devpts devpts /new/dev/pts; mount -t tmpfs tmpfs /new/dev/shm
chroot /new /bin/sh @COMMAND@ 2>&1
echo "VM: exit=$?"
poweroff -f
"""


@dataclass(frozen=True)
class Vm:
    """`tree`: an unpacked kernel package, which guests load more modules from: `modprobe -d TREE -S VERSION NAME`."""

    tree: Path
    version: str


def debian_kernel(directory: Path) -> Vm:
    """Debian's kernel, fetched and unpacked; nothing is installed. Skips the test where something is missing."""
    missing = [tool for tool in ("qemu-system-x86_64", "busybox", "cpio", "modprobe", "dpkg") if not _which(tool)]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: {NEEDS}")
    told = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=False)
    package = re.search(r"linux-image-(\S+-amd64)\b", told.stdout.partition("\n")[2])
    if package is None:
        pytest.skip("no Debian kernel package is known here: apt-get update")
    got = subprocess.run(
        ["apt-get", "download", package[0]], cwd=directory, capture_output=True, text=True, check=False
    )
    archive = next(directory.glob("linux-image-*.deb"), None)
    if got.returncode != 0 or archive is None:
        pytest.skip(f"apt-get download {package[0]}: {got.stderr.strip()}")
    tree = directory / "kernel"
    subprocess.run(["dpkg", "-x", archive, tree], check=True)
    archive.unlink()
    subprocess.run([_which("depmod"), "-b", tree, package[1]], check=True)
    return Vm(tree, package[1])


def run_in_vm(vm: Vm, script: str, directory: Path) -> str:
    """What `script` (for /bin/sh, as root in the guest) printed; fails the test unless it ended with 0."""
    (directory / "guest.sh").write_text(f"export PATH={PATH}\n{script}")
    initrd = _initrd(vm, directory)
    command = [
        *("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1536M"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot"),
        *("-kernel", str(vm.tree / "boot" / f"vmlinuz-{vm.version}"), "-initrd", str(initrd)),
        *("-append", "console=ttyS0 quiet loglevel=3 mitigations=off random.trust_cpu=on"),
        *("-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-rng-pci"),
    ]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE_S,
        check=False,
    )
    assert "VM: exit=0" in done.stdout, done.stdout[-4000:] + done.stderr
    return done.stdout


def _initrd(vm: Vm, directory: Path) -> Path:
    """Busybox, the modules that the root file system needs in their order, and INIT."""
    root = directory / "initrd"
    for name in ("bin", "modules", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True)
    shutil.copy2(_which("busybox"), root / "bin" / "busybox")
    for applet in ("sh", "mount", "insmod", "mkdir", "chroot", "poweroff", "echo"):
        (root / "bin" / applet).symlink_to("busybox")
    needed: list[str] = []
    for module in BOOT_MODULES:
        command = [_which("modprobe"), "-d", vm.tree, "-S", vm.version, "--show-depends", module]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        needed += [path for path in re.findall(r"^insmod (\S+)", told, re.MULTILINE) if path not in needed]
    for i, path in enumerate(needed):
        shutil.copy2(path, root / "modules" / f"{i:02d}_{Path(path).name}")
    (root / "init").write_text(INIT.replace("@COMMAND@", str(directory / "guest.sh")))
    (root / "init").chmod(0o755)
    names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
    packed = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet"], input=names.encode(), cwd=root, capture_output=True, check=True
    )
    image = directory / "initrd.gz"
    image.write_bytes(gzip.compress(packed.stdout, 1))
    return image


def _which(tool: str) -> str:
    """modprobe and its like are not on the path of everybody."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
