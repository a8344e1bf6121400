#!/usr/bin/env python3
"""oci.py OUT.tar NAME:TAG [--entrypoint WORD]... [--user UID:GID] --layer FILE... [--layer FILE...]

Writes an OCI image archive (as `ctr images import` takes it) from files of this
machine. The bytes depend on the arguments and the files' contents alone: times
are zero, owners root, entries sorted.

A FILE is one of
  DEST=SOURCE     a regular file, its execute bit kept
  DEST=@TARGET    a symbolic link to TARGET
  DEST/           an empty folder (tmp/ is writable for everybody)
  DEST/=UID:GID   an empty folder that belongs to UID:GID
"""
import argparse
import functools
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def folder(name, uid=0, gid=0):
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o1777 if name == "tmp" else 0o755
    entry.uid, entry.gid = uid, gid
    return entry, None


def parents(name):
    parts = name.split("/")[:-1]
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def entries_of(files):
    """The entries of one layer by name, with the folders that they need."""
    entries = {}
    for text in files:
        dest, _, source = text.partition("=")
        name = dest.strip("/")
        for parent in parents(name):
            entries.setdefault(parent, folder(parent))
        if dest.endswith("/"):
            uid, _, gid = (source or "0:0").partition(":")
            entries[name] = folder(name, int(uid), int(gid))
        elif source.startswith("@"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, source[1:], 0o777
            entries[name] = entry, None
        else:
            with open(source, "rb") as file:
                data = file.read()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            entry.mode = 0o755 if os.access(source, os.X_OK) else 0o644
            entries[name] = entry, data
    return entries


def tar_bytes(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for _, (entry, data) in sorted(entries.items()):
            archive.addfile(entry, None if data is None else io.BytesIO(data))
    return out.getvalue()


class Blobs:
    """The blobs of an archive by their digest."""

    def __init__(self):
        self.by_digest = {}

    def add(self, data, media_type, **more):
        digest = hashlib.sha256(data).hexdigest()
        self.by_digest[digest] = data
        return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data), **more}

    def add_json(self, value, media_type, **more):
        return self.add(json.dumps(value, sort_keys=True).encode(), media_type, **more)


@functools.lru_cache(maxsize=4)
def pack(plain):
    """The slow step; images have layers in common."""
    return gzip.compress(plain, 9, mtime=0)


def layer_blob(blobs, files):
    """Adds a layer; returns its descriptor and the digest of its unpacked form."""
    plain = tar_bytes(entries_of(files))
    packed = blobs.add(pack(plain), LAYER)
    return packed, "sha256:" + hashlib.sha256(plain).hexdigest()


def write_archive(path, blobs, index):
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    files.update({"blobs/sha256/" + digest: data for digest, data in blobs.by_digest.items()})
    with tarfile.open(path + ".new", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    os.replace(path + ".new", path)


def write_image(path, name, layers, entrypoint=(), user=""):
    """Writes the archive; returns its manifest's descriptor and the layers' descriptors.

    LAYERS is a list of lists of FILE texts; empty layers are left out.
    """
    if ":" not in name.rsplit("/", 1)[-1]:
        raise ValueError("an image's name wants a tag: " + name)
    blobs = Blobs()
    packed = [layer_blob(blobs, files) for files in layers if files]
    settings = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}
    if entrypoint:
        settings["Entrypoint"] = list(entrypoint)
    if user:
        settings["User"] = user
    platform = {"architecture": ARCHITECTURE, "os": "linux"}
    config = blobs.add_json({
        **platform, "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in packed]}}, CONFIG)
    descriptors = [descriptor for descriptor, _ in packed]
    manifest = blobs.add_json(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors},
        MANIFEST, platform=platform,
        annotations={"io.containerd.image.name": name,
                     "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest]}, sort_keys=True)
    write_archive(path, blobs, index.encode())
    return manifest, descriptors


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("name")
    parser.add_argument("--entrypoint", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--layer", action="append", nargs="+", required=True)
    options = parser.parse_args()
    try:
        write_image(options.out, options.name, options.layer, options.entrypoint, options.user)
    except (OSError, ValueError) as error:
        sys.exit(f"oci.py: {error}")


if __name__ == "__main__":
    main()
