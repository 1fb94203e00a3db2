"""This language's errors and ours, in both directions: those of all of OpenAI's APIs."""

from parlance.dialects.openai_faults import decode_error as decode_error
from parlance.dialects.openai_faults import decode_stream_error as decode_stream_error
from parlance.dialects.openai_faults import encode_ending as encode_ending
from parlance.dialects.openai_faults import encode_fault as encode_fault
from parlance.dialects.openai_faults import encode_stream_fault as encode_stream_fault
from parlance.dialects.refusals import EncodedFault as EncodedFault
