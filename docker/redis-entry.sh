#!/bin/sh
# Starts Redis in its container: the configuration of include/firehose/redis, the users of users.acl with the passwords of .env,
# and an administrator whose password is made at each start, and is in this container only.
set -eu
umask 077
run=${REDIS_RUN:-/tmp/redis}
mkdir -p "$run"

sha256() { printf %s "$1" | sha256sum | cut -c 1-64; }

admin=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n' "$admin" > "$run/admin"
# Redis takes neither comments nor continued lines here.
sed -e '/^#/d' -e '/^$/d' "${REDIS_CONFIG:-/etc/redis}/users.acl" |
  awk '/^user/ { if (line) print line; line = $0; next } { sub(/^ +/, " "); line = line $0 } END { print line }' |
  sed -e "s/#INGESTER /#$(sha256 "$REDIS_INGESTER_PASSWORD") /" \
    -e "s/#PIPELINE /#$(sha256 "$REDIS_PIPELINE_PASSWORD") /" \
    -e "s/#MONITORING /#$(sha256 "$REDIS_MONITORING_PASSWORD") /" \
    -e "s/#ADMIN /#$(sha256 "$admin") /" > "$run/users.acl"
cat "${REDIS_CONFIG:-/etc/redis}/redis.conf" - > "$run/redis.conf" <<EOF

bind * -::*
port ${REDIS_PORT:-6379}
dir ${REDIS_DATA:-/data}
maxmemory $REDIS_MAXMEMORY
aclfile $run/users.acl
unixsocket $run/admin.sock
unixsocketperm 700
EOF
unset admin REDIS_INGESTER_PASSWORD REDIS_PIPELINE_PASSWORD REDIS_MONITORING_PASSWORD
exec redis-server "$run/redis.conf"
