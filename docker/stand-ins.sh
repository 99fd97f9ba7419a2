#!/usr/bin/env bash
# For machines that reach no container registry: makes images under the names mariadb:11.8 and nats:2.10-alpine from Debian's packages,
# so that docker-compose.yml runs as it stands. They are not the official images. Needs debian:trixie-slim and nats:2.10 locally.
set -euo pipefail
have() { docker image inspect "$1" >/dev/null 2>&1; }

have nats:2.10-alpine || docker tag nats:2.10 nats:2.10-alpine

have mariadb:11.8 || {
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cat >"$folder/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/usr/bin/env bash
# MARIADB_DATABASE, MARIADB_USER, MARIADB_PASSWORD: made in an empty server, as in the official image.
set -Eeuo pipefail
[ "${1:0:1}" = - ] && set -- mariadbd "$@"
if [ "$1" = mariadbd ] && [ "$(id -u)" = 0 ]; then
  mkdir -p /run/mysqld
  chown mysql:mysql /var/lib/mysql /run/mysqld
  exec gosu mysql "$0" "$@"
fi
if [ "$1" = mariadbd ] && [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=socket >/dev/null
  {
    echo "flush privileges;"
    echo "create database \`$MARIADB_DATABASE\`;"
    echo "create user '$MARIADB_USER'@'%' identified by '$MARIADB_PASSWORD';"
    echo "grant all on \`$MARIADB_DATABASE\`.* to '$MARIADB_USER'@'%';"
    echo "create user 'healthcheck'@'127.0.0.1' identified by 'healthcheck';"
  } >/tmp/init.sql
  mariadbd --bootstrap --datadir=/var/lib/mysql </tmp/init.sql 2>/tmp/init.log || { cat /tmp/init.log >&2; exit 1; }
fi
exec "$@"
ENTRYPOINT
  cat >"$folder/healthcheck.sh" <<'HEALTHCHECK'
#!/usr/bin/env bash
exec mariadb --host 127.0.0.1 --user healthcheck --password=healthcheck --skip-ssl --connect-timeout 2 --execute 'select 1' >/dev/null
HEALTHCHECK
  chmod 755 "$folder"/*.sh
  cat >"$folder/Dockerfile" <<'DOCKERFILE'
FROM debian:trixie-slim
RUN groupadd --system --gid 999 mysql && useradd --system --uid 999 --gid 999 --home-dir /var/lib/mysql mysql \
 && apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mariadb-server gosu \
 && rm -rf /var/lib/apt/lists/* /var/lib/mysql && install -d -o mysql -g mysql /var/lib/mysql /run/mysqld \
 && printf '[mariadbd]\nbind-address=*\nskip-name-resolve\nhost-cache-size=0\n' > /etc/mysql/mariadb.conf.d/90-container.cnf
COPY docker-entrypoint.sh healthcheck.sh /usr/local/bin/
VOLUME /var/lib/mysql
EXPOSE 3306
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mariadbd"]
DOCKERFILE
  DOCKER_BUILDKIT=0 docker build --network host --quiet --tag mariadb:11.8 "$folder" >/dev/null
}
