#!/bin/sh
# Makes what compose.yaml mounts: folders of the users who write there, and secrets that nobody has to know.
#
#   sudo sh deploy/cluster/prepare.sh
#
# Nothing that exists is replaced. Secrets are files that everybody in a container may read, in a folder that nobody
# but root may enter.
set -eu

here=${1:-$(dirname "$0")}
if [ "$(id -u)" -ne 0 ]; then
    echo "prepare.sh gives folders to the users of the containers, which only root can do. Run it with sudo." >&2
    exit 1
fi

folder() { install -d -o "$2" -g "$2" -m 0700 "$here/data/$1"; }
folder dateline 10001
folder etcd 10002
folder minio 10003
folder milvus 10004
# Keys are made by the writer and read by replicas; both are user 10001.
folder keys 10001

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
mkdir -p "$here/secrets"
if [ -e "$here/secrets/milvus.yaml" ]; then
    echo "$here/secrets is there already; it is kept." >&2
    exit 0
fi
root=$(random 24)
# MinIO's own tools take names up to 20 characters and passwords up to 40.
user=$(random 10)
storage=$(random 20)
printf '%s' "$user" > "$here/secrets/minio-user"
printf '%s' "$storage" > "$here/secrets/minio-password"
printf 'root:%s' "$root" > "$here/secrets/store-token"
# Milvus merges this into its own configuration.
cat > "$here/secrets/milvus.yaml" <<END
common:
  security:
    authorizationEnabled: true
    defaultRootPassword: "$root"
minio:
  accessKeyID: "$user"
  secretAccessKey: "$storage"
END
chmod 0444 "$here"/secrets/*
