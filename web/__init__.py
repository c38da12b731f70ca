"""The search box and the JSON API."""
