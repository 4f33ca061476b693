"""The texts of all letters, one `string.Template` file each; `daemon/wording.py` loads and checks them."""
