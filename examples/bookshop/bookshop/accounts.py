"""Customers' accounts: passwords are stored as salted hashes that are slow to compute."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

ITERATIONS = 50_000
MAX_FAILURES = 5


class WeakPassword(ValueError):
    """A password that is too easy to guess; the message says why."""


class Locked(Exception):
    """Too many wrong passwords were tried."""


def check_strength(password: str, name: str = "") -> None:
    """Raise WeakPassword for a password that should not be used."""
    if len(password) < 10:
        raise WeakPassword("shorter than 10 characters")
    if len(set(password)) < 5:
        raise WeakPassword("fewer than 5 different characters")
    if name and name.casefold() in password.casefold():
        raise WeakPassword("contains the name")


def hash_password(password: str, salt: bytes, iterations: int = ITERATIONS) -> bytes:
    """Return the hash of a password."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


@dataclass
class Account:
    """A customer who can log in."""

    name: str
    salt: bytes
    hash: bytes
    failures: int = 0

    @classmethod
    def create(cls, name: str, password: str, salt: bytes) -> Account:
        """Make an account with a password that is strong enough."""
        check_strength(password, name)
        return cls(name, salt, hash_password(password, salt))

    def log_in(self, password: str) -> bool:
        """Return whether the password is right; too many wrong ones in a row lock the account."""
        if self.failures >= MAX_FAILURES:
            raise Locked(self.name)
        right = hmac.compare_digest(self.hash, hash_password(password, self.salt))
        self.failures = 0 if right else self.failures + 1
        return right
