#!/bin/sh
# Takes out of a root file system what a running container never needs: package managers, compilers of scripts,
# documents, tools for system administration. dpkg's list of packages stays, so that image scanners still see them.
# Runs as the last step of a build stage; the final stage copies the result.
set -eu
rm -rf /usr/bin/apt* /usr/lib/apt /usr/lib/x86_64-linux-gnu/libapt* /usr/lib/aarch64-linux-gnu/libapt* /etc/apt /var/lib/apt /var/cache/apt /var/log/* \
  /usr/bin/perl* /usr/share/perl* /usr/lib/*/perl* /usr/lib/*/libperl* /etc/perl /usr/lib/git-core/*.perl \
  /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/lintian /usr/share/bash-completion /usr/share/common-licenses/../bug \
  /usr/share/zoneinfo /usr/share/debconf /var/cache/debconf /var/lib/systemd /usr/lib/systemd /usr/lib/udev \
  /usr/lib/python3*/ensurepip /usr/lib/python3*/idlelib /usr/lib/python3*/test /usr/lib/python3*/pydoc_data /usr/lib/python3*/lib2to3 \
  /usr/lib/git-core/git-svn /usr/lib/git-core/git-cvs* /usr/lib/git-core/git-instaweb /usr/lib/git-core/git-p4 /usr/share/gitweb \
  /usr/sbin /usr/bin/passwd /usr/bin/su /usr/bin/mount /usr/bin/umount /usr/bin/chsh /usr/bin/chfn /usr/bin/newgrp /usr/bin/gpasswd /usr/bin/chage /usr/bin/expiry \
  /tmp/* /root/.cache
mkdir -p /usr/sbin
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nscanfleet:x:65532:65532::/nonexistent:/usr/sbin/nologin\n' > /etc/passwd
printf 'root:x:0:\nscanfleet:x:65532:\n' > /etc/group
rm -f /etc/shadow* /etc/gshadow* /etc/passwd- /etc/group-
# Last, since everything above may need them.
rm -rf /usr/bin/dpkg* /usr/lib/dpkg /usr/share/dpkg /var/lib/dpkg/info /var/lib/dpkg/alternatives
