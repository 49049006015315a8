#!/usr/bin/env bash
# Looks for known weaknesses in an image and writes its list of parts (SBOM, CycloneDX): scan-image.sh IMAGE FILE
# Fails on a high or critical one that has a remedy. Needs a container engine.
set -euo pipefail

image=${1:?is missing: the name of the image}
file=${2:?is missing: where to write the list of parts}
trivy() {
  docker run --rm --volume /var/run/docker.sock:/var/run/docker.sock --volume docent-trivy:/cache \
    aquasec/trivy:0.69.3 --cache-dir /cache "$@"
}

trivy image --quiet --format cyclonedx "$image" >"$file"
trivy image --quiet --severity HIGH,CRITICAL "$image"
trivy image --quiet --severity HIGH,CRITICAL --ignore-unfixed --exit-code 1 "$image" >/dev/null
