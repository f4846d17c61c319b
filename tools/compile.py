"""Compiles the modules that pyproject.toml names (`tool.rsc-share.compiled`) in place, and takes them away again.

    python tools/compile.py             needs a C compiler and the extra `dev`; about a minute
    python tools/compile.py --remove    back to interpreted

An extension module beside a `.py` is what Python imports; nothing else changes. Whoever edits a `.py` builds again: the old
extension would still be the one that runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "compiled"
GROUP = "rsc_share_compiled"


def modules() -> list[str]:
    """The one list, as paths below the root."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names: list[str] = settings["tool"]["rsc-share"]["compiled"]
    return [name.replace(".", "/") + ".py" for name in names]


def extensions() -> list[Path]:
    """What an earlier build left: one library, and a small module for each that was compiled."""
    found = [*(ROOT / "rsc_share").rglob("*.so"), *ROOT.glob(f"{GROUP}__mypyc*.so")]
    return sorted(found)


def remove() -> None:
    for path in extensions():
        path.unlink()
    shutil.rmtree(BUILD, ignore_errors=True)


def build() -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution

    os.chdir(ROOT)  # mypy reads pyproject.toml there, and extensions are put beside their sources
    remove()
    BUILD.mkdir(parents=True)
    made = mypycify(modules(), opt_level="3", debug_level="0", group_name=GROUP, target_dir=str(BUILD))
    # Not `setup()`: that reads the project table of pyproject.toml, which is hatchling's, and may be newer than setuptools.
    command = Distribution({"name": GROUP, "ext_modules": made}).get_command_obj("build_ext")
    command.inplace, command.build_temp, command.build_lib = True, str(BUILD / "objects"), str(BUILD / "library")
    command.ensure_finalized()
    command.run()


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile the modules an audit spends its time in.")
    parser.add_argument("--remove", action="store_true", help="take the extensions away again")
    asked = parser.parse_args()
    if asked.remove:
        remove()
    else:
        build()
    print(f"{len(extensions())} extensions", file=sys.stderr)


if __name__ == "__main__":
    main()
