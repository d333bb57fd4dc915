"""ESP-IDF's own headers and menus, from a checkout: what a build's configuration is, and where its headers lie."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.firmware.core_cases import FIRMWARE
from tests.firmware.tidy import XTENSA

KERNEL = "freertos/FreeRTOS-Kernel"
NIMBLE = "bt/host/nimble/nimble"
# Below components/; {chip} and {arch} are filled in, and what a version has not is left out.
INCLUDES = {
    "*": ["include"],
    "{arch}": ["{chip}/include"],
    "bt": ["host/nimble/port/include", "include/{chip}/include"],
    "bt/porting": ["include", "npl/freertos/include", "transport/include"],
    "driver": ["*/include", "{chip}/include"],
    "esp_adc": ["interface", "{chip}/include"],
    "esp_hal_*": ["{chip}/include"],
    "esp_hw_support": ["etm/include", "include/soc"],
    "esp_hw_support/port": ["include", "{chip}", "{chip}/include"],
    "esp_libc": ["platform_include"],
    "esp_rom": ["include/{chip}", "{chip}", "{chip}/include"],
    "esp_wifi": ["include/local"],
    "freertos/config": ["include", "include/freertos", "{arch}/include"],
    "freertos/esp_additions": ["include", "include/freertos", "arch/{arch}/include"],
    KERNEL: ["include", "include/freertos", "portable/{arch}/include", "portable/{arch}/include/freertos"],
    "hal": ["{chip}/include"],
    "lwip": ["lwip/src/include"],
    "lwip/port": ["include", "esp32/include", "esp32xx/include", "freertos/include"],
    "newlib": ["platform_include"],
    "soc": ["{chip}", "{chip}/include", "{chip}/register"],
    f"{NIMBLE}/nimble": [
        "include",
        "host/include",
        "host/services/*/include",
        "host/util/include",
        "transport/include",
    ],
    f"{NIMBLE}/porting": ["nimble/include", "npl/freertos/include"],
}
REENT = "#pragma once\nstruct _reent {\n    int _errno;\n};\n"
"""Of newlib's headers the one that picolibc, another C library, has not."""


class Checkout:
    """ESP-IDF in `root`, with its submodules esp-lwip and, for tags, esp-nimble."""

    def __init__(self, root: Path) -> None:
        self.root, self.components = root, root / "components"
        header = self.components / "esp_common" / "include" / "esp_idf_version.h"
        if not header.is_file():
            pytest.skip(f"{root} is no checkout of ESP-IDF: {header} is not there")
        found = dict(re.findall(r"#define ESP_IDF_VERSION_(\w+)\s+(\d+)", header.read_text()))
        self.version = tuple(int(found[part]) for part in ("MAJOR", "MINOR", "PATCH"))

    def has(self, chip: str) -> bool:
        """Whether this version knows the chip and its Wi-Fi: first drafts leave that out."""
        told = self.components / "soc" / chip / "include" / "soc" / "Kconfig.soc_caps.in"
        return told.is_file() and "SOC_WIFI_SUPPORTED" in told.read_text()

    def configure(self, project: str, chip: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write sdkconfig.h into `out`, of ESP-IDF's menus, the project's and its defaults."""
        kconfiglib = pytest.importorskip("kconfiglib", reason="needs pip install esp-idf-kconfig")
        menus = FIRMWARE / project / "main" / "Kconfig.projbuild"
        for name, more in (("Kconfig", []), ("Kconfig.projbuild", [menus])):
            found = [*sorted(self.components.glob(f"*/{name}")), *more]
            (out / name).write_text("".join(f'source "{path}"\n' for path in found))
        monkeypatch.chdir(self.root)
        for name, value in {
            "IDF_PATH": str(self.root),
            "IDF_TARGET": chip,
            "IDF_TOOLCHAIN": "gcc",
            "IDF_INIT_VERSION": ".".join(map(str, self.version)),
            "IDF_ENV_FPGA": "",
            "COMPONENT_KCONFIGS_SOURCE_FILE": str(out / "Kconfig"),
            "COMPONENT_KCONFIGS_PROJBUILD_SOURCE_FILE": str(out / "Kconfig.projbuild"),
        }.items():
            monkeypatch.setenv(name, value)
        configuration = kconfiglib.Kconfig(str(self.root / "Kconfig"), warn=False)
        for name in ("sdkconfig.defaults", f"sdkconfig.defaults.{chip}"):
            configuration.load_config(str(FIRMWARE / project / name), replace=False)
        configuration.write_autoconf(str(out / "sdkconfig.h"))

    def flags(self, chip: str, out: Path) -> list[str]:
        """Options for clang: the processor, and the headers after `out`, where sdkconfig.h is."""
        xtensa = chip in XTENSA
        arch, other = ("xtensa", "riscv") if xtensa else ("riscv", "xtensa")
        below = [f"{component}/{place}" for component, places in INCLUDES.items() for place in places]
        found = [self.components.glob(pattern.format(chip=chip, arch=arch)) for pattern in below]
        elsewhere = {self.components / name / "include" for name in (other, "linux")}
        places = {path for paths in found for path in paths if path.is_dir()} - elsewhere
        (out / "sys").mkdir(exist_ok=True)
        (out / "sys" / "reent.h").write_text(REENT)
        (out / "reent.h").write_text("#include <sys/reent.h>\n")
        systems = [out, *sorted(places), picolibc()]
        target = "xtensa" if xtensa else "riscv32"
        standard = "-std=gnu2x" if self.version >= (6, 0, 0) else "-std=gnu17"
        defines = ["-DESP_PLATFORM=1", "-D_GNU_SOURCE", "-include", "sdkconfig.h", "-include", "sys/types.h"]
        return [f"--target={target}", standard, "-ffreestanding", *defines, *(f"-isystem{path}" for path in systems)]


def picolibc() -> Path:
    """A C library's headers for 32 bits; ESP-IDF's own come with its compilers."""
    found = Path("/usr/lib/picolibc/riscv64-unknown-elf/include")
    if not found.is_dir():
        pytest.skip("picolibc is not installed: apt-get install picolibc-riscv64-unknown-elf")
    return found
