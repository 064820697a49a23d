#!/bin/sh
# Puts together the files of an image, for Containerfile and for its test.
#   usage: assemble.sh BUILT DENO BUSYBOX ROOT
#     BUILT    folder with bin/ and dist/, from `deno task build`
#     DENO     the runtime's binary        BUSYBOX  a static busybox
#     ROOT     folder to fill: what is in it goes to / of the image
# The launchers are shell scripts, and distroless images have no shell. They get one of their own, under a path that
# nothing else looks at, with the four tools that they call. The programs themselves may start no other program.
set -eu
built=$1 deno=$2 busybox=$3 root=$4
mkdir -p "$root/app/bin" "$root/app/dist" "$root/app/tools" "$root/usr/bin"
for bundle in server agent test konnectivity permissions kubeconfig page; do cp "$built/dist/$bundle.js" "$root/app/dist/"; done
cp "$deno" "$root/usr/bin/deno"
cp "$busybox" "$root/app/tools/busybox"
for tool in sh readlink dirname head; do ln -sf busybox "$root/app/tools/$tool"; done
for program in proxy-server proxy-agent proxy-test-client http-test-server konnectivity; do
  { echo '#!/app/tools/sh'; tail -n +2 "$built/bin/$program"; } >"$root/app/bin/$program"
  chmod 755 "$root/app/bin/$program"
  # Where the original's images have them.
  ln -sf "app/bin/$program" "$root/$program"
done
# Where manifests that were written for images of others call them.
for program in proxy-server proxy-agent konnectivity; do ln -sf "../../app/bin/$program" "$root/usr/bin/$program"; done
