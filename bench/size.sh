#!/bin/bash
# Sizes of programs, stripped as they go into images, and of the packed images (make images).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source-path=SCRIPTDIR
source bench/lib.sh

for program in controller agent keeper network; do
	file=$B/bin/functionkey-$program
	if [[ ! -x $file ]]; then
		figure "size.program-$program" null MB null "not built: make build"
		continue
	fi
	strip -o "$work/$program" "$file"
	size=$(stat -c %s "$work/$program")
	figure "size.program-$program" "$(jq -n "$size / 1e6")" MB null "stripped, without libraries"
done
for image in controller agent; do
	file=$B/images/$image.tar
	if [[ ! -f $file ]]; then
		figure "size.image-$image" null MB 10 "not there: make images"
		continue
	fi
	# Layers in an OCI archive are packed already.
	size=$(tar -tvf "$file" | awk '{n += $3} END {print n}')
	figure "size.image-$image" "$(jq -n "$size / 1e6")" MB 10 \
		"all layers and documents of the OCI archive, packed, $(date -r "$file" -u +%FT%TZ)"
done
