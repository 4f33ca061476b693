"""The demonstration: an embedded mail server and the story that is played on it."""
