"""The bill of materials of an image, as SPDX 2.3: each file with its checksum, and
the Debian package and version that it came from."""
import hashlib
import json
import re
import subprocess
import time


class Unowned(Exception):
    """A library belongs to no package: nobody could say which version it is."""


def owners(paths):
    """The package that each of PATHS came with. dpkg knows a file by the name that it
    was packed under, which may lack the /usr of today."""
    names = {alias: path for path in paths for alias in (path, path.removeprefix("/usr"))}
    if not names:
        return {}
    # it fails when it does not know one of the names, but tells about the others
    answer = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True)
    found = {}
    for line in answer.stdout.splitlines():
        packages, _, name = line.partition(": ")
        if name in names:
            found[names[name]] = packages.split(",")[0].split(":")[0]
    unowned = set(paths) - set(found)
    if unowned:
        raise Unowned(f"no package has {', '.join(sorted(unowned))}")
    return found


def describe(package):
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}|${Version}|${source:Package}|${source:Version}\n", package],
        capture_output=True, text=True, check=True)
    installed = next(line for line in answer.stdout.splitlines() if line.startswith("ii"))
    return installed.split("|")[1:]


def spdx_id(kind, text):
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def package_entry(package):
    version, source, source_version = describe(package)
    return {
        "SPDXID": spdx_id("Package", package), "name": package, "versionInfo": version,
        "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
        "sourceInfo": f"built from {source} {source_version}",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": f"pkg:deb/debian/{package}@{version}"}]}


def file_entry(dest, source):
    with open(source, "rb") as file:
        data = file.read()
    return {
        "SPDXID": spdx_id("File", dest), "fileName": dest, "copyrightText": "NOASSERTION",
        "licenseConcluded": "NOASSERTION",
        "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                      {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}]}


def document(name, digest, created, libraries, own):
    """LIBRARIES are paths of Debian's files, OWN maps the path in the image to our file."""
    packages, files, relations = {}, [], []
    image = spdx_id("Package", name)

    def relate(subject, kind, other):
        relations.append({"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": other})

    package_of = owners(libraries)
    for path in sorted(libraries):
        entry = file_entry(path, path)
        package = package_of[path]
        packages.setdefault(package, package_entry(package))
        files.append(entry)
        relate(packages[package]["SPDXID"], "CONTAINS", entry["SPDXID"])
    for package in sorted(packages):
        relate(image, "CONTAINS", packages[package]["SPDXID"])
    for dest, source in sorted(own.items()):
        entry = file_entry(dest, source)
        files.append(entry)
        relate(image, "CONTAINS", entry["SPDXID"])
    relate("SPDXRef-DOCUMENT", "DESCRIBES", image)
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
        "documentNamespace": f"https://functionkey.dev/spdx/{name}/{digest}",
        "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created)),
                         "creators": ["Tool: hack/images/build"]},
        "packages": [{"SPDXID": image, "name": name, "versionInfo": digest, "downloadLocation": "NOASSERTION",
                      "filesAnalyzed": False}] + [packages[package] for package in sorted(packages)],
        "files": files, "relationships": relations}


def write(path, content):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.write("\n")
