"""Amounts of money: exact, in one currency each, rounded only where the caller says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

DECIMALS = {"EUR": 2, "GBP": 2, "USD": 2, "JPY": 0, "TND": 3}


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were combined."""


@dataclass(frozen=True)
class Money:
    """An exact amount in one currency."""

    amount: Decimal
    currency: str = "EUR"

    def __post_init__(self) -> None:
        """Refuse a currency whose number of decimals is unknown."""
        if self.currency not in DECIMALS:
            raise ValueError(f"unknown currency {self.currency!r}")

    @classmethod
    def of(cls, amount: str | int, currency: str = "EUR") -> Money:
        """Make an amount from its decimal notation."""
        return cls(Decimal(amount), currency)

    @property
    def unit(self) -> Decimal:
        """The smallest coin."""
        return Decimal(1).scaleb(-DECIMALS[self.currency])

    def _same(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.amount

    def __add__(self, other: Money) -> Money:
        """Add an amount of the same currency."""
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        """Subtract an amount of the same currency."""
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, factor: int | Decimal) -> Money:
        """Multiply exactly, without rounding."""
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: Money) -> bool:
        """Compare with an amount of the same currency."""
        return self.amount < self._same(other)

    def __str__(self) -> str:
        """Write the rounded amount with its currency."""
        return f"{self.rounded().amount:,} {self.currency}"

    def rounded(self) -> Money:
        """Round to the smallest coin, halves away from zero."""
        return Money(self.amount.quantize(self.unit, ROUND_HALF_UP), self.currency)

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Split by weight into whole coins; the parts add up to the whole, early parts get the odd coins."""
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights must not be negative, nor all zero")
        coins = int(self.rounded().amount / self.unit)
        shares = [coins * weight // total for weight in weights]
        for i in range(coins - sum(shares)):
            shares[i] += 1
        return [Money(share * self.unit, self.currency) for share in shares]

    def with_vat(self, percent: Decimal | int) -> Money:
        """Add value-added tax and round."""
        return (self * (1 + Decimal(percent) / 100)).rounded()

    def without_vat(self, percent: Decimal | int) -> Money:
        """Take value-added tax out of a gross amount and round."""
        return Money(self.amount / (1 + Decimal(percent) / 100), self.currency).rounded()

    def convert(self, rate: Decimal, currency: str) -> Money:
        """Change into another currency and round to its coins."""
        return Money(self.amount * rate, currency).rounded()
