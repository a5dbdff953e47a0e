#!/bin/sh
# Becomes systemd as PID 1 of its own namespaces, with an overlay of this machine's root: nothing that happens there
# reaches the machine. $1: an empty folder; $2: the folder of its journal; $3: the checkout, which lies in
# /opt/bluesky-firehose there; $4: the prefix of its Python, which lies in /opt/python there; $5: a script that runs in
# the new root before systemd does.
set -eu
scratch=$1 log=$2 checkout=$3 python=$4 prepare=$5
root=$scratch/root

mount -t tmpfs -o size=2g,mode=755 boot "$scratch"
mkdir "$root"
overlay() {  # of $1, at $2
  name=$(echo "$2" | tr / _)
  mkdir -p "$scratch/$name.upper" "$scratch/$name.work"
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$scratch/$name.upper,workdir=$scratch/$name.work" "$2"
}
overlay / "$root"
cd "$root"

mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev
mkdir dev/pts dev/shm
ln -s /proc/self/fd dev/fd
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for folder in run tmp var/tmp; do mount -t tmpfs -o mode=1777 tmpfs "$folder"; done
chmod 755 run
mkdir -p opt/bluesky-firehose opt/bluesky-firehose-next opt/python var/log/journal
mount --bind "$log" var/log/journal

# The checkout twice, as two versions in two folders, and Python where every user can read it.
mount --bind "$python" opt/python
rm -f lib/x86_64-linux-gnu/libpython3* usr/lib/*/libpython3*
echo /opt/python/lib > etc/ld.so.conf.d/python.conf
chroot . ldconfig
for place in opt/bluesky-firehose opt/bluesky-firehose-next; do
  overlay "$checkout" "$root/$place"
  ln -sfn "/opt/python/bin/python3.11" "$place/.venv/bin/python3.11"
  ln -sfn python3.11 "$place/.venv/bin/python"
  ln -sfn python3.11 "$place/.venv/bin/python3"
  sed -i "s#^home = .*#home = /opt/python/bin#" "$place/.venv/pyvenv.cfg"
  sed -i "s#$checkout#/$place#g" "$place/.venv/bin/firehose" "$place"/.venv/lib/python3.11/site-packages/__editable__*
done

# Nothing of the machine's own services, but for the journal, users and folders.
rm -rf etc/systemd/system/*.wants lib/systemd/system/*.wants etc/systemd/system/default.target
mkdir -p etc/systemd/system/sysinit.target.wants
for unit in systemd-journald.service systemd-journal-flush.service systemd-sysusers.service systemd-tmpfiles-setup.service; do
  ln -s "/lib/systemd/system/$unit" etc/systemd/system/sysinit.target.wants/
done
# A machine id, so that nothing asks for one; the journal is to survive.
echo 0123456789abcdef0123456789abcdef > etc/machine-id
mkdir -p etc/systemd/journald.conf.d
printf '[Journal]\nStorage=persistent\nForwardToSyslog=no\nRateLimitBurst=0\n' > etc/systemd/journald.conf.d/boot.conf

cp "$prepare" run/prepare
# Not a chroot: in one the kernel makes no user namespaces (PrivateUsers=).
mkdir -p mnt/old
pivot_root . mnt/old
umount -l mnt/old
cd /
# As systemd does itself, but not in a container: a service's credentials reach it by propagation.
mount --make-rshared /
/bin/sh -eu /run/prepare
exec env -i container=firehose-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=journal
