#!/bin/bash
# Runs once, in an empty database server: a database and a user each for order and delivery, closed to each other.
set -e
for name in order delivery; do
  variable="${name^^}_DATABASE_PASSWORD"
  psql --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres --set name="$name" --set password="${!variable}" <<'SQL'
create role :"name" login password :'password';
create database :"name" owner :"name";
revoke connect on database :"name" from public;
SQL
done
