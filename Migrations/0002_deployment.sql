-- What is set once for a deployment: the reporting time zone.

CREATE TABLE rollup.deployment (
  -- One row.
  id boolean PRIMARY KEY DEFAULT true CHECK (id),
  time_zone text NOT NULL
);
