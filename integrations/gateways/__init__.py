"""The ways out of the house, found by setting: each sends one letter or raises DeliveryFailed."""
