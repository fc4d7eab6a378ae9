"""What the review page and the service share."""
