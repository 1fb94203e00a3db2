"""LangChain's chat models as providers. LangChain itself is never imported here: the operator's file does that."""
