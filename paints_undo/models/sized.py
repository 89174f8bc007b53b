"""Networks of ours as diffusers expects networks: made from a config.json, saved and loaded."""

from dataclasses import asdict, fields
from typing import Any, ClassVar

from diffusers import ConfigMixin


class Sized(ConfigMixin):
    """Beside diffusers' ModelMixin: a network whose config is a frozen dataclass, with its checks."""

    sizes: ClassVar[type]  # the dataclass
    config: Any = None  # one of it; diffusers has a dict here

    def settle(self, config: Any) -> None:
        """Take the sizes, and tell diffusers what to write into config.json."""
        self.config = config
        self.register_to_config(**asdict(config))

    @classmethod
    def from_config(cls, config: dict[str, Any], **unused: Any) -> Any:
        """A new network of these sizes, by the names of its config.json; ValueError for one that it does not know.

        Names that begin with an underscore are diffusers' own.
        """
        known = {field.name for field in fields(cls.sizes)}
        values = {name: value for name, value in config.items() if not name.startswith("_")}
        if unknown := sorted(values.keys() - known):
            raise ValueError(f"{unknown[0]} is no setting of this network")
        return cls(cls.sizes(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}))
