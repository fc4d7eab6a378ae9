"""What is done about duplicates: plans, keep rules, applying, undoing."""
