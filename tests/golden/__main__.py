"""Writes the deltas of every transcript of a language anew."""

import sys

from parlance.providers.languages import LANGUAGES
from tests.golden.transcripts import tell, transcripts

for name in sys.argv[1:]:
    for transcript in transcripts(name):
        (transcript.folder / "deltas.json").write_text(tell(LANGUAGES[name], transcript))
