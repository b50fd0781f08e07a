#!/usr/bin/env bash
# Grants the provisioner's identity its permissions for Microsoft Graph, because Bicep can't grant them.
#
#   infra/grant-graph.sh PRINCIPAL_ID [--optional]
#
# PRINCIPAL_ID is the object id of the provisioner's identity: the output TENANTRY_PROVISIONER_PRINCIPAL_ID of the
# deployment. --optional also grants the optional permissions, which only read (docs/permissions.md, docs/isolation.md).
# Requires az, signed in as somebody who may grant application permissions, such as a Privileged Role Administrator. The
# script can be run again at any time: it does not change permissions that are already granted. Exit codes: 0 all
# permissions are granted, 1 at least one is not, 2 wrong usage.
set -euo pipefail

# The application id of Microsoft Graph, which is the same in every directory.
graph_application=00000003-0000-0000-c000-000000000000
needed=(Application.ReadWrite.OwnedBy)
optional=(Application.Read.All GroupMember.Read.All)

complain() {
    printf 'grant-graph: %s\n' "$1" >&2
}

principal=${1:-}
if [[ ! $principal =~ ^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$ ]] || (($# > 2)) ||
    [[ ${2:---optional} != --optional ]]; then
    complain 'usage: infra/grant-graph.sh PRINCIPAL_ID [--optional], with the object id of the identity'
    exit 2
fi
permissions=("${needed[@]}")
if [[ ${2:-} == --optional ]]; then permissions+=("${optional[@]}"); fi

graph=$(az cloud show --query endpoints.microsoftGraphResourceId --output tsv)
graph=${graph%/}
if ! resource=$(az ad sp show --id "$graph_application" --query id --output tsv); then
    complain 'Microsoft Graph was not found in the directory. Is az signed in (az login)?'
    exit 1
fi
assignments=$graph/v1.0/servicePrincipals/$principal/appRoleAssignments

failed=0
for permission in "${permissions[@]}"; do
    role=$(az ad sp show --id "$graph_application" --output tsv \
        --query "appRoles[?value=='$permission' && contains(allowedMemberTypes, 'Application')].id | [0]")
    if [[ -z $role ]]; then
        complain "Microsoft Graph has no permission $permission"
        failed=1
        continue
    fi
    held=$(az rest --method get --url "$assignments" --output tsv \
        --query "value[?appRoleId=='$role' && resourceId=='$resource'].id | [0]") || held=
    if [[ -n $held ]]; then
        printf '%s: granted already\n' "$permission"
    elif az rest --method post --url "$assignments" --headers content-type=application/json --output none \
        --body "{\"principalId\": \"$principal\", \"resourceId\": \"$resource\", \"appRoleId\": \"$role\"}"; then
        printf '%s: granted\n' "$permission"
    else
        complain "$permission could not be granted. Ask a Privileged Role Administrator to run
  infra/grant-graph.sh $*"
        failed=1
    fi
done
exit "$failed"
