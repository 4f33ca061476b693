"""The certificate authority: prepare, lint, sign, revoke, publish, check."""
