"""Who answers: model names to routes, deadlines, retries, failover. A Route is itself a Provider."""
