"""Responses with a teacher's log-probabilities, as files.

Read teacher_records, then teacher_recording."""
