-- The first period whose figures are published, by its first day: a decision, so that no mistyped date makes it.
-- Null: not decided. Where something is closed by then, the first period that is closed counts as the decision.

ALTER TABLE rollup.deployment
  ADD COLUMN first_period date CHECK (extract(day FROM first_period) = 1 AND first_period >= '1990-01-01');
