"""Bytes in, meaning out: mail, PDF, form, reply. Pure; no network, no database, no key."""
