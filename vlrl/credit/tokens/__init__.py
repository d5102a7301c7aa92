"""What single tokens count: loss weights, step weights, credit by token, distillation.

Read token_weights first."""
