"""Strategies for what canonical MessagePack can say."""

from hypothesis import strategies as st

from ledger.text import CODE_POINT_RANGES

table_characters = st.one_of(
    [st.characters(min_codepoint=first, max_codepoint=last) for first, last in CODE_POINT_RANGES]
)
table_texts = st.text(table_characters, max_size=12)
any_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**63), 2**64 - 1)
scalars = st.none() | st.booleans() | integers | st.binary(max_size=40)


def values(texts=table_texts):
    """Decoded values: arrays are tuples."""
    return st.recursive(
        scalars | texts,
        lambda inner: (
            st.lists(inner, max_size=5).map(tuple) | st.dictionaries(texts, inner, max_size=5)
        ),
        max_leaves=30,
    )
