"""Ollama's own chat language: lines of JSON at `/api/chat`."""
