#!/bin/sh
# Makes egress-relay.jar from its source, the same bytes each time: needs a JDK 17. Only whoever changes the source runs it.
set -eu
cd "$(dirname "$0")"
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
javac --release 8 -Xlint:-options -g:none -d "$classes" EgressRelay.java
printf 'Premain-Class: EgressRelay\n' >"$classes/manifest"
jar --create --file "${1:-egress-relay.jar}" --date=2026-01-01T00:00:00Z --manifest "$classes/manifest" -C "$classes" EgressRelay.class
