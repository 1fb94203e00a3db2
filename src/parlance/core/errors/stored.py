"""What is not in the stores, or can't be added to them as it is."""

from parlance.core.errors.requests import RequestError


class StoredNotFound(RequestError):
    """There is no such thing, or it is not this caller's: the two are told alike."""

    code = "not_found"
    title = "Not found"
    status = 404


class SubtenantNotFound(StoredNotFound):
    code = "subtenant_not_found"
    title = "Subtenant not found"


class ChatNotFound(StoredNotFound):
    code = "chat_not_found"
    title = "Chat not found"


class MessageNotFound(StoredNotFound):
    code = "message_not_found"
    title = "Message not found"


class MemoryNotFound(StoredNotFound):
    code = "memory_not_found"
    title = "Memory not found"


class AssistantNotFound(StoredNotFound):
    code = "assistant_not_found"
    title = "Assistant not found"


class AlreadyExists(RequestError):
    """Something else bears that name."""

    code = "already_exists"
    title = "Already exists"


class ChatBusy(RequestError):
    """The chat answers a message already, and its policy is to take no other meanwhile."""

    code = "chat_busy"
    title = "Chat busy"
    status = 409
    retryable = True


class ChatQueueFull(RequestError):
    code = "chat_queue_full"
    title = "Too many messages wait in this chat"
    status = 429
    retryable = True


class RequestInFlight(RequestError):
    """The same request, under the same idempotency key, is being accepted at this moment."""

    code = "request_in_flight"
    title = "The same request is in flight"
    status = 409
    retryable = True
