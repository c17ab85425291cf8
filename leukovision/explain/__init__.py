"""Why an ensemble decided so: maps, how far they can be trusted, and the words and pictures for them."""
