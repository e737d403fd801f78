"""``authorization``: the policy and whether it binds."""

from __future__ import annotations

from authsvc.config.model import AuthorizationSettings, Mode
from authsvc.decoding.structs import Place, Wire


class Policy(Wire, frozen=True):
    """A folder of policy files; ``model`` is another Casbin model than the shipped one."""

    folder: str
    model: str = ""


class Authorization(Wire, frozen=True):
    """May they?"""

    mode: Mode = Mode.ENFORCE
    policy: Policy | None = None

    def to_settings(self, at: Place) -> AuthorizationSettings:
        """Convert to the internal model."""
        folder = model = None
        if self.policy is not None:
            place = at.field("policy")
            folder = place.file(self.policy.folder)
            if not folder.is_dir():
                place.field("folder").error(f"{folder}: no such folder")
            if self.policy.model:
                model = place.field("model").existing_file(self.policy.model)
        return AuthorizationSettings(self.mode, folder, model)
