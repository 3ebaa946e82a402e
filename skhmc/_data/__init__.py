"""What users hand over, read and checked: X, y, weights; what estimators answer."""
