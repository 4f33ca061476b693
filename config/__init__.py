"""What the service is told: its settings, the table of request types, the forms it knows."""
