"""How good an ensemble is, on subjects that it had not seen."""
