"""Accounts: hashing is slow on purpose, so these tests use much CPU time."""

from __future__ import annotations

import pytest

from bookshop.accounts import MAX_FAILURES, Account, Locked, WeakPassword, check_strength, hash_password

SALT = b"0123456789abcdef"
PASSWORDS = [
    "correct horse battery",
    "pässwörter sind lang",
    "0123456789abc",
    "パスワードは長いほうがいい",
    "tab\tand\nnewline",
    "  leading and trailing  ",
    "💶💷💴💵🪙 and more",
    "quote'\"quote`",
    "x%sx%dx{}x\\x",
]


@pytest.fixture(scope="module")
def ada() -> Account:
    """An account that tests must not change."""
    return Account.create("ada", "analytical engine", SALT)


@pytest.mark.parametrize("password", PASSWORDS)
class TestPassword:
    def test_the_right_one_opens_the_account(self, password: str) -> None:
        assert Account.create("grace", password, SALT).log_in(password)

    def test_one_more_character_does_not(self, password: str) -> None:
        assert not Account.create("grace", password, SALT).log_in(password + " ")

    def test_another_case_does_not(self, password: str) -> None:
        if password.swapcase() == password:
            pytest.skip("has no case")
        assert not Account.create("grace", password, SALT).log_in(password.swapcase())

    def test_another_salt_gives_another_hash(self, password: str, ada: Account) -> None:
        assert hash_password(password, SALT) != hash_password(password, SALT[::-1])


@pytest.mark.parametrize("failures", range(MAX_FAILURES))
def test_success_resets_the_count_of_failures(failures: int) -> None:
    account = Account.create("grace", PASSWORDS[0], SALT)
    assert [account.log_in("wrong") for _ in range(failures)] == [False] * failures
    assert account.log_in(PASSWORDS[0])
    assert account.failures == 0


def test_too_many_failures_lock_the_account_even_for_its_owner() -> None:
    account = Account.create("grace", PASSWORDS[0], SALT)
    for _ in range(MAX_FAILURES):
        assert not account.log_in("wrong")
    with pytest.raises(Locked):
        account.log_in(PASSWORDS[0])


@pytest.mark.slow
@pytest.mark.parametrize("iterations", [100_000, 200_000, 400_000])
def test_more_iterations_give_another_hash(iterations: int) -> None:
    assert hash_password("secret", SALT, iterations) != hash_password("secret", SALT, iterations - 1)


@pytest.mark.parametrize(
    ("password", "why"),
    [("short", "10 characters"), ("abababababab", "5 different"), ("I am Grace H.", "contains the name")],
)
def test_weak_passwords_are_refused_with_a_reason(password: str, why: str) -> None:
    with pytest.raises(WeakPassword, match=why):
        check_strength(password, "grace")
