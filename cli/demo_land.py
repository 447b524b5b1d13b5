"""Steps of the demonstration that are about land: an old register comes in, titles are sold.

With a register of the user, `cli.demo_register` takes the place of the first one.
"""

import secrets
from collections.abc import Sequence

from cli.acting import Order
from cli.demo_scene import Citizen, Scene, Title
from cli.generated_acts import Parcel, imported_title_act, sale_act, title_act
from cli.import_windows import WindowWish, open_window
from cli.packages import Package
from cli.staff import persons_with, prefetch_persons
from keys.hashing import sha256

OLD_REGISTER = "demo.old-land-register"
OLD_YEAR = 2003
PRICE_DONG = 2_400_000_000


def import_titles(scene: Scene) -> None:
    """By ballot the agencies open a window for the old register; its titles come in."""
    bring_in_titles(scene, scene.titles_wished)


def bring_in_titles(scene: Scene, count: int) -> None:
    """Open the window and import as many titles, held by citizens with keys in turn."""
    owners = scene.keyed
    wish = WindowWish(
        type_name="land_title",
        source=OLD_REGISTER,
        count=count,
        needed=count,
        scans_root=sha256(secrets.token_bytes(32)),
    )
    open_window(scene.actor, scene.land, wish)
    prefetch_persons(scene.actor, [owner.identity_id for owner in owners])
    today, holders, acts = scene.actor.today, [], []
    for number in range(count):
        holder = owners[number % len(owners)]
        parcel = _parcel(holder, number)
        title = title_act(parcel, [holder.identity_id], f"DC {number:06}", today)
        acts.append(imported_title_act(title, OLD_REGISTER, f"{number + 1:05}", OLD_YEAR))
        holders.append(holder)
    made = scene.carry("demo.titles", [scene.order(scene.land, act) for act in acts])
    scene.titles = [
        Title(act=act, target=package.target(), holder=holder)
        for act, package, holder in zip(acts, made, holders, strict=True)
    ]
    scene.tally.titles += len(made)


def _parcel(holder: Citizen, number: int) -> Parcel:
    person = holder.person
    return Parcel(
        unit=person.home.code,
        sheet=str(1 + number % 9),
        number=str(100 + number),
        area_dm=600 + 17 * number,
        address=person.residence,
        longitude=f"105.{8000 + number}",
        latitude=f"21.{300 + number:04}",
    )


def sell_titles(scene: Scene) -> None:
    """Every title is sold, every second one sold again by its buyer; all parties sign."""
    _sell(scene, scene.titles, "demo.sales")
    _sell(scene, scene.titles[::2], "demo.resales")


def _sell(scene: Scene, titles: Sequence[Title], key: str) -> None:
    sales = [sale_order(scene, title) for title in titles]
    made = scene.carry(key, [order for order, _buyer in sales])
    for title, (order, buyer), package in zip(titles, sales, made, strict=True):
        settle_sale(title, order, buyer, package)
    scene.tally.transfers += len(made)


def sale_order(scene: Scene, title: Title) -> tuple[Order, Citizen]:
    """Return the order by which a title goes to its holder's neighbour, and the neighbour.

    The generated owner of an imported title is nobody's neighbour: its buyers go by turns.
    """
    owners = scene.keyed
    before = owners.index(title.holder) if title.holder in owners else scene.titles.index(title)
    buyer = owners[(before + 1) % len(owners)]
    serial = f"BA {secrets.token_hex(5).upper()}"
    price = PRICE_DONG + 1_000_000 * title.sales
    act = sale_act(title.act, [buyer.identity_id], serial, price, scene.actor.today)
    both = {title.holder.identity_id: title.holder.sign, buyer.identity_id: buyer.sign}
    hands = persons_with(both, scene.land.hands)
    return scene.order(scene.land, act, title.target, hands=hands), buyer


def settle_sale(title: Title, order: Order, buyer: Citizen, package: Package) -> None:
    """Note who holds a title after a sale."""
    title.act, title.holder = order.act, buyer
    title.target = package.target(before=title.target.row)
    title.sales += 1
