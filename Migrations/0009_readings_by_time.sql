-- An index of readings by their time, for reports of any range of days and of impossible times. A table that has readings
-- already gets it without keeping writers waiting, by hand: CREATE INDEX CONCURRENTLY cannot be part of a transaction
-- (docs/reports.md).

DO $index$
BEGIN
  IF to_regclass('blood_pressures') IS NOT NULL AND NOT EXISTS (SELECT FROM blood_pressures) THEN
    CREATE INDEX IF NOT EXISTS blood_pressures_by_time ON blood_pressures (recorded_at);
  END IF;
END
$index$;
