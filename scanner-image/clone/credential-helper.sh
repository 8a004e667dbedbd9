#!/bin/sh
# Answers git's credential protocol from the token file. The token passes through a pipe only: it is never an argument
# (printf is built into the shell) and never in the environment.
[ "$1" = get ] || exit 0
IFS= read -r token < "$SCANFLEET_TOKEN_FILE" || [ -n "$token" ] || exit 1
printf 'username=%s\npassword=%s\n' "$SCANFLEET_USERNAME" "$token"
