"""The service: from a mail in the mailbox to a certificate and two letters. Start at `loop.py`."""
