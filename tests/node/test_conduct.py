from node.conduct import CUT_OFF_START_MS, FORGIVEN_AFTER_MS, MARKS_MAX, SLOWED_AT, Conduct


def cut_off(conduct, now_ms):
    return [conduct.mark("p", "garbage", now_ms) for _ in range(MARKS_MAX)]


def test_marks_slow_and_then_cut_off_exactly_at_the_limit():
    conduct: Conduct[str] = Conduct()
    for given in range(1, MARKS_MAX):
        assert not conduct.mark("p", "garbage", 0)
        assert bool(conduct.delay_ms("p", 0)) == (given >= SLOWED_AT)
        assert conduct.cut_off_ms("p", 0) == 0
    assert conduct.mark("p", "garbage", 0)
    assert conduct.cut_off_ms("p", 0) == CUT_OFF_START_MS
    assert conduct.cut_off_ms("p", CUT_OFF_START_MS) == 0


def test_marks_fade_so_rare_mistakes_never_cut_off():
    conduct: Conduct[str] = Conduct()
    assert not any(conduct.mark("p", "garbage", second * 1_000) for second in range(1_000))


def test_each_further_cut_off_is_twice_as_long_until_good_conduct():
    conduct: Conduct[str] = Conduct()
    cut_off(conduct, 0)
    cut_off(conduct, CUT_OFF_START_MS)
    assert conduct.cut_off_ms("p", CUT_OFF_START_MS) == 2 * CUT_OFF_START_MS
    later = FORGIVEN_AFTER_MS * 2
    cut_off(conduct, later)
    assert conduct.cut_off_ms("p", later) == CUT_OFF_START_MS


def test_one_peers_garbage_is_not_held_against_another():
    conduct: Conduct[str] = Conduct()
    cut_off(conduct, 0)
    assert conduct.cut_off_ms("q", 0) == 0
    assert conduct.delay_ms("q", 0) == 0


def test_an_hour_of_good_conduct_is_forgiven_to_a_peer_that_keeps_asking():
    conduct: Conduct[str] = Conduct()
    cut_off(conduct, 0)
    cut_off(conduct, CUT_OFF_START_MS)
    later = CUT_OFF_START_MS + FORGIVEN_AFTER_MS
    for now_ms in range(CUT_OFF_START_MS, later, 60_000):
        assert conduct.delay_ms("p", now_ms) == 0 or now_ms == CUT_OFF_START_MS
    cut_off(conduct, later)
    assert conduct.cut_off_ms("p", later) == CUT_OFF_START_MS
