"""A small bookshop: catalogue, prices, orders, a store in SQLite, reports and a client for a supplier."""
