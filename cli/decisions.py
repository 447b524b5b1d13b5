"""`civreg governance`: who is a member and who validates, parameters, keys and address of a node.

Ballots decide about members and parameters; an agency alone decides about its own node. Every
ballot can be opened with `civreg ballot open`; these commands fill in the frequent forms.
"""

from typing import Any, cast

import click

from cli.commands import Command, Group
from cli.decision_acts import (
    Signers,
    Signing,
    ballot_named,
    ballots,
    carry_out,
    committee,
    governing,
    key_object,
    open_governance,
)
from cli.decision_options import asking, say_done, signing
from cli.key import find_key
from cli.listed_rows import RowWords
from cli.output import Context, accepted, suggested
from cli.proposing import propose
from ledger.ids import print_id
from ledger.parts import ObjectPart


@click.group(cls=Group)
def governance() -> None:
    """Decide together: members, validators, parameters; and change the keys of your own node.

    \b
    Example:
        civreg governance committee
        civreg governance propose validator bank --weight 0
        civreg governance vote 00000-00000-00000-00000-000000-0 for
    """


@governance.command(cls=Command, changes=True)
@click.argument("ballot", metavar="BALLOT")
@click.argument("choice", type=click.Choice(["for", "against"]))
@signing
@click.pass_obj
def vote(context: Context, /, ballot: str, choice: str, given: Signing) -> None:
    """Vote on a ballot, once; the vote that makes more than two thirds does what it says.

    \b
    Example:
        civreg governance vote 00000-00000-00000-00000-000000-0 for --by police
    """
    with open_governance(context, given.asker) as actor:
        ballot_id, row = ballot_named(actor, ballot)
        place = governing(actor, given)
        action = RowWords(context, actor, "ballot").action(row.action)
        question = context.say(
            f"governance.vote_{choice}", ballot=ballot, action=action, agency=place.agency
        )
        item = ObjectPart("vote", {"ballot": ballot_id, "yes": choice == "for"})
        done = carry_out(
            context, actor, "ballot/vote", item, Signers(place, draft=given.draft), question
        )
        passed = None
        if done.height is not None:
            passed = ballot_named(actor, ballot)[1].in_force_height
        result: dict[str, object] = {
            "ballot": ballot,
            "action": row.action,
            "vote": choice,
            "agency": place.agency,
            "in_force_height": passed,
        }
        said = "governance.voted" if passed is None else "governance.passed"
        command = suggested("governance", "show", ballot)
        told = {"action": action, "vote": context.say(f"governance.word_{choice}")}
        say_done(context, result, done, said=said, next_command=command, words=told)


@governance.command("list", cls=Command)
@asking
@click.pass_obj
def list_(context: Context, asker: str) -> None:
    """List all ballots, the newest first: what they would do, who voted, what became of them.

    \b
    Example:
        civreg governance list
    """
    with open_governance(context, asker) as actor:
        words = RowWords(context, actor, "ballot")
        for row in ballots(actor):
            accepted(row, context, lines=_ballot_lines(context, row, words))


@governance.command(cls=Command)
@click.argument("ballot", metavar="BALLOT")
@asking
@click.pass_obj
def show(context: Context, ballot: str, asker: str) -> None:
    """Show one ballot.

    \b
    Example:
        civreg governance show 00000-00000-00000-00000-000000-0
    """
    with open_governance(context, asker) as actor:
        ballot_id, _row = ballot_named(actor, ballot)
        row = next(one for one in ballots(actor) if one["id"] == print_id(ballot_id))
        words = RowWords(context, actor, "ballot")
        accepted(row, context, lines=_ballot_lines(context, row, words))


def _ballot_lines(context: Context, row: dict[str, object], words: RowWords) -> list[str]:
    fields = words.words(cast("dict[str, object]", row["fields"]))
    action = words.action(str(row["action"]))
    return [
        context.say("governance.ballot", id=row["id"], action=action, words=fields),
        context.say(
            f"governance.status_{row['status']}",
            opened=row["opened_height"],
            height=row["in_force_height"],
            yes=", ".join(cast("list[str]", row["for"])) or "-",
            no=", ".join(cast("list[str]", row["against"])) or "-",
        ),
    ]


@governance.command("committee", cls=Command)
@asking
@click.pass_obj
def show_committee(context: Context, asker: str) -> None:
    """Show the members, who of them validates with what weight, and changes decided ahead of time.

    \b
    Example:
        civreg governance committee --json
    """
    with open_governance(context, asker) as actor:
        found = committee(actor)
        members = cast("list[dict[str, object]]", found["members"])
        coming = cast("list[dict[str, Any]]", found["coming"])
        lines = [
            context.say("governance.height", height=found["height"], weight=found["total_weight"]),
            *(context.say(f"governance.member_{one['validator']}", **one) for one in members),
            *(
                context.say(
                    "governance.coming",
                    height=one["from_height"],
                    names=", ".join(
                        f"{name} {weight}" for name, weight in one["validators"].items()
                    ),
                )
                for one in coming
            ),
        ]
        accepted(found, context, lines=lines)


@governance.command("change-key", cls=Command, changes=True)
@click.argument("purpose", type=click.Choice(["consensus", "peer", "checkpoint"]))
@click.argument("new", metavar="NEW")
@click.option(
    "--old", metavar="KEY", help="The present consensus key signs instead of the governance keys."
)
@signing
@click.pass_obj
def change_key(
    context: Context, /, purpose: str, new: str, *, old: str | None, given: Signing
) -> None:
    """Replace a key of your agency's node by NEW, a key file or a key of the home folder.

    The new key signs, too. Put its file into the node's folder as keys/PURPOSE.next.pem and restart
    the node before: then it goes over to the new key by itself, at the right height.

    \b
    Example:
        civreg governance change-key consensus consensus-2027 --by bank
    """
    with open_governance(context, given.asker) as actor:
        fresh = actor.ring.add_file(find_key(context.home, new).path)
        present = None if old is None else actor.ring.add_file(find_key(context.home, old).path)
        place = governing(actor, given) if present is None else None
        who = old if place is None else place.agency
        question = context.say("governance.change_key", purpose=purpose, name=new, agency=who)
        signers = Signers(place, present, fresh, given.draft)
        item = key_object(purpose, fresh)
        done = carry_out(context, actor, "agency/change_key", item, signers, question)
        result: dict[str, object] = {"purpose": purpose, "key_id": fresh.key_id, "by": who}
        say_done(
            context,
            result,
            done,
            said="governance.key_changed",
            next_command="civreg governance committee",
        )


@governance.command(cls=Command, changes=True)
@click.argument("address", metavar="HOST:PORT")
@signing
@click.pass_obj
def move(context: Context, /, address: str, given: Signing) -> None:
    """Tell all nodes where the node of your agency answers from now on.

    \b
    Example:
        civreg governance move node.bank.example:7400 --by bank
    """
    with open_governance(context, given.asker) as actor:
        place = governing(actor, given)
        question = context.say("governance.move", address=address, agency=place.agency)
        item = ObjectPart("place", {"peer_address": address})
        done = carry_out(
            context, actor, "agency/move", item, Signers(place, draft=given.draft), question
        )
        result: dict[str, object] = {"agency": place.agency, "peer_address": address}
        say_done(
            context,
            result,
            done,
            said="governance.moved",
            next_command="civreg governance committee",
        )


governance.add_command(propose)
