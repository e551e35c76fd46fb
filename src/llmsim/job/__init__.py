"""What trains on what: frozen records, and what follows from them."""
