"""Compiles the modules that pyproject.toml names (`tool.rsc-share.compiled`) in place, and takes that back (ADR 0068).

    python tools/compile.py             needs a C compiler and the extra `compiled`; about a minute
    python tools/compile.py --remove    back to interpreted

An extension module beside a `.py` is what Python imports, and nothing else changes. `rsc_share` refuses to be imported
when a `.py` is no longer the one that was compiled.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rsc_share"
MADE_FROM = PACKAGE / "compiled.json"
BUILD = ROOT / "build" / "compiled"
GROUP = "rsc_share_compiled"


def modules() -> list[str]:
    """The one list."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[str] = settings["tool"]["rsc-share"]["compiled"]
    return found


def sources() -> list[Path]:
    return [ROOT / f"{name.replace('.', '/')}.py" for name in modules()]


def extensions() -> list[Path]:
    """What a build leaves: one library, and a small module for each one that was compiled."""
    return sorted([*PACKAGE.rglob("*.so"), *ROOT.glob(f"{GROUP}__mypyc*.so")])


def remove() -> None:
    for path in extensions():
        path.unlink()
    MADE_FROM.unlink(missing_ok=True)
    shutil.rmtree(BUILD, ignore_errors=True)


def build() -> None:
    from mypyc.build import mypycify
    from setuptools import Distribution

    remove()
    BUILD.mkdir(parents=True)
    os.chdir(ROOT)  # mypy reads pyproject.toml there, and extensions are put beside their sources
    digests = {str(p.relative_to(PACKAGE)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sources()}
    paths = [str(path.relative_to(ROOT)) for path in sources()]
    made = mypycify(paths, opt_level="3", debug_level="0", group_name=GROUP, target_dir=str(BUILD))
    # Not `setup()`: that reads the project table of pyproject.toml, which is hatchling's and may be too new for it.
    command = Distribution({"name": GROUP, "ext_modules": made}).get_command_obj("build_ext")
    command.inplace, command.build_temp, command.build_lib = True, str(BUILD / "objects"), str(BUILD / "library")
    command.ensure_finalized()
    # Before the first extension is there: one without this file would never be held against its source.
    MADE_FROM.write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
    try:
        command.run()
    except BaseException:
        remove()  # half of it compiled is nothing anybody asked for
        raise


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile the modules in which a replay spends its time.")
    parser.add_argument("--remove", action="store_true", help="take the extensions away again")
    asked = parser.parse_args()
    if asked.remove:
        remove()
    else:
        build()
    sys.stdout.write(f"{len(modules())} modules {'interpreted' if asked.remove else 'compiled'}\n")


if __name__ == "__main__":
    main()
