"""The token that tells the app who acts: ``RINGMASTER_TOKEN``, or one that Microsoft Entra issues to the Azure CLI."""

from __future__ import annotations

from shared.cli.exit_codes import RequestFailed
from shared.cli.target import SCOPE, Target


def access_token(target: Target) -> str | None:
    """The token for the app, or None if neither a token nor a scope is set. Raises RequestFailed."""
    if target.token or not target.scope:
        return target.token
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import AzureCliCredential

    try:
        return AzureCliCredential().get_token(target.scope).token
    except (ClientAuthenticationError, ValueError) as error:
        raise RequestFailed(
            f"the Azure CLI returned no token for {SCOPE}={target.scope[:200]}: {error}\n"
            "Run `az login`. The app registration must allow the Azure CLI (04b07795-8ddb-461a-bbee-02f9e1bf7b46) as a "
            "client."
        ) from error
