"""A cheaper constructor for the frozen classes of which every entry makes dozens.

The constructor that `dataclass` writes for a frozen class sets each attribute by a call of
`object.__setattr__`, which for eleven fields takes four times as long as plain assignment. The one
written here lets the new instance be of an open twin, a subclass without slots of its own, while
its fields are assigned. Outside the constructor nothing changes: the instance is frozen, compares,
hashes, prints and is copied by `dataclasses.replace` as before.
"""

from dataclasses import MISSING, Field, fields
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")


def quick_init(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots a quicker constructor with the same arguments.

    Goes on top of `@dataclass(frozen=True, slots=True)`. Fields made by a factory, fields that are
    not arguments, and `__post_init__` are not supported.

    Args:
        cls: The class; it is changed and returned.
    """
    assert not hasattr(cls, "__post_init__"), "nothing would call it"
    own = fields(cast("Any", cls))
    assert all(one.init and one.default_factory is MISSING for one in own), "plain fields only"
    assert not any(one.name.startswith("_") for one in own), "names of the constructor's own"
    open_twin = type(f"_Open{cls.__name__}", (cls,), {"__slots__": (), **_ASSIGNABLE})
    names: dict[str, Any] = {"_open_twin": open_twin, "_turn_into": _turn_into}
    names |= {f"_default_{one.name}": one.default for one in own}
    exec(_constructor(own), names)  # noqa: S102 - as dataclass itself does; only names go in
    constructor = names["__init__"]
    constructor.__qualname__ = f"{cls.__qualname__}.__init__"
    constructor.__annotations__ = cls.__init__.__annotations__
    setattr(cls, "__init__", constructor)  # noqa: B010 - assigning to it upsets the type checker
    return cls


_ASSIGNABLE: Final = {
    "__setattr__": object.__setattr__,
    "__delattr__": object.__delattr__,  # with only one of them the interpreter calls both slowly
}
_turn_into = object.__dict__["__class__"].__set__
"""Sets the class of an instance whose own class forbids every assignment."""


def _constructor(own: tuple[Field[Any], ...]) -> str:
    """Return the source of a constructor."""
    arguments = [_argument(one) for one in own if not one.kw_only]
    by_name = [_argument(one) for one in own if one.kw_only]
    star = ["*"] if by_name else []
    return "\n".join(
        [
            f"def __init__({', '.join(['self', *arguments, *star, *by_name])}):",
            "    _own_class = self.__class__",
            "    _turn_into(self, _open_twin)",
            *[f"    self.{one.name} = {one.name}" for one in own],
            "    self.__class__ = _own_class",
        ]
    )


def _argument(one: Field[Any]) -> str:
    return one.name if one.default is MISSING else f"{one.name}=_default_{one.name}"
