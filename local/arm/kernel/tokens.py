"""Tokens of the simulated identity platform: signed by the simulator, checked by it, readable by every client."""

import secrets
import uuid
from dataclasses import asdict, dataclass

import jwt
from jwt.types import Options

from local.arm.kernel.errors import ArmError
from local.arm.kernel.messages import Caller
from local.arm.kernel.store import Store

LIFETIME_SECONDS = 24 * 3600
DEFAULT_TENANT = "72f988bf-0000-4000-8000-2d7cd011db47"


@dataclass(frozen=True, slots=True)
class Identity:
    """A managed identity. The one without a name asked for is the system-assigned one: the first."""

    name: str
    client_id: str
    object_id: str


def identity(name: str) -> Identity:
    """An identity whose ids follow from its name, so that they are the same in every run."""
    made = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"ringmaster-local/{kind}/{name}")) for kind in ("client", "object")]
    return Identity(name, made[0], made[1])


class Tokens:
    """Issues and checks tokens. The signing key and the endpoint's secret are made once and kept with the state."""

    def __init__(self, store: Store, tenant_id: str = DEFAULT_TENANT) -> None:
        """Take up keys and identities from the store, or make them."""
        self.tenant_id = tenant_id
        self._table = store.table("identity")
        if "keys" not in self._table:
            self._table["keys"] = {"signing": secrets.token_hex(32), "endpoint": secrets.token_hex(16)}
            self.add(identity("ringmaster"))
            self.add(identity("image-builder"))
        self._signing = self._table["keys"]["signing"]
        self.endpoint_secret: str = self._table["keys"]["endpoint"]

    def add(self, one: Identity) -> None:
        """Let an identity ask for tokens."""
        self._table[f"id:{one.client_id}"] = asdict(one)

    @property
    def identities(self) -> list[Identity]:
        """All identities, the system-assigned one first."""
        return [Identity(**row) for key, row in self._table.items() if key.startswith("id:")]

    def find(self, wanted: str | None) -> Identity | None:
        """The identity with this client or object id, or the system-assigned one for None; None when unknown."""
        for one in self.identities:
            if wanted is None or wanted.lower() in (one.client_id, one.object_id):
                return one
        return None

    def issue(self, one: Identity, audience: str, now: float, lifetime: float = LIFETIME_SECONDS) -> tuple[str, int]:
        """A token for an audience and when it ends (seconds since the epoch)."""
        expires = int(now + lifetime)
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": int(now),
            "nbf": int(now),
            "exp": expires,
            "appid": one.client_id,
            "appidacr": "2",
            "idp": f"https://sts.windows.net/{self.tenant_id}/",
            "idtyp": "app",
            "oid": one.object_id,
            "sub": one.object_id,
            "tid": self.tenant_id,
            "ver": "1.0",
            "xms_mirid": f"/subscriptions/local/providers/Microsoft.ManagedIdentity/{one.name}",
        }
        return jwt.encode(claims, self._signing, algorithm="HS256"), expires

    def check(self, authorization: str | None, now: float) -> Caller:
        """Who holds the token of an `Authorization` header; ARM's 401 without a good one."""
        if not authorization:
            raise _refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise _refused(
                "AuthenticationFailedInvalidHeader",
                "Authentication failed. The 'Authorization' header is provided in an invalid format.",
            )
        options: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims = jwt.decode(token, self._signing, algorithms=["HS256"], options=options)
        except jwt.PyJWTError as fault:
            raise _refused("InvalidAuthenticationToken", "The access token is invalid.") from fault
        if claims["exp"] <= now:
            raise _refused(
                "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
            )
        return Caller(claims["appid"], claims["oid"], claims["tid"])


def _refused(code: str, message: str) -> ArmError:
    challenge = (
        f'Bearer authorization_uri="https://login.microsoftonline.com/{DEFAULT_TENANT}", '
        f'error="invalid_token", error_description="{message}"'
    )
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})
