"""What a response declares or commits to as its answer, in any of ten languages.

Read committed_answer and declared, then sentence_number and hedging; clause/ looks around an answer.
"""
