"""What came out: disaggregated results, lm-eval shaped files, tables."""
