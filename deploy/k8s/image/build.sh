#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The container image, built without a daemon: from scratch, the two programs, exactly
# the shared libraries they name, and the time zones that a policy can name.
#   build.sh BIN_FOLDER [IMAGE:TAG]
set -euo pipefail
bin=${1:?the folder of the built programs}
image=${2:-bartizan:0.1.0}

root=$(mktemp -d)
container=
cleanup() {
    [ -z "$container" ] || buildah rm "$container" >/dev/null 2>&1 || true
    rm -rf "$root"
}
trap cleanup EXIT

mkdir -p "$root"/usr/bin "$root"/etc/bartizan "$root"/tmp "$root"/lib64
for program in bartizan bartizan-ship; do
    install -m 0755 "$bin/$program" "$root/usr/bin/$program"
    strip "$root/usr/bin/$program"
    ldd "$bin/$program" | grep -oE '/[^ ]+' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -Lu "$library" "$root$library"
    done
done
mkdir -p "$root/usr/share"
cp -a /usr/share/zoneinfo "$root/usr/share/zoneinfo"
(cd "$root/usr/share/zoneinfo" && rm -rf right posix localtime posixrules)
printf 'bartizan:x:10002:10000:bartizan:/:/usr/bin/bartizan\n' >"$root/etc/passwd"
printf 'bartizan:x:10000:\n' >"$root/etc/group"

# No nested user namespace and no daemon are needed to put files into a layer.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=${STORAGE_DRIVER:-vfs}
container=$(buildah from scratch)
buildah copy -q "$container" "$root" / >/dev/null
# A volume mounted here takes its owner from the image where the platform sets none.
own=$(mktemp -d)
chmod 0770 "$own"
for folder in /run/bartizan /var/lib/bartizan; do
    buildah copy -q --chown 10002:10000 "$container" "$own" "$folder" >/dev/null
done
rmdir "$own"
buildah config --user 10002:10000 --entrypoint '["/usr/bin/bartizan"]' --cmd help \
    --label org.opencontainers.image.title=bartizan \
    --label org.opencontainers.image.licenses=Apache-2.0 "$container"
buildah commit -q --rm "$container" "$image" >/dev/null
container=
printf '%s %s bytes of files\n' "$image" "$(du -sb "$root" | cut -f1)"
