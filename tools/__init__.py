"""Scripts for developers; the service never imports them."""
